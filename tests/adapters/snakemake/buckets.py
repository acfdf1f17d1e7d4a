"""A real S3 API on loopback, also where loopback is another one."""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

__all__ = ["s3_on_loopback"]

_CLONE_NEWNET = 0x40000000  # setns(2)


@contextmanager
def s3_on_loopback(files: Mapping[str, bytes], *, inside: int | None = None) -> Iterator[Mapping[str, str]]:
    """The environment of Snakemake's s3 plugin, with a bucket `crates` that holds `files`.

    `inside`: a process with a network of its own, which finds it at the same address.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it tells of each request
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    client: Any = boto3.client("s3", endpoint_url=url, **keys)
    client.create_bucket(Bucket="crates")
    for name, content in files.items():
        client.put_object(Bucket="crates", Key=name, Body=content)
    door = _listen_inside(inside, port) if inside is not None else None
    if door is not None:
        threading.Thread(target=_let_in, args=(door, port), daemon=True).start()
    try:
        yield {
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": url,
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "x",
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "x",
        }
    finally:
        if door is not None:
            door.shutdown(socket.SHUT_RDWR)
            door.close()
        server.stop()


def _listen_inside(pid: int, port: int) -> socket.socket:
    """A socket belongs to the network that its thread was in when it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{pid}/ns/net").open("rb") as network:
            if libc.setns(network.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        made.append(socket.create_server(("127.0.0.1", port)))

    thread = threading.Thread(target=make)  # it ends there, and nobody else ever enters
    thread.start()
    thread.join()
    return made[0]


def _let_in(door: socket.socket, port: int) -> None:
    with suppress(OSError):  # the door is closed
        while True:
            caller, _ = door.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, target in ((caller, server), (server, caller)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with closing(target), suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)

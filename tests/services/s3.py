"""A real S3 API on loopback, for what goes through fsspec."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

__all__ = ["s3_by_environment"]


@contextmanager
def s3_by_environment() -> Generator[str]:
    """Its URL, which fsspec's S3 finds in the environment until this is left.

    fsspec keeps file systems by their arguments, of which the environment is none: those of another server must go.
    """
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    surroundings = {
        "ENDPOINT_URL": f"http://{host}:{port}",
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "testing",
        "DEFAULT_REGION": "us-east-1",
    }
    s3: Any = fsspec.get_filesystem_class("s3")  # pyright: ignore[reportUnknownMemberType] untyped
    s3.clear_instance_cache()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in surroundings.items():
            environment.setenv(f"AWS_{name}", value)
        yield surroundings["ENDPOINT_URL"]
    s3.clear_instance_cache()
    server.stop()

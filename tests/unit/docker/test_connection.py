from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path

import pytest

from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.errors import ConfigError, TransportError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_the_usual_socket_is_used_by_itself() -> None:
    assert DockerClient(None).address == "unix:///var/run/docker.sock"


def test_docker_host_is_over_the_usual_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert DockerClient(None).address == "tcp://10.0.0.1:2375"


def test_a_configured_host_is_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert DockerClient("unix:///mine").address == "unix:///mine"


def test_certificates_that_are_not_there_are_a_mistake_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with pytest.raises(ConfigError, match="no address of a Docker engine"):
        DockerClient(None)


# docker-py 7.2 does not close the socket of a connection that was refused; see `connect` in its unixconn.py
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    client = DockerClient(f"unix://{tmp_path}/no.sock")
    with pytest.raises(TransportError, match=r"no Docker engine answers at unix://.*/no\.sock: .*Is it running\?"):
        await client.info()
    await client.aclose()
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
async def test_an_engine_that_hangs_up_is_told_as_such(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        threading.Thread(target=_hang_up, args=(server,), daemon=True).start()
        client = DockerClient(f"unix://{tmp_path}/s")
        with pytest.raises(TransportError):
            await client.info()
        await client.aclose()
    gc.collect()


def _hang_up(server: socket.socket) -> None:
    server.accept()[0].close()

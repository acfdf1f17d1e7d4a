"""Files that are neither here nor in the image, and engines that are not on this machine."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from crankshaft_core.errors import StagingError, SubmitError
from crankshaft_core.task import Input, Output
from tests.integration.docker.box import Box, sh
from tests.integration.docker.relay import over_tcp
from tests.services.s3 import s3_by_environment


class _OneFile(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b"from the web" if self.path == "/a" else b""
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
        del format, args


@contextmanager
def web() -> Iterator[str]:
    """`http://…`, where `/a` is and nothing else."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _OneFile) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket() -> Iterator[str]:
    """`s3://…`, an empty bucket of a real S3 API on loopback."""
    with s3_by_environment():
        name = f"crates-{uuid.uuid4().hex}"  # moto's servers of one process share what is in them
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir(name)
        yield f"s3://{name}"


async def test_an_input_comes_from_the_web(box: Box) -> None:
    async with box.run() as engine:
        with web() as url:
            result = await engine.run("box", sh("cat /in/a", inputs=[Input(path="/in/a", url=f"{url}/a")]))
    assert result.stdout_tail == "from the web"


async def test_an_input_that_the_web_does_not_have_is_named_and_nothing_runs(box: Box) -> None:
    async with box.run() as engine:
        with web() as url, pytest.raises(StagingError, match=rf"/in/a.*{url}/nosuch"):
            await engine.run("box", sh("cat /in/a", inputs=[Input(path="/in/a", url=f"{url}/nosuch")]))
    assert box.left() == []


async def test_inputs_come_from_s3_and_outputs_go_there(box: Box, bucket: str) -> None:
    storage = fsspec.filesystem("s3", skip_instance_cache=True)
    storage.pipe_file(f"{bucket}/in/a", b"from s3")
    task = sh(
        "cat /in/a > /out/b",
        inputs=[Input(path="/in/a", url=f"{bucket}/in/a")],
        outputs=[Output(path="/out/b", url=f"{bucket}/out/b")],
    )
    async with box.run() as engine:
        result = await engine.run("box", task)
    assert result.ok, result
    assert storage.cat_file(f"{bucket}/out/b") == b"from s3"


async def test_an_engine_is_reached_over_tcp_and_files_are_copied(box: Box) -> None:
    task = sh("tr a-z A-Z < /in/a > /out/b", inputs=[Input(path="/in/a", content="x")], outputs=[Output(path="/out/b")])
    async with over_tcp(box.engine.url) as url:
        async with box.run(f"[[backends]]\nextends = 'box'\nname = 'far'\nhost = '{url}'") as engine:
            health = await engine.check("far")
            result = await engine.run("far", task)
    assert "files are copied" in str(health.notes)
    assert Path(result.outputs["/out/b"]).read_text() == "X"


async def test_an_engine_that_refuses_the_port_is_told_at_once(box: Box) -> None:
    async with over_tcp(box.engine.url) as url:
        pass
    async with box.run(f"[[backends]]\nextends = 'box'\nname = 'far'\nhost = '{url}'") as engine:
        with pytest.raises(SubmitError, match=rf"far: no Docker engine answers at {url}: .*refused"):
            await engine.run("far", sh("true"))

"""Runs tasks as processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

from tests.services.tes_server.faults import Faults
from tests.services.tes_server.profiles import Profile
from tests.services.tes_server.sandbox import Sandbox
from tests.services.tes_server.store import TERMINAL, Store, Task, now
from tests.services.tes_server.transfer import bring_inputs, keep_outputs

__all__ = ["Runner"]

_LOG_TAIL = 10_000


class Runner:
    """At most `workers` tasks at once. `pretend`: nothing runs, and each task is COMPLETE after so many seconds.

    While `let_go` is not set, pretended tasks run on, and then end one after the other within those seconds.
    """

    def __init__(
        self, store: Store, directory: Path, profile: Profile, faults: Faults, *, workers: int, pretend: float | None
    ) -> None:
        self._store = store
        self._directory = directory
        self._profile = profile
        self._faults = faults
        self._places = asyncio.Semaphore(workers)
        self._pretend = pretend
        self._running: dict[str, asyncio.Task[None]] = {}
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.runs: dict[str, int] = {}
        """How often the commands of each task name were started."""

    def start(self, task: Task) -> None:
        """Run it when there is a place."""
        running = asyncio.get_running_loop().create_task(self._run(task))
        self._running[task["id"]] = running
        running.add_done_callback(lambda _: self._running.pop(task["id"], None))

    def cancel(self, task: Task) -> None:
        """End it."""
        running = self._running.get(task["id"])
        if running is None:
            self._enter(task, "CANCELED")
            return
        if self._profile.cancels_by == "CANCELING":
            self._enter(task, "CANCELING")
        running.cancel()

    async def aclose(self) -> None:
        """End everything that still runs."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, task: Task) -> None:
        try:
            async with self._places:
                if self._pretend is not None:
                    await self._pretend_to_run(task)
                else:
                    await self._really_run(task)
        except asyncio.CancelledError:
            self._end(task, "CANCELED")
        except Exception as error:
            task["logs"][-1].setdefault("system_logs", []).append(f"{type(error).__name__}: {error}")
            self._end(task, "SYSTEM_ERROR")
        finally:
            shutil.rmtree(self._directory / task["id"], ignore_errors=True)

    async def _pretend_to_run(self, task: Task) -> None:
        self._enter(task, "RUNNING")
        held = not self.let_go.is_set()
        await self.let_go.wait()
        await asyncio.sleep((self._pretend or 0) * (random.random() if held else 1))
        self.runs[task.get("name", "")] = self.runs.get(task.get("name", ""), 0) + 1
        task["logs"] = [{"logs": [{"exit_code": 0} for _ in task["executors"]], "outputs": []}]
        self._enter(task, "COMPLETE")

    async def _really_run(self, task: Task) -> None:
        if self._faults.server_retries > 0:
            self._faults.server_retries -= 1
            self._begin(task)
            task["logs"][-1]["logs"].append({"exit_code": 3, "stdout": "", "stderr": "the first machine went away\n"})
        self._begin(task)
        if self._faults.endings:
            task["logs"][-1]["system_logs"] = ["spot capacity was reclaimed", "on this-host"]
            self._end(task, self._faults.endings.pop(0))
            return
        self._enter(task, "INITIALIZING")
        sandbox = Sandbox(self._directory / task["id"], task)
        loop = asyncio.get_running_loop()
        _check_images(task)
        await loop.run_in_executor(None, bring_inputs, task, sandbox)
        self._enter(task, "RUNNING")
        state = await self._executors(task, sandbox)
        if state == "COMPLETE":
            task["logs"][-1]["outputs"] = await loop.run_in_executor(None, keep_outputs, task, sandbox)
        else:
            with contextlib.suppress(*([] if self._profile.misses_outputs_of_failed else [OSError])):
                await loop.run_in_executor(None, keep_outputs, task, sandbox)
        self._end(task, state)

    async def _executors(self, task: Task, sandbox: Sandbox) -> str:
        name = task.get("name", "")
        self.runs[name] = self.runs.get(name, 0) + 1
        for executor in task["executors"]:
            log: dict[str, Any] = {"start_time": now()}
            if self._profile.early_exit_code:
                task["logs"][-1]["logs"].append({**log, "exit_code": 0})
            log["exit_code"] = code = await self._execute(executor, log, sandbox)
            log["end_time"] = now()
            if self._profile.early_exit_code:
                task["logs"][-1]["logs"].pop()
            task["logs"][-1]["logs"].append(log)  # the documents require its exit code
            if code != 0 and not executor.get("ignore_error"):
                return "EXECUTOR_ERROR"
        return "COMPLETE"

    async def _execute(self, executor: dict[str, Any], log: dict[str, Any], sandbox: Sandbox) -> int:
        paths = {name: self._stream(executor.get(name), name, sandbox) for name in ("stdout", "stderr")}
        work_dir = sandbox.real(executor.get("workdir") or "/")
        work_dir.mkdir(parents=True, exist_ok=True)
        environment = {name: sandbox.translated(value) for name, value in executor.get("env", {}).items()}
        command = [sandbox.translated(argument) for argument in executor["command"]]
        if self._profile.shell_for_one_word and len(command) == 1:
            command = ["/bin/sh", "-c", *command]
        if self._profile.empties_stdin and executor.get("stdin"):
            sandbox.real(executor["stdin"]).write_bytes(b"")
        with contextlib.ExitStack() as files:
            source = sandbox.real(executor["stdin"]) if executor.get("stdin") else Path(os.devnull)
            stdin = files.enter_context(source.open("rb"))
            streams = {name: files.enter_context(path.open("wb")) for name, path in paths.items()}
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=work_dir,
                    env={"PATH": os.environ["PATH"], "HOME": str(sandbox.root), **environment},
                    stdin=stdin,
                    start_new_session=True,
                    stdout=streams["stdout"],
                    stderr=streams["stderr"],
                )
            except OSError as error:
                log["stderr"] = f"{executor['command'][0]}: {error.strerror}\n"
                return 127
            try:
                code = await process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await _waited_for(process)
        for name, path in paths.items():
            log[name] = path.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        return code if code >= 0 else 128 - code

    def _stream(self, path: str | None, name: str, sandbox: Sandbox) -> Path:
        real = sandbox.real(path) if path else sandbox.root / f".{name}"
        real.parent.mkdir(parents=True, exist_ok=True)
        return real

    def _begin(self, task: Task) -> None:
        task["logs"].append(
            {"logs": [], "outputs": [], "start_time": now(), "metadata": {"host": socket.gethostname()}}
        )

    def _end(self, task: Task, state: str) -> None:
        if task["logs"]:
            task["logs"][-1]["end_time"] = now()
        self._enter(task, state)

    def _enter(self, task: Task, state: str) -> None:
        if task["state"] not in TERMINAL:
            task["state"] = state
            self._store.save(task)


async def _waited_for(process: asyncio.subprocess.Process) -> None:
    """Also when it is cancelled a second time meanwhile."""
    waiting = asyncio.ensure_future(process.wait())
    while not waiting.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(waiting)


def _check_images(task: Task) -> None:
    for executor in task["executors"]:
        if executor["image"].startswith("missing"):
            raise FileNotFoundError(f"image {executor['image']} not found: manifest unknown")

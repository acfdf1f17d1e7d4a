"""Where the contract suite runs: one function a backend, and what a test needs to know of it.

A new kind of backend is one more function here, and its name in PLACES.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Attempt, Backend, Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config
from crankshaft_core.task import Execution, Input, Output, Task, Verdict
from tests.services.engines import remove_all
from tests.services.shared import shared_directory
from tests.services.tes_server import PROFILES, Profile, serving

__all__ = ["PLACES", "SHOWN_BY", "UNREAL", "Place", "PlaceFixture", "places_of"]


@dataclass(frozen=True)
class Place:
    """A backend under test."""

    text: str
    """What stands in Crankshaft.toml; the backend is called `place`."""
    shared: Path
    """A directory that tasks and tests see under the same path, where there is one."""
    image: str | None = None
    patience: float = 20.0
    """Seconds within which a trivial task ends."""
    opener: Callable[..., Backend] = open_backend

    @cached_property
    def config(self) -> Config:
        return Config.parse(f"[[backends]]\nname = 'place'\n{self.text}")

    def open(self, run_id: str = "kcontr0") -> Backend:
        return self.opener(self.config.backends["place"], run_id=run_id)

    def task(
        self,
        *commands: str,
        env: Mapping[str, str] | None = None,
        inputs: tuple[Input, ...] = (),
        outputs: tuple[Output, ...] = (),
        **resources: object,
    ) -> Task:
        executions = tuple(Execution(command=command, image=self.image, env=env or {}) for command in commands)
        return Task.model_validate(
            {"name": "contract", "executions": executions, "inputs": inputs, "outputs": outputs, "resources": resources}
        )


PlaceFixture = Callable[[Path, pytest.FixtureRequest], Place]


class ScriptedMemory(MemoryBackend):
    """The in-memory fake, ending each task as its commands would: `true`, `exit N`, `sleep N` are understood."""

    def __init__(self, system: System) -> None:
        super().__init__(system, cadence=Cadence(poll=0.01, sweep=0.02, grace=0.2, kill_after=0.2, cancel_timeout=2))
        self._scripted = system

    async def submit(self, attempt: Attempt) -> str:
        again = attempt.id in self._scripted.records
        job = await super().submit(attempt)
        if not again and not any(item.shell_text.startswith("sleep") for item in attempt.task.executions):
            codes = _codes([item.shell_text for item in attempt.task.executions])
            self._scripted.end(attempt.id, Verdict.FAILED if codes[-1] else Verdict.OK, exit_codes=codes)
        return job


def _codes(commands: list[str]) -> tuple[int, ...]:
    codes: list[int] = []
    for command in commands:
        codes.append(int(command.rsplit("exit ", 1)[1]) if "exit " in command else 0)
        if codes[-1]:
            break
    return tuple(codes)


def memory(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Nothing runs: for the rules alone."""
    del request
    system = System()
    text = "kind = 'Generic'\nsubmit = '~{command}'\nmax_tasks = 50"
    return Place(text, tmp_path, opener=lambda config, run_id: ScriptedMemory(system))


def local(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """This machine: the filled submit is the work."""
    del request
    text = f"kind = 'Generic'\npreset = 'local'\nwork_dir = '{tmp_path / 'work'}'\n{_QUICK}"
    return Place(text, tmp_path)


def batch(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A batch system in one file that detaches jobs and lists them: Generic with a job id and a query for all."""
    del request
    system = shlex.join([sys.executable, "-I", str(Path(__file__).parents[1] / "services" / "fake_batch.py")])
    spool = shlex.quote(str(tmp_path / "spool"))
    text = f"""
kind = 'Generic'
work_dir = '{tmp_path / "work"}'
submit = '{system} {spool} submit ~{{script}}'
monitor_all = '{system} {spool} list'
kill = '{system} {spool} kill ~{{job_ids}}'
job_id_regex = '^job (\\d+)$'
states = {{ pending = 'PENDING', running = 'RUNNING' }}
{_QUICK}
"""
    return Place(text, tmp_path)


def slurm(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A real Slurm, whose commands are here."""
    return _preset("slurm", tmp_path, request)


def sge(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A real Grid Engine, whose commands are here."""
    return _preset("sge", tmp_path, request)


def _preset(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    environment: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for variable, value in request.getfixturevalue(name).env.items():
        environment.setenv(variable, value)
    text = f"""
kind = 'Generic'
preset = '{name}'
work_dir = '{tmp_path / "work"}'
submit_rate = 1000
{_QUICK}
"""
    return Place(text, tmp_path, patience=60)


def slurm_ssh(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """The same Slurm from elsewhere: its commands are at the other end of a connection."""
    request.getfixturevalue("slurm")
    return _over_ssh(request, "paramiko", "preset = 'slurm'\nsubmit_rate = 1000")


def slurm_openssh(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """The same Slurm through the system's `ssh`."""
    request.getfixturevalue("slurm")
    return _over_ssh(request, "openssh", "preset = 'slurm'\nsubmit_rate = 1000")


def ssh_process(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Another machine with no batch system: the filled submit is the work there."""
    return _over_ssh(request, "paramiko", "submit = '~{command}'")


def _over_ssh(request: pytest.FixtureRequest, client: str, how: str) -> Place:
    server = request.getfixturevalue("sshd")
    lent = shared_directory(server.user)
    shared = lent.__enter__()
    request.addfinalizer(lambda: lent.__exit__(None, None, None))
    locale = f"kind = 'SSH', host = 'login.slurm.cluster', ssh_config = '{server.ssh_config}', client = '{client}'"
    text = f"""
kind = 'Generic'
{how}
work_dir = '{shared / "work"}'
locale = {{ {locale} }}
{_QUICK}
"""
    return Place(text, shared, patience=60)


def tes(profile: Profile) -> PlaceFixture:
    """Our TES server in the part of a known one, exchanging files through a directory."""

    def open_place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
        serving_place = serving(profile.but(schemes=None))
        server = serving_place.__enter__()
        request.addfinalizer(lambda: serving_place.__exit__(None, None, None))
        text = f"kind = 'TES'\nurl = '{server.url}'\nstorage = 'file://{tmp_path}/storage'\n{_QUICK}"
        return Place(text, tmp_path, image="any")

    return open_place


def docker(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Containers of a Docker engine on a socket of this machine."""
    return _containers(tmp_path, request, "docker_engine")


def docker_copying(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Containers that files are copied into and out of, as with an engine on another machine."""
    return _containers(tmp_path, request, "docker_engine", "files = 'copy'")


def podman(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Containers of Podman, behind its Docker-compatible socket."""
    return _containers(tmp_path, request, "podman")


def swarm(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Services of a Docker Swarm of one node."""
    return _containers(tmp_path, request, "swarm", "swarm = true")


def _containers(tmp_path: Path, request: pytest.FixtureRequest, engine: str, more: str = "") -> Place:
    host = request.getfixturevalue(engine).url
    remove_all(host)
    request.addfinalizer(lambda: remove_all(host))
    text = f"""
kind = 'Docker'
host = '{host}'
work_dir = '{tmp_path / "work"}'
mounts = ['{tmp_path}:{tmp_path}']
{more}
{_QUICK}
"""
    return Place(text, tmp_path, image="busybox:local", patience=60)


_QUICK = """
poll_interval = 0.05
sweep_interval = 0.2
grace = '1s'
kill_after = '1s'
cancel_timeout = '20s'
max_tasks = 50
keep_dirs = true
"""


PLACES: dict[str, PlaceFixture] = {
    "memory": memory,
    "local": local,
    "batch": batch,
    "slurm": slurm,
    "sge": sge,
    "slurm-ssh": slurm_ssh,
    "slurm-openssh": slurm_openssh,
    "ssh-process": ssh_process,
    "docker": docker,
    "docker-copying": docker_copying,
    "podman": podman,
    "swarm": swarm,
    **{f"tes-{name}": tes(profile) for name, profile in PROFILES.items()},
}
UNREAL = frozenset({"memory"})
"""Places that run no commands."""

_ANY_TES = ("plain-1.1",)
_TES_BY_LISTING = ("plain-1.1", "plain-1.0", "tesk", "poiesis")
"""One for each way in which the tasks of a run are found: by tag, by name, one by one, and on pages with holes."""
SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "test_the_exit_code_is_the_commands_own": _ANY_TES,
    "test_the_times_of_a_job_are_told": ("plain-1.1", "funnel", "poiesis"),
    "test_a_dry_run_shows_the_command": _ANY_TES,
    "test_a_dry_run_shows_no_value_of_a_variable": _ANY_TES,
    "test_many_tasks_all_give_their_own_result": _ANY_TES,
    "test_staged_content_and_outputs_make_the_round": ("plain-1.1", "funnel"),
    "test_the_log_of_a_task_that_failed_is_fetched_though_its_output_is_not_there": ("plain-1.1", "funnel"),
    "test_a_file_is_staged_by_its_url": _ANY_TES,
    "test_no_grandchild_survives_a_cancel": _ANY_TES,
    "test_a_task_is_held_to_its_time": _ANY_TES,
    "test_a_live_job_is_shown_and_nothing_of_it_is_cleaned_away": _TES_BY_LISTING,
    "test_what_an_ended_run_has_left_is_cleaned_away_and_told": _ANY_TES,
    "test_an_attempt_submitted_twice_runs_once": _TES_BY_LISTING,
    "test_a_killed_client_is_followed_by_one_that_runs_nothing_twice": _TES_BY_LISTING,
}
"""Facts that do not depend on what TES servers differ in: the servers that show them. All others show all the rest.

(That many tasks give their own results, and files make the round, integration tests show on every one.)
"""


def places_of(fact: str, *, real: bool) -> list[str]:
    """Where a fact is to be shown; `real` ones only where commands really run."""
    enough = [f"tes-{name}" for name in SHOWN_BY.get(fact, PROFILES)]
    return [
        name for name in PLACES if not (real and name in UNREAL) and (not name.startswith("tes-") or name in enough)
    ]

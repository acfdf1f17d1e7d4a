"""Answers of real engines: Docker 20.10.24, Podman 4.3.1."""

from __future__ import annotations

from typing import Any

import pytest

from crankshaft_core.backends.docker.facts import Facts, read_facts, uses_services
from crankshaft_core.backends.docker.frames import Mender, frames
from crankshaft_core.backends.docker.ran import from_container, host_path, nanoseconds, seconds
from crankshaft_core.backends.docker.refusals import exit_code_of, inits_words, plain_words
from crankshaft_core.errors import SubmitError
from tests.unit.docker.plans import config

NOT_FOUND = (
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
    'exec: "nosuch": executable file not found in $PATH: unknown'
)
LOG = (
    b"\x01\x00\x00\x00\x00\x00\x00\x04a\x00\xff\n"
    b"\x01\x00\x00\x00\x00\x00\x00\x01\n"
    b"\x02\x00\x00\x00\x00\x00\x00\x04err\n"
)
NOT_ALLOWED = (
    'runc: runc create failed: unable to start container process: exec: "/bin": permission denied: '
    "OCI permission denied"
)
NOT_THERE = (
    "runc: runc create failed: unable to start container process: "
    'exec: "/x/y": stat /x/y: no such file or directory: '
    "OCI runtime attempted to invoke a command that was not found"
)


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Id": "1e7b0ce4",
        "Name": "/a-1-0",
        "Created": "2026-11-22T15:22:27.1Z",
        "Config": {"Labels": {"crankshaft.run": "a"}, "WorkingDir": ""},
        "HostConfig": {"Memory": 20971520},
        "Mounts": [{"Type": "bind", "Source": "/srv/x", "Destination": "/out"}],
        "State": {
            "Status": "exited",
            "OOMKilled": False,
            "ExitCode": 137,
            "Error": "",
            "StartedAt": "2026-11-22T15:22:27.260183437Z",
            "FinishedAt": "2026-11-22T15:22:27.416073861Z",
            **state,
        },
    }


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_frames_are_put_together_whatever_the_pieces(size: int) -> None:
    pieces = [LOG[start : start + size] for start in range(0, len(LOG), size)]
    assert list(frames(pieces)) == [(1, b"a\x00\xff\n"), (1, b"\n"), (2, b"err\n")]


def test_a_frame_that_broke_off_is_dropped() -> None:
    assert list(frames([LOG[:-2]])) == [(1, b"a\x00\xff\n"), (1, b"\n")]


def test_an_ended_container() -> None:
    found = from_container(inspected(), "vm")
    assert (found.started, found.ended, found.code, found.limit) == (True, True, 137, 20971520)
    assert found.binds == (("/out", "/srv/x"),)


def test_a_container_that_was_never_started() -> None:
    found = from_container(inspected(Status="created", ExitCode=0), "vm")
    assert (found.started, found.ended, found.code) == (False, False, None)


def test_a_container_that_could_not_start() -> None:
    found = from_container(inspected(Status="created", ExitCode=127, Error=NOT_FOUND), "vm")
    assert (found.started, found.ended, found.code) == (True, True, 127)
    assert found.words == 'exec: "nosuch": executable file not found in $PATH'


def test_dockers_zero_time_is_no_time() -> None:
    assert seconds("0001-01-01T00:00:00Z") is None


def test_times_keep_their_nanoseconds() -> None:
    assert nanoseconds("2026-11-22T15:22:04.356798983Z") - nanoseconds("2026-11-22T15:22:04Z") == 356798983


def test_podmans_times_have_a_zone_and_no_fraction() -> None:
    assert nanoseconds("2026-11-22T16:25:02+01:00") == nanoseconds("2026-11-22T15:25:02Z")


def test_the_innermost_mount_holds_a_path() -> None:
    binds = (("/a", "/srv/a"), ("/a/b", "/srv/b"))
    assert str(host_path("/a/b/c", binds)) == "/srv/b/c"
    assert host_path("/elsewhere", binds) is None


@pytest.mark.parametrize(
    ("words", "plain", "code"),
    [
        (NOT_FOUND, 'exec: "nosuch": executable file not found in $PATH', 127),
        (NOT_ALLOWED, 'exec: "/bin": permission denied', 126),
        (NOT_THERE, 'exec: "/x/y": stat /x/y: no such file or directory', 127),
        ("No such image: nosuch:1", "No such image: nosuch:1", None),
    ],
)
def test_the_engines_words_are_made_plain(words: str, plain: str, code: int | None) -> None:
    assert (plain_words(words), exit_code_of(plain)) == (plain, code)


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (
            "[FATAL tini (7)] exec nosuch failed: No such file or directory\n",
            "exec nosuch failed: No such file or directory",
        ),
        (
            "ERROR (catatonit:2): failed to exec pid1: No such file or directory\n",
            "failed to exec pid1: No such file or directory",
        ),
        ("sh: nosuch: not found\n", ""),
    ],
)
def test_an_inits_complaint_is_told_from_a_commands(stderr: str, words: str) -> None:
    assert inits_words(stderr) == words


def facts(address: str = "unix:///run/docker.sock", files: str = "auto", **info: Any) -> Facts:
    return read_facts({"Name": "vm", **info}, {"Components": None}, address=address, files=files)


def test_rootless_engines_say_so_in_their_own_ways() -> None:
    assert facts(SecurityOptions=["name=seccomp,profile=default", "name=rootless"]).rootless
    assert facts(SecurityOptions=["name=seccomp,profile=default"], Rootless=True).rootless  # Podman 4.3
    assert not facts(SecurityOptions=["name=seccomp,profile=default"], Rootless=False).rootless


@pytest.mark.parametrize(
    ("address", "files", "binds"),
    [
        ("unix:///run/docker.sock", "auto", True),
        ("unix:///run/docker.sock", "copy", False),
        ("tcp://10.0.0.1:2375", "auto", False),
        ("ssh://far", "auto", False),
        ("tcp://10.0.0.1:2375", "mount", True),
    ],
)
def test_mounts_need_an_engine_on_this_machine(address: str, files: str, binds: bool) -> None:
    assert facts(address, files).binds is binds


MANAGER = {"NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": True}
WORKER = {"NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": False}
NEITHER = {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}


@pytest.mark.parametrize(
    ("swarm", "wanted", "services"),
    [(MANAGER, "auto", True), (NEITHER, "auto", False), (MANAGER, False, False), (WORKER, False, False)],
)
def test_a_manager_makes_services(swarm: dict[str, Any], wanted: object, services: bool) -> None:
    assert uses_services(facts(Swarm=swarm), config(swarm=wanted)) is services


def test_a_worker_is_refused_with_the_ways_out() -> None:
    with pytest.raises(SubmitError, match=r"only a worker.*set `host` to a manager.*swarm = false"):
        uses_services(facts(Swarm=WORKER), config())


def test_a_swarm_that_is_wanted_and_not_there_is_an_error() -> None:
    with pytest.raises(SubmitError, match="is in no Swarm"):
        uses_services(facts(Swarm=NEITHER), config(swarm=True))


def mended(*pieces: bytes) -> bytes:
    mender = Mender()
    return b"".join(mender.mend(piece) for piece in pieces)


def test_the_newline_of_a_long_line_is_given_back() -> None:
    assert mended(b"x" * 16384, b"xa", b"\n", b"b\n") == b"x" * 16384 + b"xa\n\nb\n"


def test_short_lines_are_left_alone() -> None:
    assert mended(b"a\n", b"\n", b"b") == b"a\n\nb"


def test_pieces_of_one_line_stay_together() -> None:
    assert mended(b"x" * 16384, b"x" * 16384, b"end") == b"x" * 32768 + b"end"

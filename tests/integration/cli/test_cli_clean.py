"""What finished runs left is removed, and told of; what lives or may live stays."""

import json
import os
import signal
import time

import pytest

OLD = 20 * 86400


@pytest.fixture
def finished(crankshaft):
    """What a run of a month ago left: its directory with what it has printed."""
    assert crankshaft.run("run", "-c", "echo said").returncode == 0
    (run,) = (path for path in crankshaft.cwd.glob(".crankshaft/*") if path.is_dir())
    age(run)
    return run


@pytest.fixture
def left(crankshaft, marker):
    """A task that runs on, its client killed; both look as if nothing had changed for long."""
    client = crankshaft.start("run", "--name", "long", "--env", f"M={marker.word}", "-c", "echo begun; sleep 300")
    assert client.stdout.readline() == b"begun\n"
    client.send_signal(signal.SIGKILL)
    client.wait()
    (run,) = (path for path in crankshaft.cwd.glob(".crankshaft/*") if path.is_dir())
    age(run)
    age(crankshaft.home / "state")
    return run.name


def age(directory):
    moment = time.time() - OLD
    for path in (directory, *directory.rglob("*")):
        os.utime(path, (moment, moment), follow_symlinks=False)


def journals(crankshaft):
    return [path.name for path in crankshaft.home.glob("state/crankshaft/runs/*")]


def test_what_is_old_goes_and_is_told(crankshaft, finished):
    done = crankshaft.run("clean")
    assert (done.returncode, finished.exists()) == (0, False)
    assert done.stdout.decode().splitlines()[1].split()[:3] == ["removed", "local", finished.name]
    assert done.stderr == b"crankshaft: removed 1 thing, 0.00 GiB\n"


def test_what_is_not_old_enough_stays_and_is_told_in_one_line(crankshaft, finished):
    done = crankshaft.run("clean", "--older-than", "30d")
    assert (done.stdout, finished.exists()) == (b"", True)
    assert f"left {finished.name}: changed within 30d" in done.stderr.decode()


def test_a_dry_run_removes_nothing_and_tells_the_same(crankshaft, finished):
    (found,) = (json.loads(line) for line in crankshaft.run("clean", "--dry-run", "--json").stdout.splitlines())
    assert (found["action"], found["run"], finished.exists()) == ("would remove", finished.name, True)


def test_what_lives_stays_with_its_journal(crankshaft, left):
    found = [json.loads(line) for line in crankshaft.run("clean", "--json").stdout.splitlines()]
    assert {item["action"] for item in found} == {"left"}
    assert all("has live jobs" in item["why"] for item in found)
    assert journals(crankshaft)


def test_what_has_been_ended_goes_with_its_journal(crankshaft, left):
    assert crankshaft.run("cancel", "--all").returncode == 0
    assert crankshaft.run("clean", "--run", left, "--older-than", "0s").returncode == 0
    assert journals(crankshaft) == []
    assert not (crankshaft.cwd / ".crankshaft" / left).exists()


def test_what_a_living_client_holds_stays_whatever_is_asked(crankshaft, marker):
    client = crankshaft.start("run", "--env", f"M={marker.word}", "-c", "echo begun; sleep 300")
    assert client.stdout.readline() == b"begun\n"
    found = [json.loads(line) for line in crankshaft.run("clean", "--json", "--older-than", "0s").stdout.splitlines()]
    assert {item["why"] for item in found} == {f"its client lives: process {client.pid} on {os.uname().nodename}"}


def test_a_backend_that_cannot_be_asked_is_said_and_nothing_of_it_removed(crankshaft, finished):
    crankshaft.config('[[backends]]\nname = "d"\nkind = "Docker"\nhost = "unix:///nowhere/docker.sock"\n')
    done = crankshaft.run("clean")
    assert (done.returncode, finished.exists()) == (1, False)
    assert b"crankshaft: d: " in done.stderr
    assert b"Nothing more of it was removed" in done.stderr


@pytest.mark.parametrize("words", [["--older-than", "14"], ["--backend", "nope"]])
def test_a_mistake_in_cleaning_is_one_line(crankshaft, words):
    done = crankshaft.run("clean", *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.fixture
def unknown(crankshaft, left):
    """The same task, its journal gone."""
    for path in crankshaft.home.glob("state/crankshaft/runs/*"):
        path.unlink()
    return left


def test_what_no_journal_tells_of_the_backend_does(crankshaft, unknown):
    assert crankshaft.run("jobs").stdout == b""
    (job,) = (json.loads(line) for line in crankshaft.run("jobs", "-b", "local", "--json").stdout.splitlines())
    assert (job["run"], job["name"], job["phase"], job["journal"]) == (unknown, "long", "running", None)


def test_what_no_journal_tells_of_is_ended_by_its_run(crankshaft, unknown, marker):
    done = crankshaft.run("cancel", "--backend", "local", "--run", unknown, "--json")
    assert [json.loads(line)["ended"] for line in done.stdout.splitlines()] == [True]
    assert marker.gone()


def test_what_no_journal_tells_of_is_not_ended_with_all_the_rest(crankshaft, unknown, marker):
    done = crankshaft.run("cancel", "--backend", "local", "--all")
    assert done.stderr == b"crankshaft: nothing is running or waiting\n"
    assert marker.pids()

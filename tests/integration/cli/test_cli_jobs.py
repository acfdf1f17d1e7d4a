"""Tasks whose client was killed, or is another process, are listed, read and ended."""

import json
import signal

import pytest


@pytest.fixture
def left(crankshaft, marker):
    """A task that runs on, its client killed."""
    return _started(crankshaft, marker, "echo begun; sleep 300", kill=True)


def _started(crankshaft, marker, command, *, kill):
    client = crankshaft.start("run", "--name", "long", "--env", f"M={marker.word}", "-c", command)
    assert client.stdout.readline() == b"begun\n"
    if kill:
        client.send_signal(signal.SIGKILL)
        client.wait()
    return client


def _jobs(crankshaft, *options):
    return [json.loads(line) for line in crankshaft.run("jobs", "--json", *options).stdout.splitlines()]


def test_a_task_whose_client_was_killed_is_listed_as_it_stands(crankshaft, left):
    (job,) = _jobs(crankshaft)
    assert (job["name"], job["backend"], job["phase"], job["client"]) == ("long", "local", "running", None)


def test_the_table_says_that_the_client_is_gone(crankshaft, left):
    headings, row = crankshaft.run("jobs").stdout.decode().splitlines()
    assert headings.split() == ["ID", "NAME", "BACKEND", "JOB", "STATE", "SINCE", "CLIENT"]
    assert row.endswith("gone")
    assert " running on " in row


def test_without_asking_it_is_what_the_journal_says(crankshaft, left):
    (job,) = _jobs(crankshaft, "--offline")
    assert (job["stage"], job["phase"]) == ("submitted", None)


def test_what_it_has_written_is_shown(crankshaft, left):
    assert crankshaft.run("logs", "long").stdout == b"begun\n"


def test_what_it_has_written_is_shown_as_json(crankshaft, left):
    said = crankshaft.run("logs", "long", "--json").stdout
    assert [json.loads(line) for line in said.splitlines()] == [{"stream": "stdout", "text": "begun\n"}]


def test_what_it_goes_on_to_write_is_followed_to_the_end(crankshaft, marker, tmp_path):
    _started(crankshaft, marker, f"echo begun; until test -e {tmp_path}/go; do sleep 0.1; done; echo ended", kill=True)
    reader = crankshaft.start("logs", "--follow", "long")
    assert reader.stdout.readline() == b"begun\n"
    (tmp_path / "go").touch()
    said, _ = reader.communicate(timeout=60)
    assert (said, reader.returncode) == (b"ended\n", 0)


def test_it_is_ended_and_not_listed_any_more(crankshaft, left, marker):
    done = crankshaft.run("cancel", "long")
    assert done.returncode == 0
    assert b"cancelled 1 of 1 tasks" in done.stderr
    assert marker.gone()
    assert _jobs(crankshaft) == []


def test_a_living_client_is_named_and_told_by_its_backend(crankshaft, marker):
    client = _started(crankshaft, marker, "echo begun; sleep 300", kill=False)
    (job,) = _jobs(crankshaft)
    assert job["client"].startswith(f"process {client.pid} on ")
    assert crankshaft.run("cancel", "--run", job["run"]).returncode == 0
    _, said = client.communicate(timeout=60)
    assert client.returncode == 125
    assert b"cancelled" in said
    assert marker.gone()


def test_nothing_to_cancel_is_said(crankshaft):
    done = crankshaft.run("cancel", "--all")
    assert (done.returncode, done.stderr) == (0, b"crankshaft: nothing is running or waiting\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel"], "say what to cancel: ID..., or --run RUN, or --all"),
        (["cancel", "--all", "--run", "x"], "say what to cancel: ID..., or --run RUN, or --all"),
        (["cancel", "--run", "nope"], "no run 'nope' in any journal here; `crankshaft jobs --all` lists what there is"),
        (["logs", "nope"], "no task 'nope' in any journal here; `crankshaft jobs --all` lists what there is"),
        (["jobs", "--journal", "nope.db"], "--journal nope.db: there is no such file"),
    ],
)
def test_a_mistake_is_one_line(crankshaft, words, said):
    done = crankshaft.run(*words)
    assert (done.returncode, done.stderr.decode()) == (2, f"crankshaft: {said}\n")


def test_a_backend_that_is_not_configured_any_more_is_said(crankshaft, left):
    journal = _jobs(crankshaft)[0]["journal"]
    crankshaft.config(
        '[[backends]]\nname = "local"\nkind = "Docker"\nhost = "unix:///nowhere/docker.sock"\nimage = "x"\n'
    )
    done = crankshaft.run("jobs", "--journal", journal)
    assert b"crankshaft: local: " in done.stderr
    assert b"submitted" in done.stdout
    (crankshaft.cwd / "Crankshaft.toml").unlink()

"""States and logs as servers tell them, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.tes.outcome import job_state, outcome_of, presumed_outcome
from crankshaft_core.task import Verdict

# Captured from Funnel (commit b427ea1) with `view=FULL`, shortened to what tells.
FUNNEL_FAILED: dict[str, Any] = {
    "id": "dc1gsu1ksduf6fsrrcrg",
    "state": "EXECUTOR_ERROR",
    "name": "cfun_cfun-2-1_two-fail",
    "inputs": [],
    "outputs": [],
    "resources": None,
    "executors": [
        {"image": "busybox:local", "command": ["/bin/sh", "-c", "echo one"], "workdir": "", "env": {}},
        {"image": "busybox:local", "command": ["sh", "-c", "exit 3"], "workdir": "", "env": {}},
    ],
    "logs": [
        {
            "logs": [
                {
                    "start_time": "2026-11-22T15:47:04.192316451Z",
                    "end_time": "2026-11-22T15:47:04.631802Z",
                    "stdout": "one\n",
                    "stderr": "",
                    "exit_code": 0,
                },
                {"start_time": "2026-11-22T15:47:04.64Z", "end_time": "", "stdout": "", "stderr": "", "exit_code": 3},
            ],
            "metadata": {"hostname": "vm"},
            "start_time": "2026-11-22T15:47:04.192316451Z",
            "end_time": "2026-11-22T15:47:05.028932Z",
            "outputs": [],
            "system_logs": [
                "level='info' msg='Version' timestamp='2026-11-22T15:47:04.189903908Z' task_attempt='0'",
                "level='error' msg='Exec error' timestamp='2026-11-22T15:47:05.02Z' error='exit status 3'",
            ],
        }
    ],
    "creation_time": "2026-11-22T15:47:04.183727Z",
}

# Captured from the same Funnel: a command that failed, and an output that is therefore not there to be kept.
FUNNEL_NO_OUTPUT: dict[str, Any] = {
    "state": "SYSTEM_ERROR",
    "executors": [{"image": "busybox:local", "command": ["/bin/sh", "-c", "exit 4"], "workdir": "", "env": {}}],
    "logs": [
        {
            "logs": [{"exit_code": 4, "stderr": "", "stdout": ""}],
            "metadata": {"hostname": "vm"},
            "outputs": [],
            "system_logs": [
                "level='error' msg='failed to run docker container' executor_index='0' unknown='exit status 4'",
                "level='info' msg='upload started' executor_index='0' url='file:///storage/d/never'",
                "level='error' msg='System error' error='stat /funnel/d/never: no such file or directory'",
            ],
        }
    ],
}


def ended(state: str, *logs: dict[str, Any], executors: int = 1) -> dict[str, Any]:
    return {"state": state, "executors": [{}] * executors, "logs": list(logs)}


def log(*codes: int | None, **given: Any) -> dict[str, Any]:
    return {"logs": [{} if code is None else {"exit_code": code} for code in codes], "outputs": [], **given}


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("QUEUED", Phase.QUEUED),
        ("INITIALIZING", Phase.QUEUED),
        ("RUNNING", Phase.RUNNING),
        ("PAUSED", Phase.RUNNING),
        ("CANCELING", Phase.RUNNING),
        ("UNKNOWN", Phase.RUNNING),
        ("", Phase.RUNNING),
        ("SOMETHING_NEW", Phase.RUNNING),
        ("COMPLETE", Phase.ENDED),
        ("EXECUTOR_ERROR", Phase.ENDED),
        ("SYSTEM_ERROR", Phase.ENDED),
        ("CANCELED", Phase.ENDED),
        ("PREEMPTED", Phase.ENDED),
    ],
)
def test_phases(state: str, phase: Phase) -> None:
    assert job_state(state).phase is phase


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("COMPLETE", Verdict.OK),
        ("EXECUTOR_ERROR", Verdict.FAILED),
        ("SYSTEM_ERROR", Verdict.NODE_FAILURE),
        ("CANCELED", Verdict.CANCELLED),
        ("PREEMPTED", Verdict.PREEMPTED),
    ],
)
def test_verdicts(state: str, verdict: Verdict) -> None:
    assert outcome_of(ended(state, log(1 if state == "EXECUTOR_ERROR" else 0))).verdict is verdict


def test_complete_means_0_for_every_executor_whatever_the_log_lacks() -> None:
    assert outcome_of(ended("COMPLETE", executors=3)).exit_codes == (0, 0, 0)


def test_complete_needs_no_executors_in_the_answer_if_their_number_is_known() -> None:
    assert outcome_of({"state": "COMPLETE"}, expected=2).exit_codes == (0, 0)


def test_codes_after_the_first_failure_are_of_executors_that_never_ran() -> None:
    assert outcome_of(ended("EXECUTOR_ERROR", log(0, 7, 0, 0), executors=4)).exit_codes == (0, 7)


def test_a_code_of_0_beside_a_system_error_is_no_exit_code() -> None:
    assert outcome_of(ended("SYSTEM_ERROR", log(0))).exit_codes == ()


def test_of_several_logs_the_last_one_counts() -> None:
    assert outcome_of(ended("COMPLETE", log(3), log(0))).exit_codes == (0,)


def test_the_systems_words_are_kept() -> None:
    outcome = outcome_of(ended("SYSTEM_ERROR", log(system_logs=["disk is full", "", "on node-7"])))
    assert outcome.detail == "SYSTEM_ERROR: disk is full; on node-7"


@pytest.mark.parametrize("words", ["OOMKilled", "container was oom-killed", "Out of memory: killed process 7"])
def test_out_of_memory_is_told_from_the_systems_words(words: str) -> None:
    assert outcome_of(ended("EXECUTOR_ERROR", log(137, system_logs=[words]))).verdict is Verdict.OUT_OF_MEMORY


def test_a_room_is_no_oom() -> None:
    assert outcome_of(ended("EXECUTOR_ERROR", log(1, system_logs=["no room left"]))).verdict is Verdict.FAILED


def test_what_a_real_funnel_says() -> None:
    outcome = outcome_of(FUNNEL_FAILED)
    assert (outcome.verdict, outcome.exit_codes, outcome.detail) == (Verdict.FAILED, (0, 3), "")
    assert (outcome.stdout_tail, outcome.stderr_tail, outcome.node) == ("one\n", "", "vm")
    assert outcome.queued is not None
    assert outcome.started is not None
    assert outcome.ended is not None
    assert outcome.queued < outcome.started < outcome.ended


def test_a_command_that_failed_and_left_out_an_output_has_failed() -> None:
    outcome = outcome_of(FUNNEL_NO_OUTPUT)
    assert (outcome.verdict, outcome.exit_codes, outcome.detail) == (Verdict.FAILED, (4,), "")


def test_where_no_command_failed_the_system_error_is_one() -> None:
    run = {**FUNNEL_NO_OUTPUT["logs"][0], "logs": [{"exit_code": 0}]}
    outcome = outcome_of({**FUNNEL_NO_OUTPUT, "logs": [run]})
    assert outcome.verdict is Verdict.NODE_FAILURE
    assert "stat /funnel/d/never: no such file or directory" in outcome.detail


@pytest.mark.parametrize(("code", "verdict"), [(128, "FAILED"), (137, "NODE_FAILURE"), (255, "FAILED")])
def test_a_command_ended_by_a_signal_beside_a_system_error_may_have_lost_its_machine(code: int, verdict: str) -> None:
    assert outcome_of(ended("SYSTEM_ERROR", log(0, code))).verdict is Verdict[verdict]


def test_funnels_chatter_is_left_out() -> None:
    outcome = outcome_of({**FUNNEL_FAILED, "state": "SYSTEM_ERROR", "logs": [{**FUNNEL_FAILED["logs"][0], "logs": []}]})
    assert outcome.detail == "SYSTEM_ERROR: 'Exec error' error='exit status 3'"


@pytest.mark.parametrize(
    "text",
    [
        "2020-10-02T10:00:00Z",
        "2020-10-02 10:00:00+00:00",
        "2020-10-02T12:00:00.000000000+02:00",
        "2020-10-02T10:00:00+0000",
    ],
)
def test_times_in_every_spelling(text: str) -> None:
    assert outcome_of({"state": "COMPLETE", "creation_time": text}).queued == 1601632800.0


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00Z", "yesterday", None, 7])
def test_what_is_no_time_is_none(text: object) -> None:
    assert outcome_of({"state": "COMPLETE", "creation_time": text}).queued is None


@pytest.mark.parametrize("logs", [None, [], [None], [{"logs": None}], [{"logs": [None]}], "no", [{"metadata": None}]])
def test_nulls_and_nonsense_in_logs_are_borne(logs: object) -> None:
    assert outcome_of({"state": "COMPLETE", "executors": [{}], "logs": logs}).exit_codes == (0,)


def test_a_log_as_long_as_the_servers_limit_is_marked_as_cut() -> None:
    outcome = outcome_of(ended("COMPLETE", {"logs": [{"stdout": "x" * 10_000}]}))
    assert outcome.stdout_tail.startswith("[the server kept only the end of this]\n")


def test_the_state_alone_tells_that_a_complete_task_exited_with_0() -> None:
    assert presumed_outcome("COMPLETE", executors=1).exit_codes == (0,)

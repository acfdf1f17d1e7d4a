"""How the question for a place is put, and its answers, as Slurm 22.05 and Grid Engine 8.1.9 gave them."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.generic.frames import Answer
from crankshaft_core.backends.generic.trial import placement, trial_command
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.errors import SubmitError


def config(text: str) -> GenericConfig:
    found = Config.parse(f"[[backends]]\nname = 'b'\n{text}").backends["b"]
    assert isinstance(found, GenericConfig)
    return found


SLURM = "preset = 'slurm'\nqueue = 'short'\ndefaults = { cpu = 3, ram = 4 }"


def test_slurm_is_asked_with_the_backends_own_arguments_and_defaults() -> None:
    command = trial_command(config(SLURM))
    assert command is not None
    assert command.startswith("sbatch --test-only --parsable ")
    assert "--cpus-per-task=3 --mem=4096M --partition=short" in command
    assert command.endswith(" /dev/stdin")


def test_grid_engine_is_asked_as_well() -> None:
    command = trial_command(config("preset = 'sge'"))
    assert command is not None
    assert command.startswith("qsub -w v -terse ")


@pytest.mark.parametrize("preset", ["pbs", "lsf", "htcondor", "local"])
def test_others_have_no_such_question(preset: str) -> None:
    assert trial_command(config(f"preset = '{preset}'")) is None


def test_defaults_that_fit_no_queue_are_told() -> None:
    with pytest.raises(SubmitError, match="fits none of the queues"):
        trial_command(config("preset = 'slurm'\nqueues = [{ name = 'q', max_cpu = 1 }]\ndefaults = { cpu = 2 }"))


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        (
            SLURM,
            "sbatch: Job 17 to start at 2026-11-22T22:36:21 using 1 processors on nodes c1 in partition short\n",
            (True, "2026-11-22T22:36:21 using 1 processors on nodes c1 in partition short"),
        ),
        (
            SLURM,
            "sbatch: error: invalid partition: nope\nallocation failure: Invalid partition name specified\n",
            (False, "sbatch: error: invalid partition: nope; allocation failure: Invalid partition name specified"),
        ),
        (
            "preset = 'sge'",
            "Unable to run job: no script in your request\nverification: found possible assignment with 2 slots\n",
            (True, "found possible assignment with 2 slots"),
        ),
        (
            "preset = 'sge'",
            'Unable to run job: Job was rejected because job requests unknown queue "nope"\nExiting.\n',
            (False, 'Unable to run job: Job was rejected because job requests unknown queue "nope"'),
        ),
    ],
)
def test_the_answer_is_told_in_the_schedulers_words(text: str, answer: str, expected: tuple[bool, str]) -> None:
    assert placement(config(text), Answer(1, answer, "")) == expected

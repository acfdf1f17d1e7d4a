"""Sizes and durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from crankshaft_core.task import Execution, Input, Resources, Task


@pytest.mark.parametrize(
    ("written", "gib"),
    [
        (8, 8),
        (1.5, 1.5),
        ("8", 8),
        ("8GiB", 8),
        ("8G", 8),
        ("512MiB", 0.5),
        ("512m", 0.5),
        ("1 TiB", 1024),
        (".5g", 0.5),
    ],
)
def test_a_size_is_gib(written: object, gib: float) -> None:
    assert Resources(ram=written).ram == gib  # type: ignore[arg-type]


def test_gb_is_a_power_of_ten() -> None:
    assert Resources(ram="4GB").ram == pytest.approx(4e9 / 2**30)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90m", 5400),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1 d", 86400),
        ("45s", 45),
        ("1.5h", 5400),
        ("01:30:00", 5400),
        ("1-02:00", 93600),
        ("2-00:00:01", 172801),
        (timedelta(minutes=3), 180),
    ],
)
def test_a_duration_is_seconds(written: object, seconds: float) -> None:
    assert Resources(time=written).time == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize("bare", [90, 90.0, "90"])
def test_a_bare_duration_is_refused_with_both_readings(bare: object) -> None:
    with pytest.raises(ValidationError, match=r"'90(\.0)?m' for minutes or '90(\.0)?s' for seconds"):
        Resources(time=bare)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["soon", "5 parsecs", "1h later", "", "12:30"])
def test_what_is_no_duration_is_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        Resources(time=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["lots", "8 EB!", "-1", "0"])
def test_what_is_no_size_is_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        Resources(ram=bad)  # type: ignore[arg-type]


def test_own_values_lie_over_defaults_field_by_field() -> None:
    own = Resources(cpu=4).over(Resources(cpu=1, ram=8))
    assert (own.cpu, own.ram) == (4, 8)


def test_an_execution_has_a_program_or_a_command() -> None:
    with pytest.raises(ValidationError, match="either a program"):
        Execution(program="a", command="b")


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        Execution(program="a", args=("b\0c",))


def test_a_task_has_an_execution() -> None:
    with pytest.raises(ValidationError):
        Task(executions=())


def test_an_input_has_one_source() -> None:
    with pytest.raises(ValidationError, match="either a url or content"):
        Input(path="a", url="file:///x", content="y")

from crankshaft_core.cli.failure import failure_screen
from crankshaft_core.errors import OutOfMemoryError, SubmitError
from crankshaft_core.task import Execution, Task, TaskResult, Verdict

TASK = Task(executions=(Execution(program="two words"),))
RESULT = TaskResult(
    "align",
    "hpc",
    "r-1-1",
    Verdict.FAILED,
    (3,),
    job_id="48213",
    detail="said so",
    node="c07",
    started=1.0,
    ended=3.5,
    stderr_tail="".join(f"line {n}\n" for n in range(100)),
)


def test_the_screen_names_what_where_and_how():
    screen = "\n".join(failure_screen(RESULT, TASK, with_stderr=False))
    for words in ("align: failed, exit code 3", "hpc", "48213", "c07", "said so", "2.5 s"):
        assert words in screen


def test_the_tail_of_stderr_is_there_when_it_was_not_shown():
    assert failure_screen(RESULT, TASK, with_stderr=True)[-1] == "  | line 99"
    assert "line 99" not in "\n".join(failure_screen(RESULT, TASK, with_stderr=False))


def test_the_screen_is_one_screen():
    assert len(failure_screen(RESULT, TASK, with_stderr=True)) <= 24


def test_an_error_tells_in_its_own_words_and_where_it_was():
    result = TaskResult("align", "hpc", "r-1-1", Verdict.OUT_OF_MEMORY, (137,), job_id="48213", node="c07")
    screen = failure_screen(OutOfMemoryError("too much memory", result=result), TASK, with_stderr=True)
    assert screen[0] == "too much memory"
    assert "  verdict  out of memory, exit code 137" in screen


def test_an_error_before_there_was_a_job_is_its_message_alone():
    assert failure_screen(SubmitError("hpc: no such queue"), TASK, with_stderr=True) == ["hpc: no such queue"]


def test_a_program_that_is_not_there_is_named_with_the_likely_cause():
    result = TaskResult("x", "local", "r-1-1", Verdict.FAILED, (127,))
    assert failure_screen(result, TASK, with_stderr=False)[-1] == (
        "  hint     there is no program 'two words'; for a shell line use -c 'TEXT'"
    )


def test_a_program_that_cannot_be_executed_is_named():
    result = TaskResult("x", "local", "r-1-1", Verdict.FAILED, (126,))
    assert "'two words' is there, and cannot be executed" in failure_screen(result, TASK, with_stderr=False)[-1]

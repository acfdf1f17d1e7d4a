"""What a rule asks for, as the very sbatch command it becomes."""

import shlex

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config
from crankshaft_core.task import Execution, Task
from snakemake_executor_crankshaft.place import place_of
from snakemake_executor_crankshaft.resources import Wish, translate

HPC = """
    [[backends]]
    name = "hpc"
    kind = "Generic"
    preset = "slurm"
    account = "site"
    extra_args = "--mail-type=NONE"
"""


def sbatch(threads: int = 1, **resources: object) -> list[str]:
    """The words of the sbatch command."""
    backend = Config.parse(HPC).choose("hpc")
    request = translate(Wish(resources, threads), place_of(backend))
    task = Task(
        name="align",
        executions=(Execution(program="true"),),
        resources=request.resources,
        attributes=request.attributes,
    )
    overlaid = task.over(backend.defaults, {"account": "site"})
    script = open_backend(backend, run_id="r").script(Attempt(id="r-1-1", run="r", number=1, task=overlaid))
    (line,) = [line for line in script.splitlines() if "sbatch --parsable" in line]
    return shlex.split(line)


def test_cores_memory_and_time() -> None:
    words = sbatch(threads=4, mem_mb=8000, runtime=90)
    assert {"--cpus-per-task=4", "--mem=8000M", "--time=90"} <= set(words)


def test_a_rule_without_memory_sends_no_memory_flag() -> None:
    assert not any(word.startswith("--mem") and not word.startswith("--mail") for word in sbatch())


def test_partition_account_qos_constraint_and_gpu() -> None:
    words = sbatch(slurm_partition="short", slurm_account="bio", qos="long", constraint="a&b", gres="x:1", gpu=2)
    wanted = {
        "--partition=short", "--account=bio", "--qos=long", "--constraint=a&b", "--gres=x:1", "--gpus-per-task=2",
    }  # fmt: skip
    assert wanted <= set(words)


def test_the_sites_account_holds_where_a_rule_names_none() -> None:
    assert "--account=site" in sbatch()


def test_extra_flags_come_after_those_of_the_configuration() -> None:
    words = sbatch(slurm_extra="--nice=100 --comment='a b'")
    assert words.index("--mail-type=NONE") < words.index("--nice=100")
    assert "--comment=a b" in words

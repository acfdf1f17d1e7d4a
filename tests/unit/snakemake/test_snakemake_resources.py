"""A rule's resources, as each backend understands them."""

import pytest

from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Resources
from snakemake_executor_crankshaft.place import place_of
from snakemake_executor_crankshaft.resources import Place, Request, Wish, translate

SLURM = Place("hpc", frozenset({"queue", "account", "qos", "constraint", "nodes", "tasks", "extra_args"}), "slurm")
LSF = Place("lsf", frozenset({"queue", "account", "extra_args"}), "lsf")
HERE = Place("local")


def ask(place: Place = SLURM, /, threads: int = 1, **values: object) -> Request:
    return translate(Wish(values, threads=threads), place)


def refused(place: Place = SLURM, /, **values: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        ask(place, **values)
    return caught.value.problems


def test_threads_are_cores() -> None:
    assert ask(threads=4).resources.cpu == 4


def test_a_job_without_threads_asks_for_one_core() -> None:
    assert ask(threads=0).resources.cpu == 1


def test_mem_mb_is_mebibytes() -> None:
    assert ask(mem_mb=8192).resources.ram == 8


def test_disk_mb_is_mebibytes() -> None:
    assert ask(disk_mb=512).resources.disk == 0.5


def test_runtime_is_minutes() -> None:
    assert ask(runtime=90).resources.time == 5400


def test_gpus_are_counted() -> None:
    assert ask(gpu=2).resources.gpu == 2


def test_what_is_not_given_is_left_to_the_backend() -> None:
    assert ask().resources == Resources(cpu=1)


def test_memory_by_core_is_multiplied() -> None:
    assert ask(threads=4, mem_mb_per_cpu=2048, mem_mb=1000).resources.ram == 8


def test_cpus_per_task_are_cores() -> None:
    assert ask(threads=1, cpus_per_task=6).resources.cpu == 6


def test_what_cannot_be_known_yet_is_not_asked_for() -> None:
    assert ask(mem_mb="<TBD>", tmpdir="<TBD>").resources.ram is None


def test_a_guess_yields_to_the_backends_default() -> None:
    place = Place("hpc", defaults=Resources(ram=8))
    wish = Wish({"mem_mb": 1000, "disk_mb": 1000}, guesses=frozenset({"mem_mb", "disk_mb"}))
    assert translate(wish, place).resources == Resources(cpu=1, disk=1000 / 1024)


def test_a_request_wins_over_the_backends_default() -> None:
    assert ask(Place("hpc", defaults=Resources(ram=8)), mem_mb=1024).resources.ram == 1


def test_preemptible_rules_may_be_preempted() -> None:
    assert translate(Wish({}, preemptible=True), HERE).resources.preemptible is True


def test_partition_and_account_are_queue_and_account() -> None:
    assert ask(slurm_partition="short", slurm_account="bio").attributes == {"queue": "short", "account": "bio"}


def test_a_system_reads_its_own_words_first() -> None:
    both = {"slurm_partition": "cpu", "lsf_queue": "normal"}
    assert ask(SLURM, **both).attributes == {"queue": "cpu"}
    assert ask(LSF, **both).attributes == {"queue": "normal"}


def test_the_words_of_another_system_do_where_there_are_no_others() -> None:
    assert ask(LSF, slurm_partition="cpu").attributes == {"queue": "cpu"}


def test_a_partition_means_nothing_where_there_is_no_queue() -> None:
    request = ask(HERE, slurm_partition="short")
    assert request.attributes == {}
    assert request.unused == ("slurm_partition=short",)


def test_a_counter_called_queue_stays_a_counter() -> None:
    assert ask(SLURM, queue=1).attributes == {}


@pytest.mark.parametrize(
    ("resource", "value"),
    [
        ("constraint", "haswell"),
        ("qos", "long"),
        ("gres", "gpu:a100:2"),
        ("clusters", "east"),
        ("nodes", 2),
        ("tasks", 8),
        ("mpi", "mpiexec"),
        ("reservation", "friday"),
        ("gpu_model", "a100"),
        ("slurm_extra", "--nice=100"),
    ],
)
def test_what_changes_the_job_is_refused_where_it_cannot_be_had(resource: str, value: object) -> None:
    (problem,) = refused(HERE, **{resource: value})
    assert problem.startswith(f"{resource}={value}: backend 'local'")


def test_what_the_templates_take_is_passed_on() -> None:
    request = ask(SLURM, constraint="haswell", qos="long", nodes=2, tasks=8)
    assert request.attributes == {"constraint": "haswell", "qos": "long", "nodes": "2", "tasks": "8"}


@pytest.mark.parametrize(("resource", "value"), [("nodes", 1), ("tasks", 1), ("mpi", False), ("qos", "")])
def test_what_every_job_gets_is_not_refused(resource: str, value: object) -> None:
    assert ask(HERE, **{resource: value}).attributes == {}


def test_mpi_needs_tasks() -> None:
    assert ask(SLURM, mpi="mpiexec", tasks=4).attributes["tasks"] == "4"


def test_the_flags_of_another_system_are_refused() -> None:
    assert refused(LSF, slurm_extra="--nice=1") == ("slurm_extra=--nice=1: backend 'lsf' is not slurm",)


def test_a_systems_own_flags_are_passed_on() -> None:
    assert ask(SLURM, slurm_extra="--nice=1").attributes == {"extra_args": "--nice=1"}


def test_a_refusal_names_what_may_be_done() -> None:
    (problem,) = refused(LSF, qos="long")
    assert problem == (
        "qos=long: backend 'lsf' has no use for 'qos' (it takes: account, extra_args, queue); "
        "put ~{qos} into its submit template, choose another backend, or take the resource out"
    )


def test_all_problems_are_told_at_once() -> None:
    assert len(refused(HERE, qos="long", gres="gpu:1", gpu="a100:2")) == 3


def test_a_number_is_a_whole_number() -> None:
    assert refused(gpu="a100:2") == ("gpu=a100:2: a whole number is needed",)


def test_limits_of_the_workflow_are_snakemakes_business() -> None:
    assert ask(HERE, io=5, licenses="x", _cores=4, _nodes=1) == ask(HERE)


def configured(submit: str) -> Place:
    attributes = {"qos": "normal"}
    return place_of(GenericConfig(name="b", submit=submit, attributes=attributes, defaults=Resources(ram=2)))


def test_a_backend_takes_what_its_submit_template_and_its_attributes_name() -> None:
    place = configured("/opt/bin/sbatch ~{queue?-p ~{queue}} -C ~{constraint} ~{cpu} ~{script}")
    assert place.takes == {"queue", "constraint", "qos"}


def test_the_submit_command_tells_the_system() -> None:
    assert configured("/opt/bin/sbatch ~{script}").dialect == "slurm"
    assert configured("bsub < ~{script}").dialect == "lsf"
    assert configured("./submit ~{script}").dialect is None


def test_a_backends_defaults_are_known() -> None:
    assert configured("sbatch ~{script}").defaults.ram == 2

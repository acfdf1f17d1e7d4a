"""The configurations that people copy load as they are."""

import pytest

from crankshaft_core.config import Config, GenericConfig, memory_mistake
from crankshaft_core.task import Resources

SEED = r"""
[[backends]]
  name = "hpc_cluster_slurm"
  kind = "Generic"
  max_tasks = 100
  defaults = { cpu = 2.0, ram = 8.0 }
  submit = "sbatch --cpus-per-task=~{cpu} --mem=~{ram_mb}M --output=~{cwd}/slurm-%j.out --wrap='~{command}'"
  monitor = "squeue -h -j ~{job_id} -o %T" # Exit 0 if running/pending
  kill = "scancel ~{job_id}"
  job_id_regex = "Submitted batch job (\\d+)"
  [backends.locale]
    kind = "SSH"
    host = "login.slurm.cluster"
"""

UPSTREAM = """
[[backends]]
name = "quux"
kind = "Generic"
submit = "foo bar"
monitor = "foo bar"
kill = "foo bar"
max-tasks = 10
defaults = { cpu = 1, ram = 1 }
monitor-frequency = 5
job-id-regex = 'Job <(\\d+)>.*'
shell = "bash"
max-attempts = 4
attributes = { foo = "bar" }

[backends.locale]
kind = "SSH"
host = "localhost"
port = 2222
username = "me"

[[backends]]
name = "docker"
kind = "Docker"
max-tasks = 10

[[backends]]
name = "cloud_tes_prod"
kind = "TES"
url = "https://tes.example.org/v1"
interval = 10
max-tasks = 200
[backends.http]
auth = { type = "basic", username = "me", password = "hunter2" }
retries = 3
max-concurrency = 4
"""


def seed() -> GenericConfig:
    backend = Config.parse(SEED).backends["hpc_cluster_slurm"]
    assert isinstance(backend, GenericConfig)
    return backend


def test_the_seed_loads_without_a_warning():
    assert Config.parse(SEED).warnings == ()


def test_the_seeds_defaults_are_read():
    assert seed().defaults == Resources(cpu=2, ram=8)


def test_the_seeds_locale_is_read():
    assert (seed().locale.kind, seed().locale.host) == ("SSH", "login.slurm.cluster")


def test_the_seeds_regex_is_read():
    assert seed().job_id_regex == r"Submitted batch job (\d+)"


def test_the_published_seed_loads_as_written_with_a_warning_that_shows_the_fix():
    config = Config.parse(SEED.replace("~{ram_mb}M", "~{ram_mb}G"), source="Crankshaft.toml")
    assert config.backends["hpc_cluster_slurm"].submit == seed().submit.replace("}M", "}G")
    [warning] = config.warnings
    assert warning == (
        "Crankshaft.toml:7: backends.hpc_cluster_slurm.submit: ~{ram_mb}G asks for far too much memory: "
        "~{ram_mb} is MiB, so 8 GiB becomes 8192G; write --mem=~{ram_mb}M"
    )


@pytest.mark.parametrize(
    "template", ["--mem=~{ram_mb}M", "--mem ~{ram_mb}", "~{ram}G", "~{ram_mb}Gibberish", "mem=~{ram_mb}mb"]
)
def test_other_units_are_no_mistake(template: str):
    assert memory_mistake(template) is None


@pytest.mark.parametrize(
    "template", ["--mem=~{ram_mb}G", "mem=~{ram_mb_per_cpu}g,x", "-l mem=~{ram_mb}GB", "~{ram_mb}TiB"]
)
def test_ram_mb_in_gigabytes_is_a_mistake(template: str):
    assert memory_mistake(template) is not None


def test_a_spot_of_everything_from_upstream_loads():
    assert set(Config.parse(UPSTREAM).backends) == {"quux", "docker", "cloud_tes_prod", "local"}


def test_bare_numbers_of_upstreams_intervals_are_seconds():
    backends = Config.parse(UPSTREAM).backends
    assert (backends["quux"].poll_interval, backends["cloud_tes_prod"].poll_interval) == (5, 10)


def test_preemptible_and_nested_http_load():
    config = Config.parse(
        SEED.replace("ram = 8.0", "ram = 8.0, preemptible = true")
        + '[[backends]]\nname = "t"\nkind = "TES"\nurl = "https://t"\n[backends.http]\nbasic_auth_token = "x"\n'
    )
    assert config.backends["hpc_cluster_slurm"].defaults.preemptible is True


def test_monitor_without_job_id_regex_is_warned_of():
    [warning] = Config.parse('[[backends]]\nname = "a"\nkind = "Generic"\nsubmit = "x"\nmonitor = "y"').warnings
    assert warning.endswith("is not used: without job_id_regex the submit command is the work itself")

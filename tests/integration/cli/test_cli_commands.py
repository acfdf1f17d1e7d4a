import json
import os
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest

HPC = """\
default = "hpc"
[[backends]]
  name = "hpc"
  kind = "Generic"
  max_tasks = 7
  submit = "qsub ~{script}"
  monitor = "qstat ~{job_id}"
  kill = "qdel ~{job_id}"
  job_id_regex = "(\\\\d+)"
  [backends.locale]
    kind = "SSH"
    host = "login.example"
    password = "hunter2"
"""


def test_the_version_is_that_of_the_distribution(crankshaft):
    assert crankshaft.run("--version").stdout.decode() == f"crankshaft {version('crankshaft')}\n"


def test_help_is_fast_because_it_imports_nothing_heavy():
    heavy = ("asyncio", "pydantic", "rich", "yaml", "fsspec", "docker", "paramiko", "httpx")
    program = (
        "import sys\nfrom crankshaft_core.cli import main\nassert main(['--help']) == 0\n"
        f"sys.stderr.write(' '.join(m for m in {heavy} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["run", "backends", "check", "clean", "config", "init", "schema"])
def test_every_command_explains_itself(crankshaft, command):
    done = crankshaft.run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(b"usage: crankshaft " + command.encode())


def test_backends_tells_what_is_there_with_no_file_at_all(crankshaft):
    heading, row = crankshaft.run("backends").stdout.decode().splitlines()
    assert heading.split() == ["NAME", "KIND", "MAX", "TASKS", "WHERE", "FROM"]
    assert row.startswith("local (default)")
    assert row.endswith("built in")


def test_backends_names_the_files_that_each_is_from(crankshaft):
    crankshaft.config(HPC)
    crankshaft.config('[backends.hpc]\naccount = "lab"\n', "Crankshaft.local.toml")
    rows = crankshaft.run("backends").stdout.decode().splitlines()
    hpc = next(row for row in rows if row.startswith("hpc (default)"))
    assert "login.example" in hpc
    assert "Crankshaft.toml" in hpc
    assert "Crankshaft.local.toml" in hpc


def test_backends_says_when_one_must_be_named(crankshaft):
    crankshaft.config('[backends.a]\nkind = "Docker"\n[backends.b]\nkind = "Docker"\n')
    done = crankshaft.run("backends")
    assert done.returncode == 0
    assert b"no default" in done.stderr


def test_a_named_file_is_used(crankshaft):
    crankshaft.config(HPC, "other.toml")
    assert b"hpc (default)" in crankshaft.run("backends", "--config", "other.toml").stdout


def test_config_is_toml_with_its_secrets_hidden(crankshaft):
    crankshaft.config(HPC)
    done = crankshaft.run("config")
    hpc = next(table for table in tomllib.loads(done.stdout.decode())["backends"] if table["name"] == "hpc")
    assert hpc["max_tasks"] == 7
    assert hpc["locale"] == {"kind": "SSH", "host": "login.example", "password": "********"}
    assert b"hunter2" not in done.stdout + done.stderr


def test_config_origin_names_file_and_line_of_every_value(crankshaft):
    crankshaft.config(HPC)
    crankshaft.config('[backends.hpc]\naccount = "lab"\n', "Crankshaft.local.toml")
    crankshaft.env = {"CRANKSHAFT_BACKENDS__HPC__MAX_TASKS": "9"}
    lines = crankshaft.run("config", "--origin").stdout.decode().splitlines()
    origins = {line.partition("#")[0].strip(): line.partition("#")[2].strip() for line in lines if " = " in line}
    assert origins['locale.host = "login.example"'].endswith("Crankshaft.toml:12")
    assert origins['account = "lab"'].endswith("Crankshaft.local.toml:2")
    assert "CRANKSHAFT_BACKENDS__HPC__MAX_TASKS" in origins["max_tasks = 9"]
    assert all(origins.values())


def test_check_is_a_line_for_each_backend(crankshaft):
    done = crankshaft.run("check")
    assert done.returncode == 0
    assert done.stdout.split()[:2] == [b"local", b"ok"]


def test_check_exits_with_1_if_one_is_not_usable(crankshaft):
    crankshaft.config('[backends.gone]\nkind = "TES"\nurl = "http://127.0.0.1:1"\n')
    done = crankshaft.run("check", timeout=120)
    lines = dict(line.split()[:2] for line in done.stdout.decode().splitlines())
    assert done.returncode == 1
    assert lines == {"gone": "FAILED", "local": "ok"}


def test_check_looks_only_at_those_that_are_named(crankshaft):
    crankshaft.config('[backends.gone]\nkind = "TES"\nurl = "http://127.0.0.1:1"\n')
    done = crankshaft.run("check", "local")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1


def test_init_writes_a_file_that_loads(crankshaft):
    assert crankshaft.run("init").returncode == 0
    assert crankshaft.run("check").returncode == 0
    assert crankshaft.run("run", "--", "true").returncode == 0


def test_init_never_overwrites(crankshaft):
    crankshaft.config("# mine\n")
    done = crankshaft.run("init")
    assert done.returncode == 2
    assert b"Crankshaft.toml is there already" in done.stderr
    assert (crankshaft.cwd / "Crankshaft.toml").read_text() == "# mine\n"


def test_init_does_not_write_through_a_dangling_link(crankshaft):
    (crankshaft.cwd / "Crankshaft.toml").symlink_to("elsewhere")
    assert crankshaft.run("init").returncode == 2
    assert not (crankshaft.cwd / "elsewhere").exists()


def test_what_init_writes_can_be_written_by_nobody_else_under_any_umask(crankshaft):
    before = os.umask(0)
    try:
        crankshaft.run("init")
    finally:
        os.umask(before)
    assert not (crankshaft.cwd / "Crankshaft.toml").stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_schema_is_json_schema_and_needs_no_configuration(crankshaft):
    crankshaft.config("not toml at all")
    done = crankshaft.run("schema")
    assert done.returncode == 0
    assert "backends" in json.loads(done.stdout)["properties"]


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["schema"], ["config"], ["backends"]], ids=" ".join)
def test_a_reader_that_leaves_early_sees_no_traceback(crankshaft, argv):
    process = crankshaft.start(*argv)
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(30) == 141
    assert said == b""

import tomllib

import pytest

from crankshaft_core.cli.config import toml_of
from crankshaft_core.config import Config

EVERYTHING = r'''
default = "hpc"
[[backends]]
name = "hpc"
kind = "Generic"
submit = "sbatch --wrap='~{command}'"
monitor = "squeue -j ~{job_id}"
kill = "scancel ~{job_id}"
job_id_regex = "job (\\d+)"
defaults = { cpu = 2.5, ram = "512MiB", time = "12d" }
grace = "0.25s"
kill_after = "1h30m"
cancel_timeout = "90s"
lost_after = "2w"
queues = [{ name = "short", max_time = "1h" }, { name = "long", max_ram = 64, gpu = false }]
prologue = """
module load x
echo "quotes" 'and' \\ back\tslashes
"""
env = { PATH = true, HOME = false, OMP_NUM_THREADS = "4" }
retry = { attempts = 3, on = ["preempted"] }
  [backends.attributes]
  "odd key" = "del \u007f, ünïcode, tab\t"
  [backends.locale]
  kind = "SSH"
  host = "login"
[[backends]]
name = "docker"
kind = "Docker"
[[backends]]
name = "cloud"
kind = "TES"
url = "https://tes.example"
'''


def test_what_is_printed_loads_as_the_same_configuration():
    config = Config.parse(EVERYTHING)
    again = Config.parse(toml_of(config, with_origins=False))
    assert again.backends == config.backends
    assert again.default == config.default


def test_origins_are_comments():
    config = Config.parse(EVERYTHING)
    assert tomllib.loads(toml_of(config, with_origins=True)) == tomllib.loads(toml_of(config, with_origins=False))


def test_every_value_has_its_line():
    lines = toml_of(Config.parse(EVERYTHING, source="F.toml"), with_origins=True).splitlines()
    queue = next(line for line in lines if line.startswith("kill_after"))
    assert queue.split("# ")[1] == "F.toml:12"


@pytest.mark.parametrize(
    "extra",
    [
        'http = { auth = { type = "bearer", token = "hunter2" } }',
        'http = { auth = { type = "basic", username = "u", password = "hunter2" } }',
        'http = { auth = { type = "header", name = "X-Key", value = "hunter2" } }',
        'http = { basic_auth_token = "hunter2" }',
        'http = { proxy = "http://user:hunter2@proxy:3128" }',
        'storage = { url = "s3://b/p", options = { secret = "hunter2" } }',
        'env = { MY_TOKEN = "hunter2", db_password = "hunter2", AWS_SECRET_ACCESS_KEY = "hunter2" }',
    ],
)
@pytest.mark.parametrize("with_origins", [True, False])
def test_no_secret_is_printed(extra, with_origins):
    text = f'[[backends]]\nname = "cloud"\nkind = "TES"\nurl = "https://tes.example"\n{extra}\n'
    printed = toml_of(Config.parse(text), with_origins=with_origins)
    assert "hunter2" not in printed
    assert "********" in printed


def test_where_a_secret_comes_from_is_no_secret():
    text = '[[backends]]\nname = "c"\nkind = "TES"\nurl = "https://t"\nhttp = { basic_auth_token = { env = "TOK" } }\n'
    assert 'http.basic_auth_token.env = "TOK"' in toml_of(Config.parse(text), with_origins=False)

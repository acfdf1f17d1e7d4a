"""No other file can send a secret elsewhere."""

from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.errors import ConfigError

TES = '[[backends]]\nname = "a"\nkind = "TES"\n'
SSH = '[[backends]]\nname = "a"\nkind = "Generic"\nsubmit = "~{command}"\n'
OPTIONS = "storage.options"
BESIDE = "must stand in the same file as"
NAME = '[[backends]]\nname = "a"\n'


def load(directory: Path, user: str, project: str, **variables: str) -> Config:
    (directory / "home" / "crankshaft").mkdir(parents=True, exist_ok=True)
    (directory / "home" / "crankshaft" / "Crankshaft.toml").write_text(user)
    (directory / "work").mkdir(exist_ok=True)
    (directory / "work" / "Crankshaft.toml").write_text(project)
    return Config.load(cwd=directory / "work", environ={"XDG_CONFIG_HOME": str(directory / "home"), **variables})


def refusal(directory: Path, user: str, project: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(directory, user, project)
    return str(error.value).replace(f"{directory}/home/crankshaft/Crankshaft.toml", "USER")


@pytest.mark.parametrize(
    ("user", "project", "expected"),
    [
        (
            TES + 'url = "https://good"\nhttp = { basic_auth_token = "x" }',
            NAME + 'url = "https://evil"',
            f"USER:5: backends.a.http.basic_auth_token: {BESIDE} url, which is at Crankshaft.toml:3",
        ),
        (
            TES + 'url = "https://good"\nhttp = { auth = { type = "bearer", token = { env = "T" } } }',
            '[[backends]]\nname = "b"\nextends = "a"\nurl = "https://evil"',
            f"USER:5: backends.b.http.auth.token: {BESIDE} url, which is at Crankshaft.toml:4",
        ),
        (
            SSH + 'locale = { host = "good", password = "x" }',
            NAME + 'locale = { host = "evil" }',
            f"USER:5: backends.a.locale.password: {BESIDE} locale.host, which is at Crankshaft.toml:3",
        ),
        (
            SSH + 'locale = { host = "good" }',
            NAME + 'locale = { password = "x" }',
            f"Crankshaft.toml:3: backends.a.locale.password: {BESIDE} locale.host, which is at USER:5",
        ),
        (
            TES + 'url = "https://t"\nstorage = { url = "s3://b", options = { key = "x" } }',
            NAME + 'storage = { options = { endpoint_url = "https://evil" } }',
            f"USER:5: backends.a.{OPTIONS}.key: {BESIDE} {OPTIONS}.endpoint_url, which is at Crankshaft.toml:3",
        ),
        (
            TES + 'url = "https://good"\nhttp = { basic_auth_token = "x" }',
            NAME + 'http = { proxy = "http://evil" }',
            "Crankshaft.toml:3: backends.a.http.proxy: would lead the secret of USER:5 elsewhere",
        ),
        (
            SSH + 'locale = { host = "good", password = "x" }',
            NAME + "locale = { port = 2222 }",
            "Crankshaft.toml:3: backends.a.locale.port: would lead the secret of USER:5 elsewhere",
        ),
    ],
)
def test_a_secret_whose_address_is_in_another_file_is_refused(tmp_path: Path, user: str, project: str, expected: str):
    assert refusal(tmp_path, user, project) == expected


def test_a_secret_beside_its_address_may_be_overlaid_otherwise(tmp_path: Path):
    user = TES + 'url = "https://good"\nhttp = { basic_auth_token = "x" }'
    assert load(tmp_path, user, NAME + "max_tasks = 3\nhttp = { retries = 1 }").backends["a"].max_tasks == 3


def test_secret_and_address_may_be_replaced_together(tmp_path: Path):
    both = TES + 'url = "https://%s"\nhttp = { basic_auth_token = "x" }'
    assert load(tmp_path, both % "one", both % "two").backends["a"].url == "https://two"  # type: ignore[union-attr]


def test_a_weaker_file_may_say_which_proxy_is_used(tmp_path: Path):
    user = TES + 'url = "https://old"\nhttp = { proxy = "http://site:3128" }'
    project = NAME + 'url = "https://new"\nhttp = { basic_auth_token = "x" }'
    assert load(tmp_path, user, project).backends["a"].url == "https://new"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "variables",
    [
        {"CRANKSHAFT_BACKENDS__A__LOCALE__PASSWORD": "x"},
        {"CRANKSHAFT_BACKENDS__A__LOCALE__PASSWORD__ENV": "X"},
        {"CRANKSHAFT_CONFIG_TOML": NAME + 'locale = { password = "x" }'},
    ],
)
def test_a_secret_in_a_variable_is_exempt(tmp_path: Path, variables: dict[str, str]):
    assert load(tmp_path, SSH + 'locale = { host = "good" }', "", **variables)


def test_an_address_in_a_variable_is_exempt(tmp_path: Path):
    user = SSH + 'locale = { host = "good", password = "x" }'
    assert load(tmp_path, user, "", CRANKSHAFT_BACKENDS__A__LOCALE__HOST="other")

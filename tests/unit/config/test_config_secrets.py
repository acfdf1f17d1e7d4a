"""A secret is had only by asking for it: nothing else shows it."""

import copy
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from crankshaft_core.config import Config, GenericConfig, Secret, TESConfig
from crankshaft_core.config.layout import layout
from crankshaft_core.config.secrets import HIDDEN, FingerprintKey
from crankshaft_core.errors import ConfigError

TEXT = """
[[backends]]
name = "cloud"
kind = "TES"
url = "https://tes.example.org"
http = { auth = { type = "basic", username = "me", password = "hunter2" }, proxy = "http://me:hunter2@proxy:3128" }
env = { MY_TOKEN = "hunter2", PLAIN = "shown" }
[backends.storage]
url = "s3://bucket"
options = { key = "hunter2", secret = "hunter2", client_kwargs = { my_token = "hunter2", n = 1 }, anon = false }
[[backends]]
name = "hpc"
kind = "Generic"
submit = "~{command}"
locale = { host = "login", password = "hunter2", passphrase = "hunter2" }
"""


def config() -> Config:
    return Config.parse(TEXT)


def cloud(found: Config | None = None) -> TESConfig:
    backend = (found or config()).backends["cloud"]
    assert isinstance(backend, TESConfig)
    return backend


def password(text: str) -> Secret:
    backend = Config.parse(TEXT.replace('password = "hunter2", pass', f"password = {text}, pass")).backends["hpc"]
    assert isinstance(backend, GenericConfig)
    assert backend.locale.password is not None
    return backend.locale.password


SECRET = Secret("hunter2")


@pytest.mark.parametrize(
    "show",
    [repr, str, ascii, "{}".format, "{!r}".format, lambda found: repr([found])],
    ids=["repr", "str", "ascii", "format", "format!r", "in a list"],
)
def test_a_secret_shows_itself_as_hidden(show: Any):
    assert HIDDEN in show(SECRET)
    assert "hunter2" not in show(SECRET)


@pytest.mark.parametrize(
    "show",
    [
        lambda found: json.dumps(found.redacted()),
        lambda found: str([backend.locale for backend in [found.backends["hpc"]]]),
        lambda found: found.backends["hpc"].model_dump_json(),
        lambda found: str(found.backends["hpc"].model_dump()),
        lambda found: str(cloud(found).http.auth),
        lambda found: str(cloud(found).storage),
        lambda found: cloud(found).storage.model_dump_json(),
        lambda found: found.fingerprint,
        lambda found: str(found.origins),
    ],
    ids=["redacted", "locale", "dump_json", "dump", "auth", "storage", "storage json", "fingerprint", "origins"],
)
def test_no_way_of_showing_a_configuration_shows_a_secret(show: Any):
    assert "hunter2" not in show(config())


def test_redacted_shows_what_is_no_secret():
    shown = json.dumps(config().redacted())
    assert "http://me:********@proxy:3128" in shown
    assert '"MY_TOKEN": "********"' in shown
    assert '"PLAIN": "shown"' in shown


def test_redacted_shows_where_a_secret_comes_from():
    text = '[backends.c]\nkind = "TES"\nurl = "https://t"\nhttp = { basic_auth_token = { env = "TOKEN" } }'
    [backend, _] = Config.parse(text).redacted()["backends"]
    assert backend["http"] == {"basic_auth_token": {"env": "TOKEN"}}


def test_a_secret_is_not_logged(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("any").info("opening %s with %r", config().backends["hpc"], cloud().http)
    assert "hunter2" not in caplog.text


def test_a_secret_is_not_pickled():
    with pytest.raises(TypeError, match="a secret is not pickled; load the configuration again where it is needed"):
        pickle.dumps(config())


def test_a_configuration_without_secrets_is_pickled():
    plain = Config.parse('[backends.a]\nkind = "Docker"')
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_a_copy_of_a_secret_is_the_secret_itself():
    assert copy.deepcopy(SECRET) is SECRET
    assert copy.copy(SECRET) is SECRET


def test_secrets_are_compared_by_value():
    assert (Secret("a") == Secret("a"), Secret("a") == Secret("b"), Secret("a") == "a") == (True, False, False)


def test_equal_secrets_have_equal_hashes():
    assert hash(SECRET) == hash(Secret("hunter2"))


def test_a_secret_as_text_is_revealed():
    assert password('"hunter3"').reveal() == "hunter3"


def test_a_secret_from_a_variable_is_revealed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CK_TEST_PASSWORD", "hunter3")
    assert password('{ env = "CK_TEST_PASSWORD" }').reveal() == "hunter3"


def test_a_secret_from_given_variables_is_revealed():
    assert password('{ env = "P" }').reveal({"P": "hunter3"}) == "hunter3"


def test_a_secret_from_a_file_is_revealed_without_its_line_end(tmp_path: Path):
    (tmp_path / "pw").write_text("hunter 3 \r\n\n")
    assert password(f'{{ file = "{tmp_path}/pw" }}').reveal() == "hunter 3 "


def test_a_secrets_file_stands_relative_to_the_configuration(tmp_path: Path):
    (tmp_path / "pw").write_text("hunter3")
    (tmp_path / "c.toml").write_text(TEXT.replace('password = "hunter2" },', 'password = { file = "pw" } },'))
    found = cloud(Config.load(tmp_path / "c.toml", cwd=Path("/"), environ={}))
    assert found.http.auth is not None
    assert found.http.auth.type == "basic"
    assert found.http.auth.password.reveal() == "hunter3"


def test_a_secrets_file_is_read_anew_each_time(tmp_path: Path):
    secret = Secret(str(tmp_path / "pw"), source="file")
    (tmp_path / "pw").write_text("old")
    first = secret.reveal()
    (tmp_path / "pw").write_text("new")
    assert (first, secret.reveal()) == ("old", "new")


def test_a_secret_from_a_command_is_revealed():
    assert password('{ command = "printf hunter3 | cat" }').reveal() == "hunter3"


def test_a_command_is_not_run_before_it_is_asked_for(tmp_path: Path):
    text = TEXT.replace('env = { MY_TOKEN = "hunter2", ', "env = { ")
    text = text.replace('"hunter2"', f'{{ command = "touch {tmp_path}/ran; echo x" }}')
    found = Config.parse(text)
    str(found), found.redacted(), found.fingerprint, found.choose("hpc")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (Secret("GONE", source="env"), "the secret { env = 'GONE' } is not there: the variable GONE is not set"),
        (Secret("/gone", source="file"), "the secret { file = '/gone' } cannot be read: No such file or directory"),
        (Secret("/", source="file"), "the secret { file = '/' } cannot be read: Is a directory"),
        (
            Secret("echo hunter2; echo locked >&2; exit 3", source="command"),
            "the secret { command = 'echo hunter2; echo locked >&2; exit 3' } ended with exit code 3: locked",
        ),
    ],
)
def test_a_secret_that_cannot_be_had_says_why(secret: Secret, expected: str):
    with pytest.raises(ConfigError) as error:
        secret.reveal({})
    assert str(error.value) == expected


def test_a_secrets_file_that_is_no_text_is_told(tmp_path: Path):
    (tmp_path / "pw").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read: it is not UTF-8 text"):
        Secret(str(tmp_path / "pw"), source="file").reveal()


def test_options_of_storage_are_revealed_for_fsspec():
    storage = cloud().storage
    assert storage is not None
    assert storage.revealed_options() == {
        "key": "hunter2",
        "secret": "hunter2",
        "client_kwargs": {"my_token": "hunter2", "n": 1},
        "anon": False,
    }


def test_an_option_may_say_where_its_secret_is():
    text = '[backends.c]\nkind = "TES"\nurl = "https://t"\n[backends.c.storage]\nurl = "s3://b"\n'
    text += 'options = { secret = { command = "echo x" } }'
    storage = cloud_storage(text)
    assert storage.revealed_options() == {"secret": "x"}


def cloud_storage(text: str) -> Any:
    return Config.parse(text).backends["c"].storage  # type: ignore[union-attr]


def test_the_secrets_of_all_kinds_are_known():
    found = {".".join(path) for path, place in layout().items() if place.secret}
    assert found == {
        "http.auth.password",
        "http.auth.token",
        "http.auth.value",
        "http.basic_auth_token",
        "locale.passphrase",
        "locale.password",
    }


def test_the_same_configuration_has_the_same_fingerprint():
    assert config().fingerprint == config().fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('password = "hunter2" }', 'password = "hunter3" }'),
        ('secret = "hunter2"', 'secret = "hunter3"'),
        ('password = "hunter2" }', 'password = { env = "hunter2" } }'),
        ('PLAIN = "shown"', 'PLAIN = "other"'),
        ('name = "cloud"', 'name = "clouds"'),
        ("[[backends]]", 'default = "hpc"\n[[backends]]'),
    ],
)
def test_every_difference_makes_another_fingerprint(old: str, new: str):
    assert Config.parse(TEXT.replace(old, new, 1)).fingerprint != config().fingerprint


def test_a_fingerprint_means_nothing_in_another_process():
    keys = FingerprintKey(b"a" * 32), FingerprintKey(b"b" * 32)
    assert SECRET.fingerprint(keys[0]) != SECRET.fingerprint(keys[1])


def test_a_key_does_not_show_itself():
    assert "aaa" not in repr(FingerprintKey(b"a" * 32))

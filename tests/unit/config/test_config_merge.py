"""Many sources as one: merging, extends, presets, the built-in backend, the default."""

from pathlib import Path

import pytest

from crankshaft_core.config import Config, DockerConfig, GenericConfig, TESConfig
from crankshaft_core.config.fields import cores
from crankshaft_core.config.presets import preset_names
from crankshaft_core.errors import ConfigError


def layered(directory: Path, project: str, local: str) -> Config:
    (directory / "Crankshaft.toml").write_text(project)
    (directory / "Crankshaft.local.toml").write_text(local)
    return Config.load(cwd=directory, environ={})


DOCKER = '[[backends]]\nname = "a"\nkind = "Docker"\n'
SUBMIT = '[[backends]]\nname = "a"\nkind = "Generic"\nsubmit = "~{command}"\n'


def test_tables_are_merged_deeply(tmp_path: Path):
    config = layered(
        tmp_path,
        DOCKER + "defaults = { cpu = 1, ram = 2 }",
        '[[backends]]\nname = "a"\ndefaults = { ram = "4GiB" }',
    )
    assert (config.backends["a"].defaults.cpu, config.backends["a"].defaults.ram) == (1, 4)


def test_lists_are_replaced(tmp_path: Path):
    config = layered(tmp_path, DOCKER + 'mounts = ["/a:/a", "/b:/b"]', '[[backends]]\nname = "a"\nmounts = ["/c:/c"]')
    backend = config.backends["a"]
    assert isinstance(backend, DockerConfig)
    assert [mount.source for mount in backend.mounts] == ["/c"]


def test_both_spellings_of_a_key_are_one(tmp_path: Path):
    config = layered(tmp_path, SUBMIT + "monitor-frequency = 5", '[backends.a]\npoll_interval = "7s"')
    assert config.backends["a"].poll_interval == 7


def test_another_kind_replaces_the_backend(tmp_path: Path):
    config = layered(tmp_path, DOCKER + "cleanup = false", '[[backends]]\nname = "a"\nkind = "TES"\nurl = "https://t"')
    assert isinstance(config.backends["a"], TESConfig)


def test_another_way_to_log_in_replaces_the_former(tmp_path: Path):
    tes = '[[backends]]\nname = "a"\nkind = "TES"\nurl = "https://t"\nhttp = { auth = %s }'
    config = layered(
        tmp_path,
        tes % '{ type = "basic", username = "u", password = "p" }',
        tes % '{ type = "bearer", token = { env = "T" } }',
    )
    backend = config.backends["a"]
    assert isinstance(backend, TESConfig)
    assert backend.http.auth is not None
    assert backend.http.auth.type == "bearer"


def test_a_secret_is_replaced_as_a_whole(tmp_path: Path):
    tes = '[[backends]]\nname = "a"\nkind = "TES"\nurl = "https://t"\nhttp = { basic_auth_token = %s }'
    config = layered(tmp_path, tes % '{ env = "A" }', tes % '{ file = "/b" }')
    backend = config.backends["a"]
    assert isinstance(backend, TESConfig)
    assert backend.http.basic_auth_token is not None
    assert backend.http.basic_auth_token.reference == {"file": "/b"}


def test_storage_as_text_and_as_a_table_are_merged(tmp_path: Path):
    tes = '[[backends]]\nname = "a"\nkind = "TES"\nurl = "https://t"\n'
    config = layered(tmp_path, tes + 'storage = "s3://b/p"', tes + 'storage = { worker_url = "s3://w" }')
    backend = config.backends["a"]
    assert isinstance(backend, TESConfig)
    assert backend.storage is not None
    assert (backend.storage.url, backend.storage.worker_url) == ("s3://b/p", "s3://w")


def test_extends_starts_from_another_backend():
    config = Config.parse(DOCKER + 'queue = "q"\n[[backends]]\nname = "b"\nextends = "a"\nmax_tasks = 3')
    assert (config.backends["b"].queue, config.backends["b"].max_tasks) == ("q", 3)


def test_extends_may_be_chained_in_any_order():
    config = Config.parse(
        '[backends.c]\nextends = "b"\n[backends.b]\nextends = "a"\nqueue = "b"\n'
        '[backends.a]\nkind = "Docker"\nqueue = "a"\naccount = "a"\n'
    )
    assert (config.backends["c"].queue, config.backends["c"].account) == ("b", "a")


def test_extends_keeps_the_origin_of_what_is_inherited():
    config = Config.parse(DOCKER + 'queue = "q"\n[[backends]]\nname = "b"\nextends = "a"\n', source="F")
    assert str(config.origins["backends.b.queue"]) == "F:4"


def test_a_circle_of_extends_is_told():
    with pytest.raises(ConfigError, match="goes in a circle: a -> b -> a"):
        Config.parse('[backends.a]\nkind = "Docker"\nextends = "b"\n[backends.b]\nextends = "a"\n')


def test_a_preset_lies_under_the_backends_own_fields():
    backend = Config.parse('[backends.a]\npreset = "local"\nsubmit = "nice ~{command}"').backends["a"]
    assert isinstance(backend, GenericConfig)
    assert backend.submit == "nice ~{command}"


def test_a_preset_is_an_origin():
    config = Config.parse('[backends.a]\npreset = "local"')
    assert str(config.origins["backends.a.submit"]) == "preset local"


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_that_comes_along_is_all_one_has_to_write(name: str):
    config = Config.parse(f'[backends.a]\npreset = "{name}"')
    assert isinstance(config.backends["a"], GenericConfig)
    assert config.warnings == ()


def test_max_tasks_is_100_with_a_scheduler():
    batch = "monitor = 'm'\nkill = 'k'\njob_id_regex = '(.*)'"
    assert Config.parse(SUBMIT + batch).backends["a"].max_tasks == 100


def test_max_tasks_is_the_number_of_cores_without_a_scheduler():
    assert Config.parse(SUBMIT).backends["a"].max_tasks == cores()


def test_local_is_always_there():
    local = Config.parse("").backends["local"]
    assert isinstance(local, GenericConfig)
    assert (local.submit, local.max_tasks, local.locale.kind) == ("~{command}", cores(), "Local")


def test_local_can_be_tuned():
    local = Config.parse('[backends.local]\nmax_tasks = 17\nkind = "Generic"').backends["local"]
    assert isinstance(local, GenericConfig)
    assert (local.submit, local.max_tasks) == ("~{command}", 17)


def test_local_can_be_defined_anew():
    assert isinstance(Config.parse('[backends.local]\nkind = "Docker"').backends["local"], DockerConfig)


def test_local_can_be_extended():
    assert Config.parse('[backends.few]\nextends = "local"\nmax_tasks = 1').backends["few"].max_tasks == 1


def test_the_only_one_written_down_is_the_default():
    assert Config.parse(DOCKER).choose(None).name == "a"


def test_local_is_the_default_where_nothing_is_written_down():
    assert Config.parse("[backends.local]\nmax_tasks = 2").choose().name == "local"


def test_several_backends_and_no_default_are_listed():
    config = Config.parse('[backends.b]\nkind = "Docker"\n[backends.a]\nkind = "Docker"')
    expected = 'several backends and no default: a, b; name one, or write default = "a" at the top of the file'
    with pytest.raises(ConfigError) as error:
        config.choose()
    assert str(error.value) == expected


def test_the_default_is_chosen_where_none_is_named():
    config = Config.parse('default = "b"\n[backends.a]\nkind = "Docker"\n[backends.b]\nkind = "Docker"')
    assert config.choose().name == "b"


def test_the_later_default_wins(tmp_path: Path):
    two = '[backends.a]\nkind = "Docker"\n[backends.b]\nkind = "Docker"'
    assert layered(tmp_path, f'default = "b"\n{two}', 'default = "a"').choose().name == "a"


def test_a_variable_names_the_default(tmp_path: Path):
    (tmp_path / "c.toml").write_text('default = "a"\n[backends.a]\nkind = "Docker"')
    assert Config.load("c.toml", cwd=tmp_path, environ={"CRANKSHAFT_BACKEND": "local"}).choose().name == "local"


def test_a_variable_that_names_no_backend_is_told_when_it_is_needed(tmp_path: Path):
    config = Config.load(cwd=tmp_path, environ={"CRANKSHAFT_BACKEND": "lfs"})
    with pytest.raises(ConfigError) as error:
        config.choose()
    expected = "no backend named 'lfs' (variable CRANKSHAFT_BACKEND); known: local (built in)"
    assert (config.choose("local").name, str(error.value)) == ("local", expected)


def test_an_unknown_name_is_told_with_those_there_are_and_their_files():
    config = Config.parse(
        '[backends.lsf]\nkind = "Docker"\n[backends.docker]\nkind = "Docker"', source="Crankshaft.toml"
    )
    with pytest.raises(ConfigError) as error:
        config.choose("lfs")
    expected = "no backend named 'lfs'; known: docker, lsf (from Crankshaft.toml), local (built in)"
    assert str(error.value) == expected


def test_a_name_that_is_asked_for_wins_over_the_default():
    config = Config.parse('default = "b"\n[backends.a]\nkind = "Docker"\n[backends.b]\nkind = "Docker"')
    assert config.choose("a").name == "a"


@pytest.mark.parametrize("path", ["identity_file", "ssh_config", "known_hosts"])
def test_a_relative_path_stands_relative_to_its_file(tmp_path: Path, path: str):
    (tmp_path / "sub").mkdir()
    text = f'{SUBMIT}locale = {{ host = "h", {path} = "keys/id" }}'
    (tmp_path / "sub" / "c.toml").write_text(text)
    backend = Config.load("sub/c.toml", cwd=tmp_path, environ={}).backends["a"]
    assert isinstance(backend, GenericConfig)
    assert getattr(backend.locale, path) == str(tmp_path / "sub" / "keys" / "id")


def test_no_ssh_config_is_no_path():
    backend = Config.parse(SUBMIT + 'locale = { host = "h", ssh_config = "none" }').backends["a"]
    assert isinstance(backend, GenericConfig)
    assert backend.locale.ssh_config == "none"

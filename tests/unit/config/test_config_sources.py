"""Where configuration comes from, what wins, and which files are refused."""

import os
import tempfile
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.config.load import Loaded, load
from crankshaft_core.config.sources import Surroundings
from crankshaft_core.errors import ConfigError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def write(path: Path, max_tasks: int, name: str = "a") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[[backends]]\nname = "{name}"\nkind = "Docker"\nmax_tasks = {max_tasks}\n')
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "project" / "sub"
    work.mkdir(parents=True)
    return work


def loaded(tmp_path: Path, work: Path, path: Path | None = None, **environ: str) -> Loaded:
    environ = {"HOME": str(tmp_path / "home"), **environ}
    return load(path, Surroundings(work, environ, site=tmp_path / "site"))


def every_source(tmp_path: Path, work: Path) -> tuple[list[Path], dict[str, str]]:
    """The files, weakest first, each with another max_tasks, from 1 on; and variables with 6 and 7."""
    files = [
        tmp_path / "site" / "Crankshaft.toml",
        tmp_path / "home" / ".config" / "crankshaft" / "Crankshaft.toml",
        work.parent / "Crankshaft.toml",
        work.parent / "Crankshaft.local.toml",
        tmp_path / "named.toml",
    ]
    for number, file in enumerate(files, start=1):
        write(file, number)
    text = '[[backends]]\nname = "a"\nmax_tasks = 6'
    return files, {"CRANKSHAFT_CONFIG_TOML": text, "CRANKSHAFT_BACKENDS__A__MAX_TASKS": "7"}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_the_later_source_wins(tmp_path: Path, work: Path, count: int):
    files, variables = every_source(tmp_path, work)
    for file in files[count:]:
        file.unlink()
    environ = dict(list(variables.items())[: max(0, count - 5)])
    if count >= 5:
        environ["CRANKSHAFT_CONFIG"] = str(files[4])
    assert loaded(tmp_path, work, **environ).backends["a"].max_tasks == count


def test_origins_name_the_source_that_won(tmp_path: Path, work: Path):
    files, variables = every_source(tmp_path, work)
    found = loaded(tmp_path, work, CRANKSHAFT_CONFIG=str(files[4]), **variables)
    assert str(found.origins["backends.a.max_tasks"]) == "variable CRANKSHAFT_BACKENDS__A__MAX_TASKS"
    assert str(found.origins["backends.a.kind"]) == f"{files[4]}:3"


def test_an_explicit_file_stands_in_for_the_variables_that_name_one(tmp_path: Path, work: Path):
    named, explicit = write(tmp_path / "named.toml", 5), write(work / "explicit.toml", 8)
    text = '[[backends]]\nname = "a"\nmax_tasks = 6'
    found = loaded(tmp_path, work, explicit, CRANKSHAFT_CONFIG=str(named), CRANKSHAFT_CONFIG_TOML=text)
    assert found.backends["a"].max_tasks == 8


def test_an_explicit_file_is_found_from_the_working_directory(tmp_path: Path, work: Path):
    write(work / "other" / "c.toml", 9)
    assert loaded(tmp_path, work, Path("other/c.toml")).backends["a"].max_tasks == 9


def test_what_is_personal_goes_over_the_projects_file_also_when_that_is_named(tmp_path: Path, work: Path):
    project = write(work / "Crankshaft.toml", 3)
    write(work / "Crankshaft.local.toml", 4)
    assert loaded(tmp_path, work, project).backends["a"].max_tasks == 4


def test_only_the_nearest_project_file_is_read(tmp_path: Path, work: Path):
    write(work / "Crankshaft.toml", 1)
    write(work.parent / "Crankshaft.toml", 2, name="b")
    assert "b" not in loaded(tmp_path, work).backends


def test_the_users_file_is_found_by_xdg_config_home(tmp_path: Path, work: Path):
    write(tmp_path / "xdg" / "crankshaft" / "Crankshaft.toml", 5)
    assert loaded(tmp_path, work, XDG_CONFIG_HOME=str(tmp_path / "xdg")).backends["a"].max_tasks == 5


def test_a_relative_xdg_config_home_is_ignored(tmp_path: Path, work: Path):
    write(work / "xdg" / "crankshaft" / "Crankshaft.toml", 5)
    assert "a" not in loaded(tmp_path, work, XDG_CONFIG_HOME="xdg").backends


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Crankshaft.json", '{"backends": [{"name": "a", "kind": "Docker", "max-tasks": 3}], "$schema": "x"}'),
        ("Crankshaft.yaml", "backends:\n  - name: a\n    kind: Docker\n    max-tasks: 3\n    queue: null\n"),
        ("Crankshaft.yml", "backends:\n  a: {kind: Docker, max_tasks: 3, retry: {on: [lost]}}\n"),
        ("Crankshaft.toml", "[backends.a]\nkind = 'Docker'\nmax_tasks = 3\n"),
        ("Crankshaft.toml", "\ufeffbackends = [{ name = 'a', kind = 'Docker', max_tasks = 3 }]\r\n"),
    ],
)
def test_every_format_is_found_and_read(tmp_path: Path, work: Path, name: str, text: str):
    (work / name).write_text(text, encoding="utf-8")
    assert loaded(tmp_path, work).backends["a"].max_tasks == 3


def refused(tmp_path: Path, work: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, work, **environ)
    return str(error.value)


def test_two_formats_side_by_side_are_refused(tmp_path: Path, work: Path):
    write(work / "Crankshaft.toml", 1)
    (work / "Crankshaft.yaml").write_text("{}")
    expected = "Crankshaft.toml: Crankshaft.toml and Crankshaft.yaml stand side by side; keep one of them"
    assert refused(tmp_path, work) == expected


def test_a_named_file_that_is_not_there_is_told(tmp_path: Path, work: Path):
    expected = "gone.toml: cannot be read, which CRANKSHAFT_CONFIG names: No such file or directory"
    assert refused(tmp_path, work, CRANKSHAFT_CONFIG="gone.toml") == expected


def test_a_directory_in_a_files_place_is_told(tmp_path: Path, work: Path):
    (work / "Crankshaft.toml").mkdir()
    assert refused(tmp_path, work) == "Crankshaft.toml: cannot be read: Is a directory"


@as_root
@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_a_discovered_file_of_another_user_is_refused(tmp_path: Path, work: Path, which: int):
    files, _ = every_source(tmp_path, work)
    os.chown(files[which], 54321, 54321)
    assert refused(tmp_path, work) == (
        f"{files[which]}: it belongs to user id 54321, neither to you nor to root; "
        "make it yours alone, or name it with --config or CRANKSHAFT_CONFIG"
    )


@as_root
def test_a_known_user_is_called_by_name(tmp_path: Path, work: Path):
    os.chown(write(work / "Crankshaft.toml", 1), 2, 2)
    assert "it belongs to user bin, " in refused(tmp_path, work)


@as_root
def test_another_users_link_to_a_file_of_ours_is_refused(tmp_path: Path, work: Path):
    (work / "Crankshaft.toml").symlink_to(write(tmp_path / "mine.toml", 1))
    os.chown(work / "Crankshaft.toml", 54321, 54321, follow_symlinks=False)
    assert "it belongs to user id 54321" in refused(tmp_path, work)


@as_root
def test_a_link_of_ours_to_another_users_file_is_refused(tmp_path: Path, work: Path):
    os.chown(write(tmp_path / "theirs.toml", 1), 54321, 54321)
    (work / "Crankshaft.toml").symlink_to(tmp_path / "theirs.toml")
    assert "it belongs to user id 54321" in refused(tmp_path, work)


@as_root
def test_a_refused_file_is_not_read(tmp_path: Path, work: Path):
    (work / "Crankshaft.toml").write_text("not toml")
    os.chown(work / "Crankshaft.toml", 54321, 54321)
    assert "TOML" not in refused(tmp_path, work)


@as_root
def test_a_file_of_another_user_is_read_when_it_is_named(tmp_path: Path, work: Path):
    path = write(work / "Crankshaft.toml", 1)
    os.chown(path, 54321, 54321)
    assert loaded(tmp_path, work, path).backends["a"].max_tasks == 1


@as_root
def test_what_root_owns_is_read_by_anybody():
    with tempfile.TemporaryDirectory() as directory:  # pytest's own lets nobody else in
        work = Path(directory)
        write(work / "Crankshaft.toml", 1)
        work.chmod(0o755)
        os.seteuid(54321)
        try:
            assert loaded(work, work).backends["a"].max_tasks == 1
        finally:
            os.seteuid(0)


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path, work: Path):
    write(work / "Crankshaft.toml", 1).chmod(0o666)
    assert refused(tmp_path, work) == (
        "Crankshaft.toml: everybody may write to it (chmod o-w); "
        "make it yours alone, or name it with --config or CRANKSHAFT_CONFIG"
    )


def test_a_file_of_ours_that_its_group_may_write_is_read(tmp_path: Path, work: Path):
    write(work / "Crankshaft.toml", 1).chmod(0o664)
    assert loaded(tmp_path, work).backends["a"].max_tasks == 1


def test_nothing_at_all_is_a_configuration_with_this_machine(tmp_path: Path):
    config = Config.load(cwd=tmp_path, environ={})
    assert list(config.backends) == ["local"]


def test_load_looks_at_the_process_where_nothing_else_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "Crankshaft.toml", 5)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRANKSHAFT_BACKENDS__A__QUEUE", "short")
    backend = Config.load().backends["a"]
    assert (backend.max_tasks, backend.queue) == (5, "short")

"""One file for a group, as two of its users meet it: the site's file in /etc, their own, their project's, variables."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CRANKSHAFT = Path(sys.executable).with_name("crankshaft")
SITE = """\
[[backends]]
name = "hpc"
preset = "slurm"
max_tasks = 200
locale = { host = "login.uni.example" }
account = "everybody"

[[backends]]
name = "fat"
extends = "hpc"
queue = "bigmem"
"""

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can become two users, and put a file in an /etc of its own"
    ),
    pytest.mark.skipif(
        not all(map(shutil.which, ("unshare", "setpriv"))), reason="unshare and setpriv (util-linux) are not here"
    ),
]


@dataclass(frozen=True)
class User:
    """A system user, whose home is a directory of the test's; so is /etc, in a mount namespace of its own."""

    name: str
    etc: Path
    home: Path

    @property
    def uid(self):
        return pwd.getpwnam(self.name).pw_uid

    def write(self, path, text):
        """A file of this user's."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chown(path, self.uid, -1)

    def crankshaft(self, cwd, *words, **environ):
        # the interpreter and pytest's directories may be where only root comes: this lets the user read, and no more
        can_read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *can_read]
        mount = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', self.etc]
        return subprocess.run(
            [*mount, *become, CRANKSHAFT, *words],
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def origins(self, cwd, **environ):
        """(backend, key) to (value, origin), as `config --origin` prints them."""
        done = self.crankshaft(cwd, "config", "--origin", **environ)
        assert done.returncode == 0, done.stderr
        found, backend = {}, ""
        for key, value, origin in re.findall(r"^([\w.]+) = (.*?)\s+# (.+)$", done.stdout, re.MULTILINE):
            backend = value.strip('"') if key == "name" else backend
            found[backend, key] = (value, origin)
        return found


@pytest.fixture
def users(tmp_path):
    """Two of them, with the site's file."""
    etc = tmp_path / "etc"
    (etc / "crankshaft").mkdir(parents=True)
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
        if Path("/etc", name).exists():
            shutil.copyfile(Path("/etc", name), etc / name)
    (etc / "crankshaft" / "Crankshaft.toml").write_text(SITE)
    return tuple(User(name, etc, tmp_path / name) for name in ("daemon", "nobody"))


@pytest.fixture
def project(users, tmp_path):
    """A directory of the first user's, with a file for the project and a personal one beside it."""
    first, _ = users
    first.write(tmp_path / "project" / "Crankshaft.toml", '[backends.hpc]\naccount = "project"\nqueue = "short"\n')
    first.write(tmp_path / "project" / "Crankshaft.local.toml", '[backends.hpc]\nqueue = "mine"\n')
    return tmp_path / "project"


def test_a_value_is_that_of_the_nearest_source_and_names_it(users, project):
    first, _ = users
    first.write(first.home / ".config/crankshaft/Crankshaft.toml", "[backends.hpc]\nmax_tasks = 20\nshell = 'zsh'\n")
    found = first.origins(project, CRANKSHAFT_BACKENDS__HPC__SHELL="dash")
    own = f"{first.home}/.config/crankshaft/Crankshaft.toml"
    assert found["hpc", "locale.host"] == ('"login.uni.example"', "/etc/crankshaft/Crankshaft.toml:5")
    assert found["hpc", "max_tasks"] == ("20", f"{own}:2")
    assert found["hpc", "account"] == ('"project"', "Crankshaft.toml:2")
    assert found["hpc", "queue"] == ('"mine"', "Crankshaft.local.toml:2")
    assert found["hpc", "shell"] == ('"dash"', "variable CRANKSHAFT_BACKENDS__HPC__SHELL")


def test_what_extends_the_sites_backend_takes_part_in_what_each_user_changes(users, project):
    first, _ = users
    found = first.origins(project)
    assert found["fat", "account"] == ('"project"', "Crankshaft.toml:2")
    assert found["fat", "queue"] == ('"bigmem"', "/etc/crankshaft/Crankshaft.toml:11")


def test_what_one_user_changes_is_nothing_to_the_other(users, tmp_path):
    first, second = users
    first.write(first.home / ".config/crankshaft/Crankshaft.toml", "[backends.hpc]\nmax_tasks = 20\n")
    assert second.origins(tmp_path)["hpc", "max_tasks"] == ("200", "/etc/crankshaft/Crankshaft.toml:4")


def test_another_users_project_is_refused_in_one_line_that_names_the_owner(users, project):
    _, second = users
    (project / "Crankshaft.local.toml").unlink()
    done = second.crankshaft(project, "backends")
    refusal = "Crankshaft.toml: it belongs to user daemon, neither to you nor to root"
    remedy = "make it yours alone, or name it with --config or CRANKSHAFT_CONFIG"
    assert (done.returncode, done.stderr) == (2, f"crankshaft: {refusal}; {remedy}\n")


def test_another_users_file_is_read_when_it_is_named(users, project):
    _, second = users
    (project / "Crankshaft.local.toml").unlink()
    found = second.origins(project, CRANKSHAFT_CONFIG="Crankshaft.toml")
    assert found["hpc", "account"] == ('"project"', "Crankshaft.toml:2")

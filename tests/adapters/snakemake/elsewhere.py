"""Backends that see nothing of the workflow's directory, as the lines of a Crankshaft.toml under the backend's name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.services.running import Sshd
from tests.services.shared import shared_directory
from tests.services.tes_server import PROFILES, serving

QUICK = "poll_interval = 0.2\nsweep_interval = 0.5\ngrace = '2s'\nsubmit_rate = 1000\n"
BIN = Path(sys.executable).parent
BARE = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")


def slurm_over_ssh(request: pytest.FixtureRequest) -> str:
    """As another user, if root runs the tests; so jobs have the system's own Python, and our packages."""
    if not BARE.exists():
        pytest.skip(f"the system has no {BARE}, and nobody else may be able to run {sys.executable}")
    request.getfixturevalue("slurm")
    sshd: Sshd = request.getfixturevalue("sshd")
    site = next(path for path in sys.path if path.endswith("site-packages"))
    return f"""preset = 'slurm'
{QUICK}
work_dir = '{of_the_job_user(request)}/work'
env = {{ PYTHONPATH = '{site}' }}
prologue = 'mkdir -p bin && ln -sf {BARE} bin/python && export PATH=$PWD/bin:$PATH'
locale = {{ kind = 'SSH', host = 'login.slurm.cluster', ssh_config = '{sshd.ssh_config}' }}
"""


def tes(request: pytest.FixtureRequest) -> str:
    """Its images have our Python."""
    server = serving(PROFILES["plain-1.1"].but(schemes=None))
    url = server.__enter__().url
    request.addfinalizer(lambda: server.__exit__(None, None, None))
    return f"kind = 'TES'\nurl = '{url}'\npoll_interval = 0.1\nenv = {{ PATH = '{BIN}:/usr/bin:/bin' }}\n"


def of_the_job_user(request: pytest.FixtureRequest) -> Path:
    """A directory that jobs behind SSH may write to."""
    shared = shared_directory(request.getfixturevalue("sshd").user)
    directory = shared.__enter__()
    request.addfinalizer(lambda: shared.__exit__(None, None, None))
    return directory

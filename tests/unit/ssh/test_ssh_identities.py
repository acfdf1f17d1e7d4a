"""Which keys are offered, and in which order."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh.agent import AgentKey
from crankshaft_core.drivers.ssh.identities import Candidate, candidates, key_file


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of several kinds and formats, as ssh-keygen makes them."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen here; apt-get install openssh-client")
    folder = tmp_path_factory.mktemp("keys")
    kinds = {
        "plain": ["-t", "ed25519", "-N", ""],
        "locked": ["-t", "ed25519", "-N", "secret"],
        "pem": ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
        "locked pem": ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"],
        "ecdsa": ["-t", "ecdsa", "-N", ""],
    }
    for name, options in kinds.items():
        subprocess.run(["ssh-keygen", "-q", *options, "-f", str(folder / name)], check=True, stdin=subprocess.DEVNULL)
    (folder / "text").write_text("hello\n")
    return folder


def held(keys: Path, name: str) -> AgentKey:
    file = key_file(str(keys / f"{name}.pub"))
    assert file is not None
    assert file.blob is not None
    return AgentKey(file.blob, f"{name} in agent")


@pytest.mark.parametrize(
    ("name", "encrypted"), [("plain", False), ("locked", True), ("pem", False), ("locked pem", True)]
)
def test_an_encrypted_key_is_known_as_such(keys: Path, name: str, encrypted: bool) -> None:
    file = key_file(str(keys / name))

    assert file is not None
    assert (file.private, file.encrypted) == (True, encrypted)


@pytest.mark.parametrize("name", ["plain", "locked", "ecdsa"])
def test_the_public_half_is_read_from_the_private_file(keys: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((keys / name).read_bytes())
    alone = key_file(str(tmp_path / name))

    assert alone is not None
    assert alone.blob == held(keys, name).blob


def test_the_public_half_beside_an_older_format_is_found(keys: Path) -> None:
    file = key_file(str(keys / "locked pem"))

    assert file is not None
    assert file.blob == held(keys, "locked pem").blob


@pytest.mark.parametrize("name", ["text", "no such file"])
def test_what_is_no_key_is_passed_over(keys: Path, name: str) -> None:
    assert key_file(str(keys / name)) is None


def test_named_keys_go_first_then_the_agents_then_the_default_files(keys: Path) -> None:
    agent = [held(keys, "locked"), held(keys, "ecdsa")]

    offered = candidates(named=[str(keys / "plain")], defaults=[str(keys / "pem")], agent=agent, agent_too=True)

    assert [candidate.label for candidate in offered] == [
        str(keys / "plain"),
        "locked in agent (agent)",
        "ecdsa in agent (agent)",
        str(keys / "pem"),
    ]


def test_a_named_key_that_the_agent_holds_is_used_from_there(keys: Path) -> None:
    key = held(keys, "locked")

    offered = candidates(named=[str(keys / "locked")], defaults=[], agent=[key], agent_too=False)

    assert offered == [Candidate(f"{keys / 'locked'} (agent)", agent=key, path=str(keys / "locked"))]


def test_a_named_public_half_picks_a_key_of_the_agent(keys: Path) -> None:
    agent = [held(keys, "ecdsa"), held(keys, "plain")]

    offered = candidates(named=[str(keys / "plain.pub")], defaults=[], agent=agent, agent_too=False)

    assert [candidate.agent for candidate in offered] == [held(keys, "plain")]


def test_no_key_is_offered_twice(keys: Path) -> None:
    agent = [held(keys, "plain")]

    offered = candidates(
        named=[str(keys / "plain"), str(keys / "plain")], defaults=[str(keys / "plain")], agent=agent, agent_too=True
    )

    assert len(offered) == 1


def test_identities_only_leaves_the_agents_other_keys_out(keys: Path) -> None:
    agent = [held(keys, "ecdsa")]

    offered = candidates(named=[str(keys / "plain")], defaults=[], agent=agent, agent_too=False)

    assert [candidate.label for candidate in offered] == [str(keys / "plain")]


def test_a_public_half_alone_is_no_candidate(keys: Path) -> None:
    assert candidates(named=[str(keys / "plain.pub")], defaults=[], agent=[], agent_too=True) == []

"""Smaller parts: back-off, archives, plans, what ssh says, what changes a refusal."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crankshaft_core.drivers.ssh import SSHSettings, Timing
from crankshaft_core.drivers.ssh.archive import Member, Reader, size, stream
from crankshaft_core.drivers.ssh.backoff import Backoff
from crankshaft_core.drivers.ssh.bulk import PutPlan
from crankshaft_core.drivers.ssh.credentials import stamp
from crankshaft_core.drivers.ssh.openssh_log import failure, last_words
from crankshaft_core.drivers.ssh.target import Target, resolve
from crankshaft_core.errors import AuthenticationError, TransportError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.windows: list[float] = []

    def most(self, least: float, longest: float) -> float:
        assert least == 0.0
        self.windows.append(longest)
        return longest

    @property
    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now, uniform=self.most)


def test_the_windows_double_up_to_the_longest() -> None:
    clock = Clock()
    backoff = Backoff(clock.timing, longest=60.0)

    for _ in range(8):
        backoff.failed()

    assert clock.windows == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_what_remains_passes_with_time() -> None:
    clock = Clock()
    backoff = Backoff(clock.timing)
    backoff.failed()
    clock.now += 1.5

    assert backoff.remaining == 0.5


def test_success_ends_the_waiting() -> None:
    clock = Clock()
    backoff = Backoff(clock.timing)
    backoff.failed()
    backoff.succeeded()
    assert backoff.remaining == 0.0
    backoff.failed()

    assert clock.windows == [2.0, 2.0]


def pieces(data: bytes, length: int) -> Iterator[bytes]:
    return (data[start : start + length] for start in range(0, len(data), length))


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120),
        st.binary(max_size=1500),
    ),
    st.integers(1, 3000),
)
def test_an_archive_is_as_long_as_foretold_and_read_back_in_any_pieces(files: dict[str, bytes], length: int) -> None:
    members = [Member(Path("/dev/null"), f"x/{name}", 0, 0o644) for name in files]
    data = b"".join(stream(members))

    reader = Reader(pieces(data, length))
    names = [info.name for info, _ in reader.members()]
    reader.drain()

    assert (len(data), names) == (size(members), [f"x/{name}" for name in files])


def test_an_archive_is_what_tar_reads(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content" * 100)
    members = [Member(tmp_path / "file", "a" * 200 + "/é\udcff", 700, 0o755)]

    with tarfile.open(fileobj=io.BytesIO(b"".join(stream(members))), errors="surrogateescape") as archive:
        [info] = archive.getmembers()
        content = archive.extractfile(info)
        assert content is not None
        assert (info.name, info.mode, content.read()) == ("a" * 200 + "/é\udcff", 0o755, b"content" * 100)


def test_an_empty_stream_is_an_archive_of_nothing() -> None:
    assert list(Reader(iter([])).members()) == []


def test_a_stream_that_is_no_archive_is_an_error() -> None:
    with pytest.raises(tarfile.TarError):
        list(Reader(iter([b"hello " * 500])).members())


@pytest.mark.parametrize("target", ["", "/", "/a/", "..", "/a/.."])
def test_a_file_needs_a_name_there(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(ValueError, match="not the path of a file"):
        PutPlan.of({tmp_path / "file": target})


def test_files_are_grouped_by_directory(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)

    plan = PutPlan.of({tmp_path / "a": "/x/a", tmp_path / "b": "/x//b", tmp_path / "c": "c"})

    assert plan.places == {"/x": ("a", "b"), ".": ("c",)}


DENIED = """\
OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026
debug1: Connecting to login.uni.edu [10.0.0.1] port 22.
debug1: Authenticating to login.uni.edu:22 as 'me'
debug1: Server host key: ssh-ed25519 SHA256:TuJe1+0gNWuXXO8V5BJBJ3cGUgbFPBnLlxKBo2JQ0wk
debug1: Host 'login.uni.edu' is known and matches the ED25519 host key.
debug1: Authentications that can continue: publickey,password
debug1: Next authentication method: publickey
debug1: Offering public key: my key RSA SHA256:q3MlzbuXf9yJwNuDHtRbNrv1LzQGuUcEYcXIGbJyXPk agent
debug1: Authentications that can continue: publickey,password
debug1: Offering public key: /home/me/.ssh/a b ED25519 SHA256:Xl2tXlZ0Hf0s5A6uO5DdPcMJ2dUOy9zvRxQ7GCHuCMk explicit
debug1: Authentications that can continue: publickey,password
debug1: Trying private key: /home/me/.ssh/id_rsa
debug1: Trying private key: /home/me/.ssh/id_ed25519
debug1: Authentications that can continue: publickey,password
debug1: Trying private key: /home/me/.ssh/id_xmss
debug1: No more authentication methods to try.
me@login.uni.edu: Permission denied (publickey,password).
"""
PARTIAL = """\
debug1: Authenticating to login.uni.edu:22 as 'me'
debug1: Authentications that can continue: publickey
debug1: Offering public key: /k ED25519 SHA256:Xl2tXlZ0Hf0s5A6uO5DdPcMJ2dUOy9zvRxQ7GCHuCMk explicit
Authenticated using "publickey" with partial success.
debug1: Authentications that can continue: keyboard-interactive
debug1: No more authentication methods to try.
me@login.uni.edu: Permission denied (keyboard-interactive).
"""
REFUSED = (
    "debug1: Connecting to login.uni.edu [10.0.0.1] port 22.\r\n"
    "ssh: connect to host login.uni.edu port 22: Connection refused\r\n"
)
BEHIND_A_HOP = """\
debug1: Authenticating to gate:22 as 'me'
Authenticated to gate ([10.0.0.2]:22) using "publickey".
channel 0: open failed: connect failed: Connection refused
stdio forwarding failed
kex_exchange_identification: Connection closed by remote host
Connection closed by UNKNOWN port 65535
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return resolve(SSHSettings(host="login.uni.edu", username="me", ssh_config="none", client="openssh", name="hpc"))


def test_refused_keys_are_counted_and_named(target: Target) -> None:
    error = failure(DENIED, target)

    assert isinstance(error, AuthenticationError)
    assert str(error) == (
        "me@login.uni.edu: not let in. Tried 3 keys: my key, /home/me/.ssh/a b, /home/me/.ssh/id_ed25519. The server "
        "takes: publickey, password. Name the right key with identity_file, or have it accepted: ssh-copy-id "
        "me@login.uni.edu"
    )


def test_a_second_factor_is_asked_of_a_person(target: Target) -> None:
    error = failure(PARTIAL, target)

    assert isinstance(error, AuthenticationError)
    assert str(error) == "hpc: one-time code needed. In another terminal: crankshaft login hpc"


def test_a_refused_connection_is_not_about_keys(target: Target) -> None:
    error = failure(REFUSED, target)

    assert (type(error), str(error)) == (
        TransportError,
        "me@login.uni.edu: ssh: connect to host login.uni.edu port 22: Connection refused",
    )


def test_what_a_hop_says_outranks_the_silence_behind_it() -> None:
    assert last_words(BEHIND_A_HOP) == "channel 0: open failed: connect failed: Connection refused"


def test_silence_is_said_to_be_silence(target: Target) -> None:
    assert str(failure("", target)) == "me@login.uni.edu: ssh ended without a word"


def test_a_refusal_stands_while_nothing_changes(target: Target) -> None:
    assert stamp(target) == stamp(target)


@pytest.mark.parametrize("name", ["id_ed25519", "known_hosts"])
def test_a_changed_file_lifts_a_refusal(target: Target, name: str) -> None:
    before = stamp(target)
    file = Path.home() / ".ssh" / name
    file.parent.mkdir()
    file.write_text("new")

    assert stamp(target) != before


def test_a_new_ticket_lifts_a_refusal(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/ticket")
    before = stamp(target)
    (tmp_path / "ticket").write_bytes(os.urandom(8))

    assert stamp(target) != before

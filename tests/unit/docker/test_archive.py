from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from crankshaft_core.backends.docker.archive import Entry, pack, unpack
from crankshaft_core.errors import StagingError


def packed(*entries: Entry) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(pack(entries))))


def made(members: dict[str, bytes | None]) -> list[bytes]:
    """An archive in pieces of odd sizes; None stands for a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755 if content is None else 0o644
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    text = buffer.getvalue()
    return [text[start : start + 777] for start in range(0, len(text), 777)]


def test_content_is_packed_with_its_owner() -> None:
    with packed(Entry("/in/a", b"abc", writable=False, uid=7, gid=8)) as archive:
        member = archive.getmember("in/a")
        assert (member.uid, member.gid, member.mode) == (7, 8, 0o444)
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == b"abc"


def test_a_directory_is_packed_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_bytes(b"x" * 1000)
    with packed(Entry("/d", tmp_path, writable=True)) as archive:
        assert archive.getnames() == ["d", "d/sub", "d/sub/x"]


def test_a_program_stays_executable(tmp_path: Path) -> None:
    program = tmp_path / "p"
    program.write_bytes(b"")
    program.chmod(0o700)
    with packed(Entry("/p", program, writable=False)) as archive:
        assert archive.getmember("p").mode & 0o100


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(3 * 2**20))
    pieces = pack([Entry("/f", file, writable=False)])
    next(pieces)
    next(pieces)
    file.write_bytes(b"")
    with pytest.raises(StagingError, match="became shorter"):
        list(pieces)


def test_a_file_is_unpacked_under_the_wanted_name(tmp_path: Path) -> None:
    unpack(made({"x": b"hello"}), tmp_path / "a" / "y")
    assert (tmp_path / "a" / "y").read_bytes() == b"hello"


@pytest.mark.parametrize("top", ["out", ""], ids=["docker", "podman"])
def test_a_directory_is_unpacked_under_the_wanted_name(tmp_path: Path, top: str) -> None:
    unpack(made({top: None, f"{top}/sub": None, f"{top}/sub/x": b"x"}), tmp_path / "y")
    assert (tmp_path / "y" / "sub" / "x").read_bytes() == b"x"


def test_nothing_is_unpacked_outside_of_its_place(tmp_path: Path) -> None:
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(made({"out": None, "out/../../evil": b"x"}), tmp_path / "y")
    assert not (tmp_path.parent / "evil").exists()

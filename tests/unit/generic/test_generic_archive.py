"""The archive that carries the files of jobs, as `tarfile` and `tar` read it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from crankshaft_core.backends.generic.archive import archive

DEEP = "tasks/k1-1/" + "/".join(["directory"] * 20)
FILES = {"tasks/k1-1/job": b"#!/bin/bash\n", "tasks/k1-1/env": b"x" * 512, f"{DEEP}/é\udcff": b"", "empty": b""}


def test_every_file_arrives_with_its_content_and_mode() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive([], FILES)), errors="surrogateescape") as read:
        found = {member.name: (read.extractfile(member), member.mode) for member in read}
    assert {name: (stream.read() if stream else None, mode) for name, (stream, mode) in found.items()} == {
        name: (content, 0o700 if name.endswith("job") else 0o600) for name, content in FILES.items()
    }


def test_tar_unpacks_it(tmp_path: Path) -> None:
    text = archive(["tasks", "tasks/k1-1", DEEP], FILES)
    subprocess.run(["tar", "-xf", "-"], input=text, cwd=tmp_path, check=True)
    assert (tmp_path / DEEP).stat().st_mode & 0o777 == 0o700
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES

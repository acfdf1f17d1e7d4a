"""The image snakemake:local, with Python, Snakemake and the tools of examples/variants; made of what is installed here.

Nothing can be pulled in the tests, so this interpreter is copied with its standard library, the distributions that
are wanted and all that these need, and the shared libraries that any of it loads. Crankshaft is not among them: what
runs in the containers is Snakemake alone. The root is that of busybox:local, and bash, which Snakemake wants.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import IO, Any

import docker
from packaging.requirements import Requirement

__all__ = ["SNAKEMAKE_IMAGE", "make_snakemake_image"]

SNAKEMAKE_IMAGE = "snakemake:local"
WANTED = ("snakemake", "snakemake-storage-plugin-s3", "mappy", "pysam", "matplotlib")
PYTHON, VENV = "/opt/python", "/opt/snakemake"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"{VENV}/lib/{VERSION}/site-packages"
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip"}


def make_snakemake_image(url: str) -> str:
    """Have the image on the engine at `url`, and return its name."""
    with closing(docker.DockerClient(url)) as engine:
        if not engine.images.list(SNAKEMAKE_IMAGE):
            with tempfile.TemporaryFile() as root:
                _write(root)
                root.seek(0)
                name, tag = SNAKEMAKE_IMAGE.split(":")
                changes = [f"ENV PATH={VENV}/bin:/bin"]
                pieces = iter(lambda: root.read(2**20), b"")  # docker-py 7.2 sends a file unchunked, and says chunked
                api: Any = engine.api  # which has types for some of its methods only
                api.import_image_from_stream(pieces, repository=name, tag=tag, changes=changes)
    return SNAKEMAKE_IMAGE


def _write(root: IO[bytes]) -> None:
    files = dict(_files())
    files |= {path: Path(path) for path in _libraries(files.values())}
    with tarfile.open(fileobj=root, mode="w", dereference=True) as archive:
        for name, target in _links():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for name, text in _texts():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(tmp)
        for name, path in sorted(files.items()):
            archive.add(path, name, recursive=False)


def _files() -> Iterator[tuple[str, Path]]:
    """Path in the image to the file here."""
    yield f"{PYTHON}/bin/{VERSION}", Path(sys.executable).resolve()
    yield "/bin/bash", Path(_command("bash"))
    yield "/bin/busybox", Path(_command("busybox"))
    for path in _below(Path(sysconfig.get_path("stdlib"))):
        yield f"{PYTHON}/lib/{VERSION}/{path.relative_to(sysconfig.get_path('stdlib'))}", path
    for package in _with_what_they_need(WANTED):
        yield from _files_of(package)


def _files_of(package: Distribution) -> Iterator[tuple[str, Path]]:
    """Its modules, compiled where they are; not its commands, which name this interpreter."""
    for file in package.files or ():
        path = Path(str(file.locate()))
        if ".." in file.parts or "tests" in file.parts or not path.is_file():
            continue
        yield f"{SITE}/{file}", path
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc") if path.suffix == ".py" else ():
            yield f"{SITE}/{file.parent}/__pycache__/{compiled.name}", compiled


def _below(directory: Path) -> Iterator[Path]:
    for here, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in LEFT_OUT and not name.startswith("config-")]
        yield from (Path(here, name) for name in names if "tkinter" not in name)


def _with_what_they_need(names: Iterable[str]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    waiting = [Requirement(name) for name in names]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        package = found.setdefault(wanted.name, distribution(wanted.name))
        waiting += [needed for needed in map(Requirement, package.requires or ()) if _applies(needed, wanted.extras)]
    return list(found.values())


def _applies(needed: Requirement, extras: Iterable[str]) -> bool:
    return needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _libraries(files: Iterable[Path]) -> set[str]:
    """The shared libraries that are loaded from outside of `files`, by ldd(1)."""
    own = {path.resolve() for path in files}
    binaries = [str(path) for path in own if path.suffix == ".so" or ".so." in path.name or os.access(path, os.X_OK)]
    said = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    words = {word for line in said.splitlines() if line.startswith("\t") for word in line.split()}
    return {word for word in words if word.startswith("/") and Path(word).resolve() not in own}


def _links() -> Iterator[tuple[str, str]]:
    applets = subprocess.run([_command("busybox"), "--list"], capture_output=True, text=True, check=True).stdout
    yield from ((f"bin/{applet}", "busybox") for applet in applets.split() if applet not in ("busybox", "bash"))
    yield f"{VENV}/bin/python", f"{PYTHON}/bin/{VERSION}"


def _texts() -> Iterator[tuple[str, str]]:
    yield "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
    yield "etc/group", "root:x:0:\n"
    yield f"{VENV}/pyvenv.cfg", f"home = {PYTHON}/bin\ninclude-system-site-packages = false\n"


def _command(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"no {name} here"
    return str(Path(found).resolve())

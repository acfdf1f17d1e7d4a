"""The flow's own modules, as a zip for the worker's sys.path; cloudpickle likewise."""

from __future__ import annotations

import functools
import io
import site
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import cloudpickle

__all__ = ["cloudpickle_zip", "is_by_value", "local_roots", "sources_zip"]

_MOST_FILES = 2000
_OURS = ("crankshaft_core", "prefect_crankshaft", "snakemake_executor", "prefect", "cloudpickle")


@functools.cache
def cloudpickle_zip() -> bytes:
    """The installed cloudpickle, about 20 KB: the worker then needs nothing but Python."""
    package = Path(str(cloudpickle.__file__)).parent
    return _zip((file, f"cloudpickle/{file.name}") for file in sorted(package.glob("*.py")))


def sources_zip() -> bytes:
    """The Python files of every local package and module that is loaded here; empty when there are none.

    A module that lies beside a loaded one comes too, since a function may import it only when it runs.
    """
    return _packed(tuple(sorted(_local_files().items())))


def local_roots() -> list[str]:
    """The entries of sys.path that hold local modules, for workers that see this machine's files."""
    return [str(place) for place in _places() if place.is_dir() and not _is_installed(place)]


def is_by_value(module: ModuleType) -> bool:
    """The module is a person's own, and a worker could not import it, or only together with Prefect.

    No import finds by its name what Prefect loaded from a file. A module that imports Prefect would need Prefect on
    the worker, where what its tasks call does not.
    """
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or not isinstance(file, str) or _is_ours(module.__name__):
        return False
    return not _is_installed(Path(file)) and (_uses_prefect(module) or not _is_found(module.__name__, Path(file)))


def _uses_prefect(module: ModuleType) -> bool:
    return any(_comes_from_prefect(value) for value in list(vars(module).values()))


def _comes_from_prefect(value: object) -> bool:
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return any(isinstance(name, str) and name.partition(".")[0] == "prefect" for name in (home, type(value).__module__))


def _is_found(name: str, file: Path) -> bool:
    """An import of this name, in a new process, finds this file."""
    spec = PathFinder.find_spec(name.partition(".")[0])
    if spec is None:
        return False
    if spec.submodule_search_locations is None:
        return spec.origin is not None and Path(spec.origin) == file.absolute()
    return any(file.absolute().is_relative_to(place) for place in spec.submodule_search_locations)


@functools.lru_cache(maxsize=8)
def _packed(files: tuple[tuple[str, tuple[str, int, int]], ...]) -> bytes:
    return _zip((Path(path), name) for name, (path, _, _) in files) if files else b""


def _local_files() -> dict[str, tuple[str, int, int]]:
    """Name in the zip to path, time of change and size, by which a changed file is noticed."""
    found: dict[str, tuple[str, int, int]] = {}
    for root in {root for root in map(_root_of, list(sys.modules.values())) if root is not None}:
        for file in _python_files(root):
            name = file.relative_to(root).as_posix()
            status = file.stat()
            found.setdefault(name, (str(file), status.st_mtime_ns, status.st_size))
    return found


def _root_of(module: ModuleType) -> Path | None:
    """The directory on sys.path that a local module was imported from."""
    file, name = getattr(module, "__file__", None), getattr(module, "__name__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    if not isinstance(name, str) or _is_ours(name):  # what stands in for modules need not have a name
        return None
    path = Path(file).absolute()
    if name == "__main__" or _is_installed(path):
        return None
    depth = name.count(".") + (path.name == "__init__.py")
    root = path.parents[depth] if depth < len(path.parents) else path.parent
    return root if root in _places() else None


def _places() -> list[Path]:
    """sys.path, whose empty entry stands for the working directory."""
    return [Path(entry).absolute() for entry in sys.path]


def _python_files(root: Path) -> Iterator[Path]:
    """The modules in `root`, and the packages in it that are loaded, whole."""
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    yield from sorted(root.glob("*.py"))[:_MOST_FILES]
    for package in sorted(root.iterdir()):
        if package.name in loaded and not _is_ours(package.name) and package.is_dir():
            yield from sorted(package.rglob("*.py"))[:_MOST_FILES]


def _is_ours(name: str) -> bool:
    return name.partition(".")[0].startswith(_OURS)


@functools.lru_cache(maxsize=4096)
def _is_installed(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in _installed())


@functools.cache
def _installed() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(paths[name]) for name in names} | {Path(place) for place in _site_packages()})


def _site_packages() -> list[str]:
    return [*site.getsitepackages(), site.getusersitepackages()]


def _zip(files: Iterable[tuple[Path, str]]) -> bytes:
    """Always the same bytes for the same files, so that a worker's copy can be recognised."""
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, name in files:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

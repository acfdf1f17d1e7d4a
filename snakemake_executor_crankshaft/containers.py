"""What the containers of a Docker backend see of this machine: what is mounted there, under the same path."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from crankshaft_core.config import BackendConfig, Config, DockerConfig, GenericConfig, Mount
from snakemake_executor_crankshaft.images import container_of, in_image
from snakemake_executor_crankshaft.interface import SingleJob
from snakemake_executor_crankshaft.surroundings import Surroundings

__all__ = ["brings_this_python", "hidden_from", "of_the_image", "with_mounts"]

_OF_THIS_MACHINE = ("--runtime-source-cache-path", "--scheduler-solver-path", "--conda-base-path")
"""Arguments of an inner run that name directories outside of the workflow."""
_USAGE = "--shared-fs-usage"
_STORAGE = "--storage-"
_SOFTWARE = frozenset({"software-deployment", "source-cache"})


def with_mounts(config: Config, surroundings: Surroundings) -> Config:
    """Containers on this machine see the working directory, and what is elsewhere of the workflow's own files."""
    backends = {name: _mounting(backend, surroundings) for name, backend in config.backends.items()}
    return replace(config, backends=backends)


def hidden_from(backend: BackendConfig, surroundings: Surroundings, job: SingleJob | None = None) -> list[str]:
    """What a job there needs of this machine's files and does not see, a line each. None: whatever the job."""
    here = surroundings.work_dir
    if here is None or not isinstance(backend, DockerConfig):
        return _hidden_in_image(backend, here, job)
    hidden = [path for path in (here, *surroundings.sources) if not _seen(backend, path)]
    if job is not None and not hidden:
        paths = (os.path.normpath(Path(here, file)) for file in _files_of(job))
        hidden = [path for path in paths if not _seen(backend, path)]
    return [_hidden(backend.name, path, is_file=job is not None) for path in hidden]


def _hidden_in_image(backend: BackendConfig, here: str | None, job: SingleJob | None) -> list[str]:
    """On a Generic backend a job whose rule names an image sees the working directory, and what is mounted."""
    if here is None or job is None or not isinstance(backend, GenericConfig) or backend.container is None:
        return []
    if not in_image(backend, container_of(job, job.rule.workflow)):
        return []
    mounts = (*backend.mounts, Mount(source=here, target=here))
    paths = (os.path.normpath(Path(here, file)) for file in _files_of(job))
    hidden = [path for path in paths if not any(_shows(mount, path) for mount in mounts)]
    return [_hidden(backend.name, path, is_file=True) for path in hidden]


def brings_this_python(backend: BackendConfig, surroundings: Surroundings) -> bool:
    """Jobs there have this interpreter and its packages: elsewhere always, in containers where a mount is for that.

    A mount of the working directory is not, even if the environment is in there: it needs more than its own files.
    """
    if not isinstance(backend, DockerConfig):
        return True
    here = surroundings.work_dir or "/"
    return any(_shows(mount, sys.prefix) and not _shows(mount, here) for mount in backend.mounts)


def of_the_image(arguments: Sequence[str], storages: Collection[str] = ()) -> list[str]:
    """Arguments for an inner run whose software is its image's own, and so are the caches of it.

    Of the storage plugins that are installed here it needs those that the workflow uses, `storages`, and may have no
    other: Snakemake passes on the settings of all.
    """
    kept: list[str] = []
    option = ""
    for word in arguments:
        option = word if word.startswith("--") else option
        foreign = option in _OF_THIS_MACHINE or (option == _USAGE and word in _SOFTWARE)
        if not foreign and not _of_another_storage(option, storages):
            kept.append(word)
        if word == _USAGE and _SOFTWARE.issuperset(_values(arguments, _USAGE)):
            kept.append("none")
    return kept


def _of_another_storage(option: str, storages: Collection[str]) -> bool:
    return option.startswith(_STORAGE) and not option.startswith(tuple(f"{_STORAGE}{name}-" for name in storages))


def _values(arguments: Sequence[str], option: str) -> list[str]:
    after = arguments[arguments.index(option) + 1 :]
    return list(takewhile(lambda word: not word.startswith("--"), after))


def _mounting(backend: BackendConfig, surroundings: Surroundings) -> BackendConfig:
    here = surroundings.work_dir
    if here is None or not isinstance(backend, DockerConfig) or not _is_near(backend):
        return backend
    for path in (here, *surroundings.sources):
        if not _seen(backend, path):
            mount = Mount(source=path, target=path, read_only=path != here)
            backend = backend.model_copy(update={"mounts": (*backend.mounts, mount)})
    return backend


def _is_near(backend: DockerConfig) -> bool:
    """Its engine mounts paths of this machine."""
    host = backend.host or os.environ.get("DOCKER_HOST", "")
    far = host.startswith(("tcp:", "ssh:", "http:", "https:"))
    return backend.files == "mount" or (backend.files == "auto" and not far)


def _files_of(job: SingleJob) -> list[str]:
    """What a job reads and writes in place; what is in a storage, it fetches and brings back by itself."""
    return [str(file) for file in (*job.input, *job.output) if not getattr(file, "is_storage", False)]


def _hidden(backend: str, path: str, *, is_file: bool) -> str:
    directory = Path(path).parent if is_file else path
    return (
        f"containers of backend {backend!r} do not see {path}; if it is on the machine they run on, "
        f'add to the backend: mounts = ["{directory}:{directory}"]; '
        "else have files travel with the jobs: --shared-fs-usage none"
    )


def _seen(backend: DockerConfig, path: str) -> bool:
    return any(_shows(mount, path) for mount in backend.mounts)


def _shows(mount: Mount, path: str) -> bool:
    return mount.source == mount.target and Path(path).is_relative_to(mount.target)

"""What an image is called, by people and by the runtimes: a reference into a registry, or a file."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from crankshaft_core.backends.generic.containers import Runtime
from crankshaft_core.errors import SubmitError

__all__ = ["ImageName"]

_DOCKER = "docker://"


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image of one runtime."""

    reference: str
    """What is pulled; empty for a file that is there."""
    file: str = ""
    """The path of a file that is there."""
    kept: str = ""
    """The name of the file that it is pulled into; empty where the runtime has a store of its own."""

    @classmethod
    def of(cls, image: str, runtime: Runtime, *, local: bool, who: str) -> ImageName:
        """Read a name. `local`: a relative path is one of this machine. Raises SubmitError, with the backend's name."""
        if runtime in {"podman", "docker"}:
            return cls(_registry(image, runtime, who))
        if _is_file(image):
            return cls("", file=_located(image, local=local, who=who))
        reference = image if "://" in image else _DOCKER + image
        return cls(reference, kept=_file_name(reference))

    def path(self, work_dir: str) -> str:
        """What the runtime is given to run; `work_dir` holds the directory of pulled images."""
        return self.file or (f"{work_dir}/images/{self.kept}" if self.kept else self.reference)


def _registry(image: str, runtime: Runtime, who: str) -> str:
    reference = image.removeprefix(_DOCKER)
    if "://" in reference or _is_file(reference):
        raise SubmitError(
            f"{who}: image {image!r}: {runtime} runs images of a registry (name:tag); apptainer runs files"
        )
    return reference


def _is_file(image: str) -> bool:
    return image.startswith(("/", "./", "../", "~/")) or (
        "://" not in image and image.endswith((".sif", ".simg", ".img", ".sqsh"))
    )


def _located(image: str, *, local: bool, who: str) -> str:
    if local:
        return os.path.abspath(os.path.expanduser(image))  # noqa: PTH100, PTH111 (no link is followed)
    if not image.startswith("/"):
        raise SubmitError(f"{who}: image {image!r}: the path of a file on another machine must be absolute")
    return image


def _file_name(reference: str) -> str:
    """One that a person recognises, and that no other reference has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", reference.removeprefix(_DOCKER))
    return f"{plain[-80:].lstrip('-.')}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}.sif"

"""The image that a job runs in, from what its rule names and what its backend can do with it."""

from __future__ import annotations

from typing import Any, cast

from crankshaft_core.config import BackendConfig, DockerConfig, GenericConfig
from crankshaft_core.errors import ConfigError
from snakemake_executor_crankshaft.interface import Job, members_of

__all__ = ["container_of", "image_for", "in_image", "runs_images"]

_DOCKER = "docker://"


def image_for(backend: BackendConfig, container: str | None, usual: str | None) -> str | None:
    """The task's image; None: the backend's own, or no container at all.

    `container` is the rule's. `usual` is that of `--container-image`, for backends that run nothing without an image.
    Raises ConfigError for an image that is not Docker's, unless the backend runs such as well.
    """
    if not runs_images(backend):
        return None
    if container is not None:
        return _reference(container, backend)
    if isinstance(backend, GenericConfig) or (isinstance(backend, DockerConfig) and backend.image):
        return None
    return usual


def container_of(job: Job, workflow: Any) -> str | None:
    """The image that a job's rule names (all rules of a group, the same one), unless Snakemake runs it by itself."""
    if any(method.name == "APPTAINER" for method in workflow.deployment_settings.deployment_method):
        return None
    named = {cast("Any", member).container_img_url for member in members_of(job)}
    return named.pop() if len(named) == 1 else None


def runs_images(backend: BackendConfig) -> bool:
    """Tasks there run in the image they name."""
    return not isinstance(backend, GenericConfig) or backend.container is not None or "~{image" in backend.submit


def in_image(backend: BackendConfig, container: str | None) -> bool:
    """A job whose rule names `container` runs in an image, where one without does not."""
    return isinstance(backend, GenericConfig) and container is not None and runs_images(backend)


def _reference(container: str, backend: BackendConfig) -> str:
    if isinstance(backend, GenericConfig) and backend.container in {"apptainer", "singularity"}:
        return container
    if container.startswith(_DOCKER):
        return container.removeprefix(_DOCKER)
    if "://" in container or container.endswith((".sif", ".simg")):
        raise ConfigError(
            f"container: {container}: backend {backend.name!r} runs Docker images; name one (docker://…), or have "
            "Snakemake run it: --software-deployment-method apptainer"
        )
    return container

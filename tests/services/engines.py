"""What tests leave on a container engine, removed: an engine outlives the tests that use it."""

from __future__ import annotations

from contextlib import closing

import docker

LABEL = {"label": "crankshaft.run"}


def remove_all(url: str) -> None:
    """Every container, service and volume that a run has made on the engine at `url`."""
    with closing(docker.DockerClient(url)) as engine:
        if engine.info()["Swarm"].get("ControlAvailable"):
            for service in engine.services.list(filters=LABEL):
                service.remove()
        for container in engine.api.containers(all=True, filters=LABEL):
            try:
                engine.api.remove_container(container["Id"], force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):  # somebody, the Swarm mostly, removes it already
                    raise
        for volume in engine.volumes.list(filters=LABEL):
            volume.remove(force=True)

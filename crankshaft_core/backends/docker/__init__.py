"""Containers and Swarm services, through the Docker SDK."""

from crankshaft_core.backends.docker.backend import DockerBackend

__all__ = ["DockerBackend"]

"""From an attempt to a Plan: images are there, directories are found or made, mounts are decided."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.gather import gather
from crankshaft_core.backends.docker.images import Images
from crankshaft_core.backends.docker.labels import attempt_labels, volume_name
from crankshaft_core.backends.docker.layout import beneath, directories, home, lay_out
from crankshaft_core.backends.docker.mounts import bound, configured, place, shared
from crankshaft_core.backends.docker.plan import Plan, image_of
from crankshaft_core.backends.environment import configured_env
from crankshaft_core.config.docker import DockerConfig

__all__ = ["Planner"]


class Planner:
    """Decides, for one backend, what the containers of an attempt look like."""

    def __init__(self, config: DockerConfig, client: DockerClient, images: Images, work_dir: Path) -> None:
        self._config = config
        self._client = client
        self._images = images
        self._work_dir = work_dir
        self._env = configured_env(config.env, os.environ)

    def directory(self, run: str, attempt: str) -> TaskDirectory:
        """Where an attempt's files are, unless a client in another place submitted it."""
        return TaskDirectory(self._work_dir / run / attempt)

    def sketch(self, attempt: Attempt, facts: Facts) -> Plan:
        """The plan if the images have nothing at the paths the task writes to; asks nobody, and makes nothing."""
        for number in range(len(attempt.task.executions)):
            image_of(attempt, number, self._config)
        return self._plan(attempt, facts, self._own(directories(attempt.task)))

    async def plan(self, attempt: Attempt, facts: Facts, *, services: bool) -> Plan:
        """With every image there and every directory made. Raises SubmitError, StagingError.

        Swarm nodes pull for themselves, so `services` need an image here only to look into it.
        """
        wanted = self._own(directories(attempt.task))
        names = {image_of(attempt, number, self._config) for number in range(len(attempt.task.executions))}
        here = not services or not all(wanted.values())
        images = await gather(self._images.ensure(name) for name in sorted(names)) if here else []
        plan = self._plan(attempt, facts, await self._vacant(wanted, images, attempt))
        mounts = self._config.mounts
        await self._client.work(lambda: plan.directory.make(plan.layout, plan.placements, mounts, bind=facts.binds))
        return plan

    def _own(self, wanted: Mapping[str, bool]) -> dict[str, bool]:
        """Without those that a configured mount brings."""
        targets = [item.target for item in self._config.mounts]
        return {path: always for path, always in wanted.items() if not any(beneath(path, t) for t in targets)}

    async def _vacant(self, wanted: Mapping[str, bool], images: Collection[str], attempt: Attempt) -> list[str]:
        """The directories that can be put into the containers without hiding anything of an image."""
        labels = attempt_labels(attempt)
        asked = [(image, path) for path, always in wanted.items() if not always for image in images]
        answers = await gather(self._images.vacant(image, path, labels) for image, path in asked)
        taken = {path for (_, path), vacant in zip(asked, answers, strict=True) if not vacant}
        return [path for path in wanted if path not in taken]

    def _plan(self, attempt: Attempt, facts: Facts, made: Collection[str]) -> Plan:
        placements = place(attempt.inputs, home(attempt.task), made)
        blended = [item.target for item in placements if item.blended]
        layout = lay_out(attempt.task, {*made, *blended})
        directory = self.directory(attempt.run, attempt.id)
        if facts.binds:
            mounts = bound(layout, placements, directory.path)
        else:
            mounts = shared(layout, [volume_name(attempt.id, number) for number in range(len(layout.roots))])
        return Plan(
            attempt=attempt,
            config=self._config,
            facts=facts,
            layout=layout,
            placements=placements,
            mounts=(*mounts, *configured(self._config.mounts)),
            directory=directory,
            env=self._env,
        )

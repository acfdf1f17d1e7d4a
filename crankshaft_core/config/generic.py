"""The fields of a Generic backend: command templates, and the place where they run."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from crankshaft_core.config.common import CommonConfig, rename
from crankshaft_core.config.docker import Mount
from crankshaft_core.config.fields import Interval, LocalFile, Regex, Span, StrictTable, cores
from crankshaft_core.config.secrets import Secret
from crankshaft_core.config.shapes import is_table
from crankshaft_core.units import GiB

__all__ = ["GenericConfig", "Locale", "Queue", "Reasons", "States", "SubmitErrors", "VerdictPatterns"]


class Locale(StrictTable):
    """Where the templates run: this machine, or another one by SSH."""

    kind: Literal["Local", "SSH", "Auto"] = "Local"
    """`"Local"`, `"SSH"`, or `"Auto"`: here if the submit command is on the PATH, else by SSH."""
    host: str | None = None
    """The login node, or its name in ssh_config."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Else that of ssh_config, else 22."""
    username: str | None = None
    """Else that of ssh_config, else the caller's."""
    client: Literal["paramiko", "openssh"] = "paramiko"
    """`"paramiko"`, or `"openssh"`: the system's ssh, which serves Kerberos and one-time codes (`crankshaft login`)."""
    ssh_config: Annotated[str | None, LocalFile()] = None
    """Else `~/.ssh/config`; `"none"`: no such file is read."""
    identity_file: Annotated[str | None, LocalFile()] = None
    """Private key; else those of ssh_config and of the agent."""
    passphrase: Secret | None = None
    """Of the private key."""
    password: Secret | None = None
    """For password authentication, where no key will do."""
    host_key: str | None = None
    """The only key accepted from the host (`ssh-ed25519 AAAA…`); else those of known_hosts."""
    known_hosts: Annotated[str | None, LocalFile()] = None
    """Else `~/.ssh/known_hosts`."""
    login: bool = False
    """Start the control shell with `bash -l`, so that it reads the profile."""
    timeout: Interval = 60.0
    """For one call. Bare numbers are seconds."""
    keepalive: Interval = 30.0
    """Between two signs of life on an idle connection. Bare numbers are seconds."""

    @model_validator(mode="before")
    @classmethod
    def _host_means_ssh(cls, value: object) -> object:
        if is_table(value) and "host" in value and "kind" not in value:
            return {**value, "kind": "SSH"}
        return value

    @model_validator(mode="after")
    def _host_fits(self) -> Self:
        if self.kind == "Local" and self.host is not None:
            raise ValueError(f'kind = "Local" needs no host; write kind = "SSH" to reach {self.host!r}')
        if self.kind != "Local" and not self.host:
            raise ValueError(f'kind = "{self.kind}" needs a host')
        return self


class States(StrictTable):
    """What `monitor_all` calls a job's state: regular expressions for the whole word."""

    pending: Regex | None = None
    """It waits."""
    running: Regex | None = None
    """It runs, or comes to its end."""
    stuck: Regex | None = None
    """It waits, and can never start."""


class Reasons(StrictTable):
    """What `monitor_all` gives as the reason of waiting."""

    stuck: Regex | None = None
    """With this reason a job can never start."""


class VerdictPatterns(StrictTable):
    """What `diagnose` says of a job that left no exit record, or one that another process's signal wrote."""

    oom: Regex | None = None
    """It needed more memory than it had asked for."""
    timeout: Regex | None = None
    """It ran longer than its `time`."""
    infra: Regex | None = None
    """The machinery failed it."""
    preempted: Regex | None = None
    """Its place was taken for another job."""
    cancelled: Regex | None = None
    """Somebody cancelled it."""
    stuck: Regex | None = None
    """It could never start."""
    failed: Regex | None = None
    """Its command ended with an exit code other than 0."""
    ok: Regex | None = None
    """Its command ended with exit code 0."""


class SubmitErrors(StrictTable):
    """What a failed submit says."""

    limit: Regex | None = None
    """Too many jobs for now: the task is held and tried again."""
    ambiguous: Regex | None = None
    """The job may have been accepted all the same: it is looked up."""
    authentication: Regex | None = None
    """The user is not let in: submits pause."""
    queue: Regex | None = None
    """There is no such queue: the known ones are told, from `list_queues`."""


class Queue(StrictTable):
    """A queue and the most it takes; None: no limit. The first queue that a task fits is its queue."""

    name: Annotated[str, Field(min_length=1)]
    """The queue's name."""
    max_time: Annotated[Span, Field(gt=0)] | None = None
    """The longest `time`."""
    max_ram: Annotated[GiB, Field(gt=0)] | None = None
    """The most `ram`, GiB."""
    max_cpu: Annotated[float, Field(gt=0)] | None = None
    """The most `cpu`."""
    gpu: bool | None = None
    """true: only tasks with a GPU; false: only tasks without."""


class GenericConfig(CommonConfig):
    """Any system with commands to submit, look at and end a job; or, without `job_id_regex`, plain processes."""

    kind: Literal["Generic"] = "Generic"
    """`"Generic"`."""
    preset: str | None = None
    """Fields to start from: `slurm`, `sge`, `pbs`, `torque`, `lsf`, `htcondor`, `flux` or `local`."""
    max_tasks: Annotated[int, Field(ge=1)] = 100
    """Tasks at once, queued or running. Default: 100 with a scheduler, as many as cores without `job_id_regex`."""
    submit: Annotated[str, Field(min_length=1)]
    """Template of the command that hands a job over; without `job_id_regex` it is the work itself."""
    monitor: str | None = None
    """Template that looks at one job: exit code 0 and some output while it is pending or running."""
    monitor_all: str | None = None
    """Template that lists all the user's live jobs, one a line: id, state and reason with vertical bars between."""
    kill: str | None = None
    """Template that ends jobs."""
    diagnose: str | None = None
    """Template that tells how jobs ended."""
    list_queues: str | None = None
    """Command that prints the names of the queues, one a line. Run once, when a queue is refused."""
    job_id_regex: Regex | None = None
    """Finds the job's id in what `submit` prints; the first group is the id."""
    states: States = States()
    """Regular expressions for the states that `monitor_all` prints: `pending`, `running`, `stuck`."""
    reasons: Reasons = Reasons()
    """Regular expressions for its reasons: `stuck`."""
    verdict: VerdictPatterns = VerdictPatterns()
    """Regular expressions for what `diagnose` prints: `oom`, `timeout`, `infra`, `preempted`, `cancelled`, …"""
    submit_errors: SubmitErrors = SubmitErrors()
    """Regular expressions for what a failed submit prints: `limit`, `ambiguous`, `authentication`, `queue`."""
    locale: Locale = Locale()
    """Where the templates run."""
    shell: Annotated[str, Field(min_length=1)] = "bash"
    """The shell that runs the tasks' commands."""
    max_attempts: Annotated[int, Field(ge=1)] = 1
    """How often a submit is tried that the scheduler refuses, with growing pauses. A full limit does not count."""
    prologue: str | None = None
    """Shell text run before each task's command (`module load …`)."""
    wrapper_env: str | None = None
    """Shell text that sets up the job's environment before the prologue; mostly a preset's business."""
    submit_rate: Annotated[float, Field(gt=0)] | None = None
    """Submits a second, at most."""
    submit_burst: Annotated[int, Field(ge=1)] | None = None
    """Submits that may travel at once."""
    max_user_jobs: Annotated[int, Field(ge=1)] | None = None
    """Jobs of the user, from whatever source, above which submits wait."""
    lost_after: Annotated[Span, Field(gt=0)] | None = None
    """With a per-job `monitor` only: how long it may say nothing before the task is lost."""
    container: Literal["apptainer", "singularity", "podman", "docker"] | None = None
    """What runs an execution in its image: `"apptainer"`, `"singularity"`, `"podman"` or `"docker"`."""
    container_args: str | None = None
    """More arguments for that runtime, as shell text (`--bind /ref:/ref:ro`, `--network=none`)."""
    mounts: tuple[Mount, ...] = ()
    """What containers see besides a task's own directories: `"source:target[:ro]"`, or tables of them."""
    ignore_image: bool = False
    """Run executions that name an image without it."""
    queues: tuple[Queue, ...] = ()
    """`{ name, max_time, max_ram, max_cpu, gpu }`: a task goes to the first it fits."""
    extra_args: str | None = None
    """More arguments for `submit`, as shell text (`~{extra_args}`)."""

    @model_validator(mode="before")
    @classmethod
    def _processes_by_core(cls, value: object) -> object:
        renamed = rename(value)
        if is_table(renamed) and "max_tasks" not in renamed and "job_id_regex" not in renamed:
            return {**renamed, "max_tasks": cores()}
        return renamed

    @field_validator("job_id_regex")
    @classmethod
    def _one_group(cls, text: str | None) -> str | None:
        if text is not None and re.compile(text).groups < 1:
            raise ValueError(f"'{text}' has no group; put parentheses around the job's id")
        return text

    @model_validator(mode="after")
    def _batch_is_complete(self) -> Self:
        if self.job_id_regex is None:
            return self
        if self.monitor is None and self.monitor_all is None:
            raise ValueError("job_id_regex says that jobs live on by themselves; write monitor or monitor_all as well")
        if self.kill is None:
            raise ValueError("job_id_regex says that jobs live on by themselves; write kill as well")
        return self

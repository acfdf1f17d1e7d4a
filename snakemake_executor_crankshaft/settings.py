"""The executor's command line, and what it tells Snakemake of itself.

Annotations are objects here, not text: Snakemake reads them to make the command line.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

__all__ = ["ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """`--crankshaft-…`."""

    # Optional, since Snakemake's parser does not know `Path | None`
    backend: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={
            "help": "Backend (of Crankshaft.toml) that jobs run on; a rule chooses another one with "
            "resources: crankshaft_backend='NAME'. Default: as Crankshaft.toml says, else this machine.",
            "metavar": "NAME",
        },
    )
    config: Optional[Path] = field(  # noqa: UP045
        default=None,
        metadata={
            "help": "Configuration file that is read after the site's, the user's and the nearest Crankshaft.toml.",
            "metavar": "FILE",
        },
    )
    direct: bool = field(
        default=False,
        metadata={
            "help": "Run plain shell rules by themselves, in their own container if their backend runs containers, "
            "without a Snakemake around each job: much faster, and nothing but the rule's tools is needed there. "
            "Jobs that need Snakemake where they run (scripts, conda, shadow, groups, ...) still get it, and it is "
            "said why.",
        },
    )
    report: bool = field(
        default=False,
        metadata={
            "help": "At the end, print a table of what the jobs of each rule asked for and what they used: cores, "
            "memory and time, as far as their backend tells.",
        },
    )
    logdir: Optional[Path] = field(  # noqa: UP045
        default=None,
        metadata={
            "help": "Directory for what jobs write to standard output and standard error: a directory for each rule, "
            "in it one for each set of wildcards, and in it ATTEMPT.out and ATTEMPT.err. "
            "Default: .snakemake/crankshaft_logs.",
            "metavar": "DIR",
        },
    )
    keep_successful_logs: bool = field(
        default=False,
        metadata={"help": "Keep these files also of jobs that came to a good end."},
    )
    delete_logfiles_older_than: int = field(
        default=10,
        metadata={
            "help": "Days after which these files are removed when a workflow starts; 0: never. Default: 10.",
            "metavar": "DAYS",
        },
    )
    sigterm: str = field(
        default="cancel",
        metadata={
            "help": "What SIGTERM does: 'cancel' ends all jobs, as Ctrl-C does; but where Snakemake is a Slurm job "
            "itself and its time is up, they run on. 'leave' has them run on in any case, for a later Snakemake to "
            "take up. 'finish' starts no new ones and waits for those that run, as Snakemake does by itself.",
            "choices": ["cancel", "finish", "leave"],
        },
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=True,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    # values travel as the task's environment: an `export` would show them, and mangles quotes
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
    # without a shared file system the sources travel with the tasks, and so does everything else where there is no
    # storage provider: a Snakemake start less for each job than by an archive in the storage
    can_transfer_local_files=True,
)

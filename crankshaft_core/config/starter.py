"""The file that `crankshaft init` writes."""

from __future__ import annotations

__all__ = ["starter_file"]


def starter_file() -> str:
    """A commented Crankshaft.toml. It loads as it is; what is commented out loads as well."""
    return _TEXT


_TEXT = """\
# Crankshaft.toml: the places where work can run.
#
# Snakemake:   snakemake --executor crankshaft --crankshaft-backend NAME
# Prefect:     @flow(task_runner=CrankshaftTaskRunner("NAME"))
# By hand:     crankshaft run --backend NAME -- COMMAND
# Try it:      crankshaft check
#
# Account and user name are better kept in Crankshaft.local.toml beside this file, which git should ignore.

# The backend used where none is named. `local`, this machine, is always there.
default = "local"

# --- This machine, with fewer tasks at once than it has cores -------------------------------------------------------
# [[backends]]
# name = "local"
# max_tasks = 2

# --- Slurm, reached by SSH. Other presets: sge, pbs, torque, lsf, htcondor, flux ------------------------------------
# [[backends]]
# name = "hpc"
# preset = "slurm"
# max_tasks = 100                              # jobs in the queue at once
# defaults = { cpu = 1, ram = "2GiB", time = "1h" }
# queue = "short"                              # the partition
# account = "my-project"
# work_dir = "/scratch/me/crankshaft"          # login and compute nodes must both see it
# locale = { kind = "SSH", host = "login.example.org", username = "me" }

# --- Containers, on this machine or on another one ------------------------------------------------------------------
# [[backends]]
# name = "docker"
# kind = "Docker"
# max_tasks = 4
# defaults = { cpu = 1, ram = "1GiB" }
# cleanup = true                               # false keeps containers and says their names

# --- A GA4GH TES server ---------------------------------------------------------------------------------------------
# [[backends]]
# name = "cloud"
# kind = "TES"
# url = "https://tes.example.org"
# storage = "s3://my-bucket/crankshaft"        # where inputs and outputs are exchanged
# http = { auth = { type = "bearer", token = { env = "TES_TOKEN" } } }

# --- Any other scheduler: write its commands ------------------------------------------------------------------------
# [[backends]]
# name = "other"
# kind = "Generic"
# submit = "sbatch --cpus-per-task=~{cpu} --mem=~{ram_mb}M --wrap='~{command}'"
# monitor = "squeue -h -j ~{job_id} -o %T"     # exit code 0 and some output: pending or running
# kill = "scancel ~{job_id}"
# job_id_regex = "Submitted batch job (\\\\d+)"
"""

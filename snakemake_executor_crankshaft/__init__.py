"""Snakemake on Crankshaft's backends: jobs become tasks, and what comes of the tasks is told to Snakemake at once.

Snakemake imports this package in every inner run, so nothing here imports the core before a workflow starts.
"""

from snakemake_executor_crankshaft.executor import Executor
from snakemake_executor_crankshaft.settings import ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

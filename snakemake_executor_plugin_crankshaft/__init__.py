"""Snakemake finds the executor `crankshaft` by this package's name."""

from snakemake_executor_crankshaft import Executor, ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

"""The jobs of a real Snakefile, as Snakemake itself makes them. Nothing is run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any


def jobs_of(snakefile: str, directory: Path, **flags: Any) -> dict[str, Any]:
    """By rule; the last one, where a rule has several. `flags` are settings of Snakemake."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        DAGSettings,
        DeploymentSettings,
        ExecutionSettings,
        OutputSettings,
        RemoteExecutionSettings,
        ResourceSettings,
        StorageSettings,
        WorkflowSettings,
    )
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    path = directory / "Snakefile"
    path.write_text(snakefile)
    with contextlib.chdir(directory), SnakemakeApi(OutputSettings(quiet=None)) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(nodes=1),
            storage_settings=StorageSettings(),
            workflow_settings=WorkflowSettings(cache=flags.get("cache")),
            deployment_settings=DeploymentSettings(deployment_method=flags.get("methods", frozenset())),
            snakefile=path,
            workdir=directory,
        )
        workflow_api.dag(dag_settings=DAGSettings(targets=flags.get("targets", frozenset())))
        workflow: Any = workflow_api._workflow
        workflow.execution_settings = ExecutionSettings()
        workflow.remote_execution_settings = RemoteExecutionSettings()
        workflow._executor_plugin = ExecutorPluginRegistry().get_plugin("crankshaft")
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        return {job.rule.name: job for job in workflow.dag.jobs}

"""Snakemake's own test suites for executors and plugins."""

from pathlib import Path

import pytest
from snakemake.common.tests import TestWorkflowsLocalStorageBase as WorkflowsBase
from snakemake_interface_common.plugin_registry import PluginRegistryBase
from snakemake_interface_common.plugin_registry.plugin import PluginBase, SettingsBase
from snakemake_interface_common.plugin_registry.tests import TestRegistryBase as RegistryBase
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemake_executor_plugin_crankshaft import ExecutorSettings, common_settings


class TestWorkflows(WorkflowsBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _own_state(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)

    def get_executor(self) -> str:
        return "crankshaft"

    def get_executor_settings(self) -> ExecutorSettings:
        return ExecutorSettings()


class TestRegistry(RegistryBase):
    __test__ = True

    def get_registry(self) -> PluginRegistryBase:
        return ExecutorPluginRegistry()

    def get_test_plugin_name(self) -> str:
        return "crankshaft"

    def validate_plugin(self, plugin: PluginBase) -> None:
        assert plugin.settings_cls is ExecutorSettings
        assert plugin.common_settings is common_settings

    def validate_settings(self, settings: SettingsBase, plugin: PluginBase) -> None:
        assert isinstance(settings, ExecutorSettings)
        assert settings == ExecutorSettings(backend="hpc", config=Path("/etc/x.toml"), sigterm="finish")

    def get_example_args(self) -> list[str]:
        return [
            "--crankshaft-backend", "hpc", "--crankshaft-config", "/etc/x.toml", "--crankshaft-sigterm", "finish",
        ]  # fmt: skip

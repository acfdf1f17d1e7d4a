"""Snakemake's own test suites for executors and plugins."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.common.tests import TestWorkflowsLocalStorageBase as SharedBase
from snakemake.common.tests import TestWorkflowsMinioPlayStorageBase as WithS3Base
from snakemake_interface_common.plugin_registry import PluginRegistryBase
from snakemake_interface_common.plugin_registry.plugin import PluginBase, SettingsBase
from snakemake_interface_common.plugin_registry.tests import TestRegistryBase as RegistryBase
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemake_executor_plugin_crankshaft import ExecutorSettings, common_settings
from tests.adapters.snakemake.buckets import s3_on_loopback
from tests.services.running import Slurm

PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"
HERE = f"""
[[backends]]
name = "here"
preset = "local"
env = {{ PATH = "{PATH}" }}
"""
SLURM = f"""
[[backends]]
name = "slurm"
preset = "slurm"
env = {{ PATH = "{PATH}" }}
extra_args = "--mem=500M"  # one of their rules asks for 5 MB, in which no Python starts
poll_interval = 0.2
sweep_interval = 1
submit_rate = 1000
"""


class _Here:
    """What all places have in common."""

    config = HERE
    place: Path

    @pytest.fixture(autouse=True)
    def _own_state(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        self.place = tmp_path

    def get_executor(self) -> str:
        return "crankshaft"

    def get_executor_settings(self) -> ExecutorSettings:
        file = self.place / "Crankshaft.toml"
        file.write_text(self.config)
        return ExecutorSettings(config=file)


class _OnSlurm:
    config = SLURM

    @pytest.fixture(autouse=True)
    def _slurm(self, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in slurm.env.items():
            monkeypatch.setenv(name, value)


class _S3(WithS3Base):
    """With no file system that is shared. The play server of MinIO is Moto's here."""

    @pytest.fixture(autouse=True)
    def _s3(self) -> Iterator[None]:
        with s3_on_loopback({}) as env:
            self._url = env["SNAKEMAKE_STORAGE_S3_ENDPOINT_URL"]
            yield

    def get_assume_shared_fs(self) -> bool:
        return False

    @property
    def endpoint_url(self) -> str:
        return self._url


class TestHere(_Here, SharedBase):
    __test__ = True


class TestOnSlurm(_OnSlurm, _Here, SharedBase):
    __test__ = True


class TestS3Here(_Here, _S3):
    __test__ = True


class TestS3OnSlurm(_OnSlurm, _Here, _S3):
    __test__ = True


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

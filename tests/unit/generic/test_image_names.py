"""What an image is called by each runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from crankshaft_core.backends.generic.containers import Runtime
from crankshaft_core.backends.generic.image_names import ImageName
from crankshaft_core.errors import SubmitError


def named(image: str, runtime: Runtime, *, local: bool = True) -> ImageName:
    return ImageName.of(image, runtime, local=local, who="hpc")


@pytest.mark.parametrize("image", ["bio/bwa:0.7", "docker://bio/bwa:0.7"])
@pytest.mark.parametrize("runtime", ["podman", "docker"])
def test_an_engine_is_given_the_reference(image: str, runtime: Runtime) -> None:
    assert named(image, runtime).path("/w") == "bio/bwa:0.7"


@pytest.mark.parametrize("image", ["bio/bwa:0.7", "docker://bio/bwa:0.7"])
def test_apptainer_pulls_a_reference_of_docker_into_a_file(image: str) -> None:
    name = named(image, "apptainer")
    assert name.reference == "docker://bio/bwa:0.7"
    assert name.path("/w").startswith("/w/images/bio-bwa-0.7-")


def test_other_addresses_stay_what_they_are() -> None:
    assert named("oras://ghcr.io/x/y:1", "singularity").reference == "oras://ghcr.io/x/y:1"


def test_no_two_images_share_a_file() -> None:
    assert named("a/b:1", "apptainer").path("/w") != named("a-b:1", "apptainer").path("/w")


def test_a_file_is_used_as_it_is() -> None:
    name = named("/images/bwa.sif", "apptainer")
    assert (name.reference, name.path("/w")) == ("", "/images/bwa.sif")


def test_a_relative_file_is_one_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named("images/bwa.sif", "apptainer").file == str(tmp_path / "images" / "bwa.sif")


def test_a_relative_file_elsewhere_is_refused() -> None:
    with pytest.raises(SubmitError, match=r"hpc: image 'bwa\.sif': the path of a file on another machine must be"):
        named("bwa.sif", "apptainer", local=False)


@pytest.mark.parametrize("image", ["/images/bwa.sif", "library://bio/bwa", "bwa.sif"])
def test_an_engine_runs_no_files(image: str) -> None:
    with pytest.raises(SubmitError, match=r"docker runs images of a registry \(name:tag\); apptainer runs files"):
        named(image, "docker")

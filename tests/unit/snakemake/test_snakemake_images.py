"""The image that a job runs in."""

import pytest

from crankshaft_core.config import BackendConfig, Config
from crankshaft_core.errors import ConfigError
from snakemake_executor_crankshaft.images import image_for, in_image

USUAL = "snakemake/snakemake:v9"


def backend(kind: str, *more: str) -> BackendConfig:
    return Config.parse("\n".join(["[[backends]]", 'name = "b"', f'kind = "{kind}"', *more])).choose("b")


TES = backend("TES", 'url = "https://tes.example.org"')
DOCKER = backend("Docker")
DOCKER_WITH_ITS_OWN = backend("Docker", 'image = "own:1"')
LOCAL = backend("Generic", 'submit = "~{command}"')
APPTAINER = backend("Generic", 'submit = "~{command}"', 'container = "apptainer"')
PODMAN = backend("Generic", 'submit = "~{command}"', 'container = "podman"')
BOXED = backend("Generic", 'submit = "podman run ~{image} ~{command}"')


@pytest.mark.parametrize("place", [TES, DOCKER, DOCKER_WITH_ITS_OWN, BOXED, PODMAN])
@pytest.mark.parametrize("container", ["docker://bio/bwa:0.7", "bio/bwa:0.7"])
def test_it_is_the_rules_where_there_are_containers(place: BackendConfig, container: str) -> None:
    assert image_for(place, container, USUAL) == "bio/bwa:0.7"


@pytest.mark.parametrize(
    ("place", "image"), [(TES, USUAL), (DOCKER, USUAL), (DOCKER_WITH_ITS_OWN, None), (BOXED, None), (APPTAINER, None)]
)
def test_a_rule_that_names_none_gets_the_usual_one_where_nothing_runs_without(
    place: BackendConfig, image: str | None
) -> None:
    assert image_for(place, None, USUAL) == image


def test_elsewhere_there_is_none() -> None:
    assert image_for(LOCAL, "docker://bio/bwa:0.7", USUAL) is None


@pytest.mark.parametrize("container", ["library://bio/bwa", "shub://bio/bwa", "images/bwa.sif"])
def test_an_image_that_is_not_dockers_is_refused_with_what_to_do(container: str) -> None:
    with pytest.raises(ConfigError, match=r"backend 'b' runs Docker images; .* --software-deployment-method apptainer"):
        image_for(DOCKER, container, USUAL)


@pytest.mark.parametrize("container", ["docker://bio/bwa:0.7", "library://bio/bwa", "images/bwa.sif"])
def test_apptainer_is_given_what_the_rule_says(container: str) -> None:
    assert image_for(APPTAINER, container, USUAL) == container


def test_a_job_runs_in_an_image_where_its_rule_and_its_backend_say_so() -> None:
    assert in_image(PODMAN, "bio/bwa:0.7")
    assert not any([in_image(PODMAN, None), in_image(LOCAL, "bio/bwa:0.7"), in_image(DOCKER, "bio/bwa:0.7")])

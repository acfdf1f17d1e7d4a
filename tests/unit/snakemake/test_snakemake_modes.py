"""Which backends can have files how, and what is said where they cannot."""

from __future__ import annotations

import base64
import os

import pytest

from crankshaft_core.config import BackendConfig, Config
from snakemake_executor_crankshaft.modes import Mode, Ways

CARRIED = Ways(Mode.CARRIED, sources=b"few")
STORAGE = Ways(Mode.STORAGE, sources=b"few", prefix="s3://crates")
MANY = Ways(Mode.STORAGE, sources=base64.b64encode(os.urandom(100 * 1024)), prefix="s3://crates")
HERE = Ways(Mode.SHARED, here=("/home/me/flow",))


def backend(text: str) -> BackendConfig:
    return Config.parse(f"[[backends]]\nname = 'there'\n{text}").choose("there")


TES = backend("kind = 'TES'\nurl = 'http://127.0.0.1:1'")
TES_WITH_STORAGE = backend("kind = 'TES'\nurl = 'http://127.0.0.1:1'\nstorage = 's3://crates'")
LOCAL = backend("preset = 'local'")
DOCKER = backend("kind = 'Docker'\nimage = 'x'")


@pytest.mark.parametrize(
    ("ways", "place"),
    [
        (CARRIED, TES_WITH_STORAGE),
        (STORAGE, TES),
        (MANY, TES_WITH_STORAGE),
        (CARRIED, LOCAL),
        (HERE, LOCAL),
        (MANY, DOCKER),
    ],
)
def test_what_works_is_not_refused(ways: Ways, place: BackendConfig) -> None:
    assert list(ways.problems(place)) == []


@pytest.mark.parametrize(
    ("ways", "place", "words"),
    [
        (HERE, TES, 'add storage = "s3://BUCKET/PREFIX" to the backend, and use --shared-fs-usage none, or'),
        (HERE, TES_WITH_STORAGE, "Either --shared-fs-usage none (everything then travels through the backend's"),
        (CARRIED, TES, "backend 'there' has no way to bring files back. Either add storage"),
        (MANY, TES, 'too many to travel within a task; add to the backend: storage = "s3://BUCKET/PREFIX"'),
        (Ways(Mode.CARRIED, software="/opt/venv"), TES_WITH_STORAGE, "do not see /opt/venv of this machine"),
        (Ways(Mode.STORAGE), LOCAL, "a storage provider needs a prefix: --shared-fs-usage none --default-storage-prov"),
    ],
)
def test_what_cannot_work_names_what_would(ways: Ways, place: BackendConfig, words: str) -> None:
    (problem,) = ways.problems(place)
    assert words in problem

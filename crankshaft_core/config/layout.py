"""Which fields there are at which key path, read off the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, NamedTuple, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from crankshaft_core.config.common import ALIASES
from crankshaft_core.config.fields import FreeKeys, LocalFile
from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.secrets import Secret
from crankshaft_core.units import parse_duration

__all__ = ["Place", "is_free", "known_keys", "layout", "table_models"]

Path = tuple[str, ...]


class Place(NamedTuple):
    """A field, without the numbers of list elements in its path."""

    free: bool
    """A table whose keys are the writer's own."""
    local_file: bool
    """A path of this machine."""
    secret: bool
    text: bool
    """May be written as text, whatever the text looks like."""
    number: bool
    """A number, and no boolean."""
    duration: bool
    """A time that is written with a unit."""


@cache
def layout(kind: str | None = None) -> Mapping[Path, Place]:
    """Every field of a backend of this kind, by key path; None: of all kinds together."""
    models = KINDS.values() if kind is None else (KINDS[kind],)
    return {path: place for model in models for path, place in _walk(model, ())}


@cache
def known_keys(kind: str | None, path: Path) -> frozenset[str]:
    """The keys that the table at `path` may have."""
    keys = {place[-1] for place in layout(kind) if place[:-1] == path} | ALIASES.get(path, {}).keys()
    return frozenset(keys | {"extends"} if not path else keys)


def is_free(path: Path) -> bool:
    """True inside tables whose keys are the writer's own: they are neither folded nor checked."""
    places = layout()
    return any(places[path[:end]].free for end in range(1, len(path) + 1) if path[:end] in places)


@cache
def table_models() -> frozenset[type[BaseModel]]:
    """The models of all tables there are, and of the tables in them."""
    found: set[type[BaseModel]] = set()
    pending: list[type[BaseModel]] = list(KINDS.values())
    while pending:
        model = pending.pop()
        found.add(model)
        for field in model.model_fields.values():
            pending += [part for part in _models(field.annotation) if part not in found]
    return frozenset(found)


def _walk(model: type[BaseModel], prefix: Path) -> Iterator[tuple[Path, Place]]:
    for name, field in model.model_fields.items():
        marks = list(field.metadata)
        members = list(_members(field.annotation))
        free = Mapping in members or any(isinstance(part, FreeKeys) for part in marks)
        yield (
            (*prefix, name),
            Place(
                free=free,
                local_file=any(isinstance(part, LocalFile) for part in marks),
                secret=Secret in members,
                text=Secret in members or (str in members and tuple not in members and not free),
                duration=any(isinstance(part, BeforeValidator) and part.func is parse_duration for part in members),
                number=bool({int, float} & set(members)) and bool not in members,
            ),
        )
        for part in () if free else _models(field.annotation):
            yield from _walk(part, (*prefix, name))


def _models(annotation: object) -> list[type[BaseModel]]:
    return [part for part in _members(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _members(annotation: object) -> Iterator[object]:
    """The types that an annotation is made of, and the marks in its `Annotated` parts."""
    origin = get_origin(annotation)
    if origin is None:
        yield annotation
        return
    yield origin
    if origin is Annotated:
        base, *marks = get_args(annotation)
        yield from marks
        yield from _members(base)
    elif origin is not Mapping:
        for part in get_args(annotation):
            yield from _members(part)

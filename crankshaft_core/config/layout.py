"""Which fields there are at which key path, read off the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from crankshaft_core.config.fields import FreeKeys, LocalFile
from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.secrets import Secret

__all__ = ["Place", "is_free", "known_keys", "layout"]

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


@cache
def layout(kind: str | None = None) -> Mapping[Path, Place]:
    """Every field of a backend of this kind, by key path; None: of all kinds together."""
    models = KINDS.values() if kind is None else (KINDS[kind],)
    return {path: place for model in models for path, place in _walk(model, ())}


@cache
def known_keys(kind: str | None, path: Path) -> frozenset[str]:
    """The keys that the table at `path` may have."""
    keys = {place[-1] for place in layout(kind) if place[:-1] == path}
    return frozenset(keys | {"extends"} if not path else keys)


def is_free(path: Path) -> bool:
    """True inside tables whose keys are the writer's own: they are neither folded nor checked."""
    places = layout()
    return any(places[path[:end]].free for end in range(1, len(path) + 1) if path[:end] in places)


def _walk(model: type[BaseModel], prefix: Path) -> Iterator[tuple[Path, Place]]:
    for name, field in model.model_fields.items():
        marks = list(field.metadata)
        members = list(_members(field.annotation))
        models = [part for part in members if isinstance(part, type) and issubclass(part, BaseModel)]
        free = Mapping in members or any(isinstance(part, FreeKeys) for part in marks)
        yield (
            (*prefix, name),
            Place(
                free=free,
                local_file=any(isinstance(part, LocalFile) for part in marks),
                secret=Secret in members,
                text=Secret in members or (str in members and tuple not in members and not free),
                number=bool({int, float} & set(members)) and bool not in members,
            ),
        )
        for part in models if not free else ():
            yield from _walk(part, (*prefix, name))


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

"""Where the API is under the configured address, and what the server says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from crankshaft_core.backends.tes.answer import Answer, as_list, as_table, as_text
from crankshaft_core.backends.tes.client import Client
from crankshaft_core.backends.tes.http import Request
from crankshaft_core.errors import AuthenticationError, SubmitError, TransportError

__all__ = ["Service", "discover"]

_SUFFIXES = ("", "/ga4gh/tes/v1", "/v1")


@dataclass(frozen=True, slots=True)
class Service:
    """A TES server. `base` is what `/tasks` is appended to."""

    base: str
    name: str = "TES server"
    software: str = ""
    """Its own version."""
    api: tuple[int, int] | None = None
    """The version of TES it claims; None where it puts its own version there instead, as Funnel does."""
    schemes: frozenset[str] = frozenset()
    """Of the storage it lists, which is some and not necessarily all (TES 1.1, tesServiceInfo)."""
    parameters: tuple[str, ...] = ()
    """The backend parameters it lists."""
    id: str = ""

    @property
    def is_funnel(self) -> bool:
        """It empties the file named as `stdin`, and gives a command of one word to a shell (Funnel's worker, 2026)."""
        return "funnel" in self.id.lower()

    @property
    def is_planetary(self) -> bool:
        """It takes wildcards in outputs only of type DIRECTORY (Planetary's `validate_output`, 2025)."""
        return "planetary" in self.id.lower()

    @property
    def is_1_0(self) -> bool:
        """It knows nothing of tag filters, backend parameters and wildcards, and may refuse their fields."""
        return self.api is not None and self.api < (1, 1)

    def __str__(self) -> str:
        version = f" {self.software}" if self.software else ""
        api = f", TES {self.api[0]}.{self.api[1]}" if self.api else ""
        return f"{self.name}{version}{api} at {self.base}"


async def discover(client: Client, url: str) -> Service:
    """Ask for `service-info` under the address as given, then under the usual paths.

    Raises SubmitError when something answers there and it is no TES server, TransportError when nothing answers.
    """
    answers: list[str] = []
    trouble: TransportError | None = None
    for suffix in _SUFFIXES:
        base = url.rstrip("/") + suffix
        try:
            answer = await client.repeat(Request("GET", f"{base}/service-info"), retries=2)
        except AuthenticationError:
            raise
        except TransportError as error:  # a gateway may answer 502 for a path it does not know
            trouble = trouble or error
            continue
        service = _read(base, answer)
        if service is not None:
            return service
        answers.append(f"{base}/service-info ({answer.status})")
    if trouble is not None:
        raise trouble
    raise SubmitError(f"no TES server at {url}: tried {', '.join(answers)}. Is `url` right?")


def _read(base: str, answer: Answer) -> Service | None:
    info = as_table(answer.body)
    kind = as_table(info.get("type"))
    artifact = as_text(kind.get("artifact")).lower()
    if not answer.ok or not info or artifact not in ("", "tes"):
        return None
    return Service(
        base=base,
        name=as_text(info.get("name")) or as_text(info.get("id")) or "TES server",
        id=as_text(info.get("id")),
        software=as_text(info.get("version")),
        api=_api(as_text(kind.get("version"))),
        schemes=frozenset(filter(None, (urlsplit(as_text(item)).scheme for item in as_list(info.get("storage"))))),
        parameters=tuple(filter(None, map(as_text, as_list(info.get("tesResources_backend_parameters"))))),
    )


def _api(version: str) -> tuple[int, int] | None:
    """TES has had 1.0 and 1.1; anything else is the server's own version in the wrong place."""
    match = re.fullmatch(r"v?1\.([01])(\..*)?", version)
    return None if match is None else (1, int(match[1]))

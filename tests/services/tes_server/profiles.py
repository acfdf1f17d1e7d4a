"""How known TES servers differ from the documents and from each other, as read in their sources (2025 and 2026)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AZURE",
    "FUNNEL",
    "PLAIN_1_0",
    "PLAIN_1_1",
    "PLANETARY",
    "POIESIS",
    "PROFILES",
    "TESK",
    "TESP_API",
    "Profile",
]

_BOTH = ("/ga4gh/tes/v1", "/v1")


@dataclass(frozen=True)
class Profile:
    """One kind of server. The defaults are those of a server that follows TES 1.1 to the letter."""

    name: str
    version: Literal["1.0", "1.1"] = "1.1"
    claimed: str | None = None
    """`type.version` of service-info, where that is not the version of TES."""
    bases: tuple[str, ...] = ("/ga4gh/tes/v1",)
    storage: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    """Backend parameters it lists."""
    conforms: bool = True
    """Its answers pass the document."""

    ids: Literal["hex", "uuid", "counted"] = "hex"
    unknown_id: int = 404
    first_state: str = "QUEUED"
    error_body: Literal["error", "message", "text", "problem"] = "message"

    filters: frozenset[str] = frozenset({"name_prefix", "state", "tag_key"})
    newest_first: bool = False
    paging: Literal["after", "offset", "skipping", "none"] = "after"
    last_token: str | None = None
    always_token: bool = False
    """The last page has a token too, and an empty page follows."""
    largest_page: int = 2047
    refuses_large_page: bool = False
    basic_by_tag: bool = False
    """A MINIMAL listing by tag is answered with the BASIC view."""
    minimal_extra: tuple[str, ...] = ()
    nulls: bool = False
    """What is not there is null."""

    cancels_by: Literal["CANCELED", "CANCELING"] = "CANCELED"
    cancel_of_ended: int = 200
    cancel_overwrites: frozenset[str] = frozenset()
    """Terminal states that a cancel replaces."""
    cancel_of_unknown: int = 404
    empty_cancel_body: bool = False

    refuses_unknown_fields: bool = False
    refuses_empty_content: bool = False
    schemes: frozenset[str] | None = None
    """Of the URLs it takes; None: any."""
    needs_output_type: bool = False
    wildcards_are_directories: bool = False
    empties_stdin: bool = False
    """It opens the file named as `stdin` for writing."""
    shell_for_one_word: bool = False
    """A command of one word is given to a shell."""
    misses_outputs_of_failed: bool = False
    """A command that failed is a SYSTEM_ERROR where an output is not there, streams of later executors among them."""
    early_exit_code: bool = False
    """Executors have an exit code of 0 while they run."""

    def but(self, **changes: object) -> Profile:
        """The same server with a difference."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


PLAIN_1_0 = Profile("plain-1.0", version="1.0", filters=frozenset({"name_prefix"}))
PLAIN_1_1 = Profile("plain-1.1", parameters=("gpu", "vm_size"))

FUNNEL = Profile(
    "funnel",
    claimed="v0.11.0",
    bases=("", *_BOTH),
    storage=("file:///path/to/local/funnel-storage", "s3://ohsu-compbio-funnel/storage"),
    parameters=("",),
    conforms=False,
    ids="hex",
    error_body="error",
    newest_first=True,
    last_token="",
    basic_by_tag=True,
    nulls=True,
    refuses_empty_content=True,
    empties_stdin=True,
    shell_for_one_word=True,
    misses_outputs_of_failed=True,
)
TESK = Profile(
    "tesk",
    version="1.0",
    bases=_BOTH,
    filters=frozenset(),
    paging="none",
    cancel_of_ended=400,
    empty_cancel_body=True,
    error_body="problem",
    refuses_unknown_fields=True,
)
AZURE = Profile(
    "tes-azure",
    bases=("/v1",),
    storage=("https://account.blob.core.windows.net/",),
    parameters=("internal_path_prefix", "vm_size", "workflow_execution_identity"),
    unknown_id=404,
    error_body="text",
    newest_first=True,
    refuses_large_page=True,
    schemes=frozenset({"http", "https", "s3"}),
)
PLANETARY = Profile(
    "planetary",
    bases=("/v1",),
    ids="hex",
    paging="offset",
    cancels_by="CANCELING",
    cancel_of_ended=400,
    refuses_large_page=True,
    schemes=frozenset({"http", "https", "az", "s3", "gs"}),
    wildcards_are_directories=True,
)
TESP_API = Profile(
    "tesp-api",
    version="1.0",
    bases=("/v1",),
    conforms=False,
    ids="counted",
    filters=frozenset({"name_prefix"}),
    last_token="None",
    always_token=True,
    nulls=True,
    cancel_of_unknown=200,
    needs_output_type=True,
    schemes=frozenset({"http", "https", "ftp", "s3"}),
)
POIESIS = Profile(
    "poiesis",
    claimed="0.1.0",
    conforms=True,
    ids="uuid",
    unknown_id=404,
    first_state="INITIALIZING",
    paging="skipping",
    minimal_extra=("executors",),
    cancels_by="CANCELING",
    cancel_of_ended=400,
    cancel_overwrites=frozenset({"EXECUTOR_ERROR", "SYSTEM_ERROR"}),
    early_exit_code=True,
)

PROFILES: Mapping[str, Profile] = {
    profile.name: profile for profile in (PLAIN_1_0, PLAIN_1_1, FUNNEL, TESK, AZURE, PLANETARY, TESP_API, POIESIS)
}
"""All of them, by name."""

"""The fields of a GA4GH TES backend."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from crankshaft_core.config.common import CommonConfig, rename
from crankshaft_core.config.fields import Interval, LocalFile, StrictTable
from crankshaft_core.config.options import Options, reveal
from crankshaft_core.config.secrets import Secret

__all__ = ["BasicAuth", "BearerAuth", "HeaderAuth", "Http", "Storage", "TESConfig"]


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):
        raise ValueError(f"{text!r} cannot be the name of a header")
    return text


def _server_url(text: str) -> str:
    if re.search(r"//[^/]*@", text):
        raise ValueError("a password in the address would be printed and logged; write it under http.auth")
    if not re.fullmatch(r"https?://[^/\s]+\S*", text):
        raise ValueError(f"{text!r} is not the address of a server; write 'https://…'")
    return text


def _storage_url(text: str) -> str:
    if re.search(r"//[^/]*:[^/]*@", text):
        raise ValueError("a password in the address would be printed and logged; write it under storage.options")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", text):
        raise ValueError(f"{text!r} is not a URL; write 's3://bucket/prefix' or 'file:///shared/dir'")
    return text


class BasicAuth(StrictTable):
    """HTTP basic authentication (RFC 7617)."""

    type: Literal["basic"]
    """`"basic"`."""
    username: Annotated[str, Field(min_length=1)]
    """The user."""
    password: Secret
    """The user's password."""


class BearerAuth(StrictTable):
    """A bearer token (RFC 6750)."""

    type: Literal["bearer"]
    """`"bearer"`."""
    token: Secret
    """The token, read anew when the server answers 401."""


class HeaderAuth(StrictTable):
    """A header of the site's own."""

    type: Literal["header"]
    """`"header"`."""
    name: Annotated[str, AfterValidator(_header_name)]
    """The header's name."""
    value: Secret
    """Its value."""


class Http(StrictTable):
    """How requests are made."""

    auth: Annotated[BasicAuth | BearerAuth | HeaderAuth, Field(discriminator="type")] | None = None
    """`{ type = "basic", username, password }`, `{ type = "bearer", token }` or `{ type = "header", name, value }`."""
    basic_auth_token: Secret | None = None
    """Base64 of `user:password`, sent as basic authentication."""
    retries: Annotated[int, Field(ge=0)] = 5
    """How often a request that is safe to repeat is repeated."""
    max_connections: Annotated[int, Field(ge=1)] = 8
    """Connections kept to the server. Also `max_concurrency`."""
    timeout: Interval = 30.0
    """For one request. Bare numbers are seconds."""
    ca_bundle: Annotated[str | None, LocalFile()] = None
    """File of the certificate authorities to trust; else the system's."""
    verify: bool = True
    """Check the server's certificate."""
    proxy: Annotated[str | None, Field(repr=False)] = None
    """URL of a proxy; else the usual variables (HTTPS_PROXY, …)."""

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, value: object) -> object:
        return rename(value, table=("http",))

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.auth is not None and self.basic_auth_token is not None:
            raise ValueError("auth and basic_auth_token both say how to log in; keep one")
        return self


class Storage(StrictTable):
    """Where inputs and outputs are put for workers that do not see this machine's files."""

    url: Annotated[str, AfterValidator(_storage_url)]
    """`s3://bucket/prefix`, `file:///shared/dir`, or anything else that fsspec opens."""
    worker_url: Annotated[str, AfterValidator(_storage_url)] | None = None
    """The same place as the workers address it, where that differs."""
    options: Options = Field(default_factory=dict)
    """Options of the fsspec file system. Those called key, secret, token or password are secrets."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    def revealed_options(self) -> dict[str, Any]:
        """The options with their secrets looked up, for fsspec. It blocks as `Secret.reveal` does."""
        return {key: reveal(item) for key, item in self.options.items()}


class TESConfig(CommonConfig):
    """A server of the GA4GH Task Execution Service, 1.0 or 1.1."""

    kind: Literal["TES"] = "TES"
    """`"TES"`."""
    max_tasks: Annotated[int, Field(ge=1)] = 1000
    """Tasks that may be there at once, queued or running, from all users of one process."""
    url: Annotated[str, AfterValidator(_server_url)]
    """Base address; `/ga4gh/tes/v1` and `/v1` are tried by themselves."""
    http: Http = Http()
    """Authentication, time-outs, connections, certificates, proxy."""
    storage: Storage | None = None
    """URL under which files are exchanged with the workers, or a table of `url`, `worker_url` and `options`."""
    memory_unit: Literal["GB", "GiB"] = "GB"
    """What the server means by `ram_gb` and `disk_gb`: `"GB"` (as the standard says) or `"GiB"`."""

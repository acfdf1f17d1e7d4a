"""The fields of a GA4GH TES backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from crankshaft_core.config.common import CommonConfig, rename
from crankshaft_core.config.fields import Interval, LocalFile, Table
from crankshaft_core.config.secrets import Secret

__all__ = ["BasicAuth", "BearerAuth", "HeaderAuth", "Http", "Storage", "TESConfig"]


class BasicAuth(Table):
    """HTTP basic authentication (RFC 7617)."""

    type: Literal["basic"]
    """`"basic"`."""
    username: Annotated[str, Field(min_length=1)]
    """The user."""
    password: Secret
    """The user's password."""


class BearerAuth(Table):
    """A bearer token (RFC 6750)."""

    type: Literal["bearer"]
    """`"bearer"`."""
    token: Secret
    """The token, read anew when the server answers 401."""


class HeaderAuth(Table):
    """A header of the site's own."""

    type: Literal["header"]
    """`"header"`."""
    name: Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    """The header's name."""
    value: Secret
    """Its value."""


class Http(Table):
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
    proxy: str | None = None
    """URL of a proxy; else the usual variables (HTTPS_PROXY, …)."""

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, value: object) -> object:
        return rename(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.auth is not None and self.basic_auth_token is not None:
            raise ValueError("auth and basic_auth_token both say how to log in; keep one")
        return self


class Storage(Table):
    """Where inputs and outputs are put for workers that do not see this machine's files."""

    url: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://")]
    """`s3://bucket/prefix`, `file:///shared/dir`, or anything else that fsspec opens."""
    worker_url: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://")] | None = None
    """The same place as the workers address it, where that differs."""
    options: Mapping[str, object] = Field(default_factory=dict)
    """Options of the fsspec file system; a secret among them is written as a table, as everywhere."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


class TESConfig(CommonConfig):
    """A server of the GA4GH Task Execution Service, 1.0 or 1.1."""

    kind: Literal["TES"] = "TES"
    """`"TES"`."""
    max_tasks: Annotated[int, Field(ge=1)] = 1000
    """Tasks that may be there at once, queued or running, from all users of one process."""
    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    """Base address; `/ga4gh/tes/v1` and `/v1` are tried by themselves."""
    http: Http = Http()
    """Authentication, time-outs, connections, certificates, proxy."""
    storage: Storage | None = None
    """URL under which files are exchanged with the workers, or a table of `url`, `worker_url` and `options`."""
    memory_unit: Literal["GB", "GiB"] = "GB"
    """What the server means by `ram_gb` and `disk_gb`."""

    @field_validator("url")
    @classmethod
    def _no_credentials(cls, url: str) -> str:
        if "@" in url.split("//", 1)[1].split("/", 1)[0]:
            raise ValueError("a password in the address would be printed and logged; write it under http.auth")
        return url

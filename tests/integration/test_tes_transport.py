"""TLS, proxies and the shape of what is sent."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crankshaft_core.errors import ConfigError, TransportError
from tests.integration.tes_client import attempt, client, outcome, task
from tests.services.tes_server import PROFILES, TesServer

PLAIN = PROFILES["plain-1.1"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tes-server")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_of_ones_own_is_trusted_by_ca_bundle(tls: ssl.SSLContext, certificate: Path) -> None:
    http = {"ca_bundle": str(certificate)}
    async with TesServer(PLAIN, tls=tls) as server, client(server, http=http) as backend:
        assert (await outcome(backend, task())).exit_codes == (0,)


async def test_an_unknown_certificate_is_refused_with_a_hint(tls: ssl.SSLContext) -> None:
    async with TesServer(PLAIN, tls=tls) as server, client(server) as backend:
        with pytest.raises(TransportError, match=r"self.signed certificate.*Set `http\.ca_bundle`"):
            await backend.submit(attempt(task()))


async def test_an_unknown_certificate_passes_where_checking_is_switched_off(tls: ssl.SSLContext) -> None:
    async with TesServer(PLAIN, tls=tls) as server, client(server, http={"verify": False}) as backend:
        assert (await outcome(backend, task())).exit_codes == (0,)


async def test_a_ca_bundle_that_is_not_there_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="ca_bundle /no/such/file: No such file"):
        async with client("https://server", http={"ca_bundle": "/no/such/file"}):
            pass


async def test_requests_go_through_the_proxy_that_is_configured() -> None:
    async with TesServer(PLAIN) as proxy, client("http://tes.invalid", http={"proxy": proxy.url}) as backend:
        assert (await outcome(backend, task())).exit_codes == (0,)


async def test_no_more_connections_than_allowed_are_used_at_once() -> None:
    async with TesServer(PLAIN, pretend=60) as server, client(server, http={"max_connections": 3}) as backend:
        await backend.submit(attempt(task()))
        server.faults.stalled_creates, server.faults.stall = 30, 0.05
        ids = await asyncio.gather(*(backend.submit(attempt(task())) for _ in range(30)))
        assert len(set(ids)) == 30
        assert server.most_connections == 3

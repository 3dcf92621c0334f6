"""The client that looks at how a server secures connections, and what is made of what it sees."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from world_kit import SERVER, STRANGER, loopback

from conformance.run.certificates import request_complaint
from conformance.run.judge_tls import _complaint
from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import HeaderCheck, TlsStep
from conformance.world import certificates
from conformance.world.clients.channel import TlsFailed
from conformance.world.clients.replies import Dialect
from conformance.world.clients.secure import SecureClient, Shown, StartRefused
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

FIXTURES = Path(__file__).parent.parent / "fixtures" / "certificates"
Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def der(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((FIXTURES / name).read_text())


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet over TLS."""
    writer.write(b"220 hello\r\n")
    await reader.read()
    writer.close()


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin TLS on STLS, as POP3 does."""
    writer.write(b"+OK hello\r\n")
    assert await reader.readline() == b"STLS\r\n"
    writer.write(b"+OK go\r\n")
    await writer.start_tls(certificates.server_context("good", "mycompany.com"))
    await talk(reader, writer)


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Know no STLS."""
    writer.write(b"+OK hello\r\n")
    await reader.readline()
    writer.write(b"-ERR what\r\n")
    await reader.read()
    writer.close()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once."""
    writer.close()


async def served(
    session: Session, scene: Callable[[Plan], Awaitable[None]], *, tls: bool, port: int = 995
) -> None:
    with loopback() as plan:
        server = await asyncio.start_server(
            session,
            plan.address(SERVER),
            plan.port(port),
            ssl=certificates.server_context("good", "mycompany.com") if tls else None,
        )
        try:
            await scene(plan)
        finally:
            server.close()


def test_a_session_is_kept_and_resumed() -> None:
    async def scene(plan: Plan) -> None:
        session = None
        for resumed in (False, True):
            client = SecureClient(plan, Transcript(), channel="tls")
            await client.connect(STRANGER, SERVER, 995, None)
            shown = await client.secure(session, keep=True)
            client.close()
            assert shown.resumed is resumed
            assert len(shown.certificates) == (0 if resumed else 1)
            session = shown.session

    asyncio.run(served(talk, scene, tls=True))


def test_a_command_begins_tls() -> None:
    async def scene(plan: Plan) -> None:
        client = SecureClient(plan, Transcript(), channel="tls")
        await client.connect(STRANGER, SERVER, 110, Dialect.POP)
        shown = await client.secure(None, keep=False)
        client.close()
        assert (shown.resumed, len(shown.certificates)) == (False, 1)

    asyncio.run(served(upgrade, scene, tls=False, port=110))


def test_a_refused_command() -> None:
    async def scene(plan: Plan) -> None:
        client = SecureClient(plan, Transcript(), channel="tls")
        with pytest.raises(StartRefused, match="STLS was refused"):
            await client.connect(STRANGER, SERVER, 110, Dialect.POP)
        client.close()

    asyncio.run(served(refuse, scene, tls=False, port=110))


@pytest.mark.parametrize("session", [close, refuse])
def test_a_handshake_that_fails(session: Session) -> None:
    async def scene(plan: Plan) -> None:
        client = SecureClient(plan, Transcript(), channel="tls")
        await client.connect(STRANGER, SERVER, 995, None)
        with pytest.raises(TlsFailed, match="handshake failed"):
            await client.secure(None, keep=False)
        client.close()

    asyncio.run(served(session, scene, tls=False))


def check(name: str, pattern: str) -> HeaderCheck:
    return HeaderCheck(name, Pattern.parse(pattern))


CLIENT1 = (FIXTURES / "client1.pem").read_text()
INTERMEDIATE = (FIXTURES / "intermediate.pem").read_text()


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (TlsStep(995), ""),
        (TlsStep(995, chain=2, subject=(check("CN", "client1.*"),)), ""),
        (TlsStep(995, certificates=(CLIENT1, INTERMEDIATE), self_signed=False), ""),
        (TlsStep(995, issuer=(check("O", "Mailproof Test"),)), ""),
        (TlsStep(995, chain=1), "2 certificates were sent, expected 1"),
        (TlsStep(995, certificates=(INTERMEDIATE,)), "another certificate was sent"),
        (TlsStep(995, certificates=(CLIENT1, INTERMEDIATE, CLIENT1)), "2 certificates were sent"),
        (TlsStep(995, self_signed=True), "the certificate is not signed by itself"),
        (TlsStep(995, resumed=True), "the session was not resumed"),
        (TlsStep(995, subject=(check("CN", "client2.com"),)), "the subject is CN=client1.com,"),
        (TlsStep(995, subject=(check("OU", "*"),)), "the subject is CN=client1.com, expected OU"),
        (TlsStep(995, issuer=(check("CN", "client1.com"),)), "the issuer is"),
    ],
)
def test_what_is_made_of_certificates(wanted: TlsStep, complaint: str) -> None:
    shown = Shown((der("client1.pem"), der("intermediate.pem")), False, None, "TLSv1.3")
    found = _complaint(wanted, shown)
    assert found.startswith(complaint)
    assert bool(found) == bool(complaint)


def test_what_is_no_request() -> None:
    assert "no PEM signing request" in request_complaint(CLIENT1, ())
    assert "no PEM signing request" in request_complaint("hello", ())

"""Which certificate a client gets, and how long its session lives; keys and certificates kept."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from queue_world import FakeClock, FakeLog
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.protocols.wire import Echo

from reference.formats import pem
from reference.protocols.tls import Material, SecureSide, ServerTLS
from reference.protocols.tls_first import SecureFirst
from reference.storage.errors import SettingError
from reference.storage.kinds_pem import CERTIFICATE, CHAIN, KEY, check, with_dependents

CERTIFICATES = Path(__file__).parent.parent / "fixtures" / "certificates"


def fixture(name: str) -> str:
    return (CERTIFICATES / name).read_text()


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """A client's TLS connection to a secure side, in memory."""

    def __init__(
        self, side: SecureSide, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        self.transport = StringTransport()
        self.side = side
        factory: Any = TLSMemoryBIOFactory
        self.clock = Clock()  # Twisted gathers small writes for a turn of the reactor
        service = Factory.forProtocol(Echo)
        self.server = factory(side, False, service, self.clock).buildProtocol(None)
        self.server.makeConnection(self.transport)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, session=session)
        self._until(self.tls.do_handshake)
        self.tls.write(b"x")
        self._until(lambda: self.tls.read(1))

    def _until(self, act: Any) -> None:
        while True:
            try:
                act()
            except ssl.SSLWantReadError:
                self._pass_on()
            else:
                if octets := self.outgoing.read():
                    self.server.dataReceived(octets)
                return

    def _pass_on(self) -> None:
        if octets := self.outgoing.read():
            self.server.dataReceived(octets)
        self.clock.advance(0)
        assert self.transport.value() or octets, "both sides wait"
        self.incoming.write(self.transport.value())
        self.transport.clear()

    @property
    def name(self) -> str:
        der = self.tls.getpeercert(binary_form=True)
        assert der is not None
        certificate = pem.read_certificate(ssl.DER_cert_to_PEM_cert(der))
        return pem.shown(certificate.subject)["Common Name"]


class Domain:
    def __init__(self, name: str, **settings: str) -> None:
        self.name = name
        self.settings = {"CertificateType": "No", KEY: "", CERTIFICATE: "", CHAIN: "", **settings}

    def get(self, keyword: str) -> Any:
        return self.settings[keyword]


class Domains:
    def __init__(self) -> None:
        self.main = Domain("mycompany.com")
        self.client = Domain("client1.com")

    def by_address(self, ip: str) -> Domain | None:
        return {"10.0.0.1": self.main, "10.0.0.2": self.client}.get(ip)


class Settings:
    def get(self, module: str, keyword: str) -> Any:
        return {("TLS", "TimeToLive"): 600.0}[module, keyword]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def domains() -> Domains:
    return Domains()


@pytest.fixture
def tls(tmp_path: Path, domains: Domains, clock: FakeClock, log: FakeLog) -> ServerTLS:
    return ServerTLS(domains=domains, settings=Settings(), clock=clock, log=log, folder=tmp_path)


def side_of(tls: ServerTLS, ip: str) -> SecureSide:
    side = tls.side(ip)
    assert side is not None
    return side


def test_nothing_is_secured_at_first(tls: ServerTLS, tmp_path: Path) -> None:
    assert tls.side("10.0.0.1") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["Server", "Test"])
def test_the_server_wide_certificate_stays(
    word: str, tls: ServerTLS, domains: Domains, clock: FakeClock, log: FakeLog, tmp_path: Path
) -> None:
    domains.main.settings["CertificateType"] = word
    first = Connection(side_of(tls, "10.0.0.1"), client_context())
    assert first.name == "mycompany.com"
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    again = ServerTLS(domains=domains, settings=Settings(), clock=clock, log=log, folder=tmp_path)
    assert again.certificate_of(domains.main) == tls.certificate_of(domains.main)


def test_a_given_file_is_the_server_wide_one(
    domains: Domains, clock: FakeClock, log: FakeLog, tmp_path: Path
) -> None:
    given = tmp_path / "given.pem"
    given.write_text(fixture("client2.key") + fixture("client2.pem"))
    domains.main.settings["CertificateType"] = "Server"
    folder = tmp_path / "Settings"
    tls = ServerTLS(
        domains=domains, settings=Settings(), clock=clock, log=log, folder=folder, given=given
    )
    tls.check()
    assert Connection(side_of(tls, "10.0.0.1"), client_context()).name == "client2.com"
    given.write_text("nothing")
    broken = ServerTLS(
        domains=domains, settings=Settings(), clock=clock, log=log, folder=folder, given=given
    )
    with pytest.raises(ValueError, match="private key"):
        broken.check()


def test_the_domain_of_the_address_decides(tls: ServerTLS, domains: Domains) -> None:
    domains.main.settings["CertificateType"] = "Server"
    custom = {"CertificateType": "Custom", KEY: fixture("client1.key")}
    domains.client.settings.update(custom)
    assert tls.side("10.0.0.2") is None, "there is a key, but no certificate"
    domains.client.settings[CERTIFICATE] = fixture("client1.pem")
    assert Connection(side_of(tls, "10.0.0.2"), client_context()).name == "client1.com"
    assert Connection(side_of(tls, "10.0.0.1"), client_context()).name == "mycompany.com"
    assert Connection(side_of(tls, "10.9.9.9"), client_context()).name == "mycompany.com"


def test_what_openssl_does_not_take_is_told(tls: ServerTLS, domains: Domains, log: FakeLog) -> None:
    domains.main.settings |= {
        "CertificateType": "Custom",
        KEY: fixture("client1.key"),
        CERTIFICATE: fixture("client2.pem"),
    }
    assert tls.side("10.0.0.1") is None
    assert log.has("TLS", "mycompany.com is of no use")


@pytest.fixture
def side(clock: FakeClock) -> SecureSide:
    material = Material(fixture("client1.key"), fixture("client1.pem"))
    return SecureSide(material, clock=clock, life=lambda: 600.0, note=lambda *_: None)


def test_sessions_end_when_the_last_connection_has_been_closed_for_long(
    side: SecureSide, clock: FakeClock
) -> None:
    context = client_context()
    first = Connection(side, context)
    assert not first.tls.session_reused
    side.closed()
    clock.advance(599)
    second = Connection(side, context, first.tls.session)
    assert second.tls.session_reused
    clock.advance(10_000)
    third = Connection(side, context, second.tls.session)
    assert third.tls.session_reused, "a connection is open"
    side.closed()
    clock.advance(10_000)
    assert Connection(side, context, third.tls.session).tls.session_reused, "one still is"
    side.closed()
    side.closed()
    clock.advance(600)
    assert not Connection(side, context, third.tls.session).tls.session_reused


class Socket(StringTransport):
    """A transport whose protocol may change under way."""

    protocol: Any = None


def test_without_a_certificate_a_secure_socket_drops_the_connection(log: FakeLog) -> None:
    built: list[object] = []
    first = SecureFirst(
        WrappingFactory(Factory.forProtocol(ProtocolWrapper)),
        side=lambda _: built.append("asked"),
        log=log,
        module="POP",
    )
    door = first.buildProtocol(None)
    transport = Socket()
    door.makeConnection(transport)
    assert transport.disconnecting or transport.disconnected
    assert (built, transport.value()) == (["asked"], b"")
    assert log.has("POP", "has no certificate")


def test_a_secure_socket_tells_its_side_of_the_end(side: SecureSide, log: FakeLog) -> None:
    first = SecureFirst(Factory.forProtocol(Echo), side=lambda _: side, log=log, module="POP")
    transport = Socket()
    first.buildProtocol(None).makeConnection(transport)
    assert side._open == 1
    transport.protocol.dataReceived(b"QUIT\r\n")
    assert transport.disconnecting or transport.disconnected
    transport.protocol.connectionLost()
    assert side._open == 0


# Keys and certificates among Domain Settings ------------------------------------------------------


def test_a_certificate_goes_with_its_key() -> None:
    old = {KEY: "old", CERTIFICATE: "for old", CHAIN: "chain"}
    assert with_dependents({KEY: "new"}, old) == {
        KEY: "new",
        CERTIFICATE: "default",
        CHAIN: "default",
    }
    assert with_dependents({KEY: "old"}, old) == {KEY: "old"}
    assert with_dependents({"x": "y"}, old) == {"x": "y"}
    both = {KEY: "new", CERTIFICATE: "for new"}
    assert with_dependents(both, old) == {**both, CHAIN: "default"}


def test_what_fits_together() -> None:
    pair = {KEY: fixture("client1.key"), CERTIFICATE: fixture("client1.pem")}
    check({}, has_address=False)
    check(pair, has_address=True)
    check({KEY: pair[KEY]}, has_address=True)
    for typed, has_address, complaint in (
        (pair, False, "assigned network address"),
        ({CERTIFICATE: pair[CERTIFICATE]}, True, "no private key"),
        ({**pair, KEY: fixture("client2.key")}, True, "another private key"),
    ):
        with pytest.raises(SettingError, match=complaint):
            check(typed, has_address=has_address)


@pytest.mark.parametrize("name", ["client1.key", "openssl.key"])
def test_keys_in_all_their_forms(name: str) -> None:
    text = fixture(name)
    key = pem.read_key(text)
    bare = "".join(text.splitlines()[1:-1])
    assert pem.works(key)
    assert pem.key_text(key) == text
    if name == "openssl.key":
        assert pem.key_text(pem.read_key(bare)) == text


@pytest.mark.parametrize("text", ["", "x", "AAAA", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"])
def test_texts_that_are_nothing(text: str) -> None:
    for read in (pem.read_key, pem.read_certificate, pem.read_chain):
        with pytest.raises(ValueError, match="expected"):
            read(text)


def test_a_damaged_certificate_is_none() -> None:
    with pytest.raises(ValueError, match="certificate"):
        pem.read_certificate(fixture("damaged.pem"))


@pytest.mark.parametrize("size", pem.KEY_SIZES)
def test_made_keys(size: int) -> None:
    key = pem.make_key(size)
    assert key.key_size == size
    assert pem.works(key)
    assert pem.is_weak(key) == (size < 2048)


def test_sizes_that_are_not_offered() -> None:
    with pytest.raises(ValueError, match="512, 1024, 2048"):
        pem.make_key(4096)


def test_a_name_with_bad_attributes() -> None:
    with pytest.raises(ValueError, match="attributes"):
        pem.subject({"Country": "Germany"})

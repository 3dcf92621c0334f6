"""The server's side of TLS: which key and certificate a client gets, and how long sessions live.

Guide 3.5.2, Security, Using SSL/TLS Secure Connections and Domain Security Settings. When a client
wants a secure connection, only the server address that it has connected to is known: the domain
that the address belongs to decides with its setting Secure Certificate To Use:

- ``No``: secure connections are prohibited;
- ``Server`` (newer versions: ``Test``): the server-wide key and certificate, which the server makes
  and signs itself when it is first asked for one;
- ``Custom``: the domain's own key, certificate and CA chain.

A session can be resumed until Time To Live has passed since the last connection that used this key
closed. The guide counts the time for each session; here the sessions of one key go together, so a
busy domain's sessions live longer, and never shorter, than it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from OpenSSL import SSL
from OpenSSL.crypto import Error as CryptoError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from reference.kernel.clock import Clock, Timer

#: Seconds after which OpenSSL itself forgets a session; the Time To Live is ours to count.
_OPENSSL_LIFE = 7 * 86400
_SESSION_ID = b"mailproof"


class Side(Protocol):
    """What :meth:`ServerTLS.side` gives, as the protocols see it."""

    def closed(self) -> None:
        """Note that a connection that was secured has ended."""


def no_tls(local_ip: str) -> Side | None:
    """Secure nothing: a server without certificates."""
    return None


class Domain(Protocol):
    """A local domain, as it is asked here."""

    name: str

    def get(self, keyword: str, /) -> Any:
        """Return a setting."""


class Domains(Protocol):
    """The server's domains."""

    @property
    def main(self) -> Domain:
        """The Main Domain."""

    def by_address(self, ip: str, /) -> Domain | None:
        """Return the domain that a server address belongs to."""


class Log(Protocol):
    """The server's log."""

    def write(self, level: int, tag: str, text: str, /) -> None:
        """Write a record."""


class Settings(Protocol):
    """The settings registry."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return a typed setting."""


@dataclass(frozen=True, slots=True)
class Material:
    """A private key, its certificate and the certificates of its issuers, in PEM."""

    key: str
    certificate: str
    chain: str = ""


@implementer(IOpenSSLServerConnectionCreator)
class SecureSide:
    """Makes the server's side of TLS connections with one key; Twisted's ``startTLS`` takes it.

    Whoever starts TLS with it calls :meth:`closed` when the connection ends. Raises SSL.Error for
    a key and a certificate that cannot be used.
    """

    def __init__(
        self,
        material: Material,
        *,
        clock: Clock,
        life: Callable[[], float],
        note: Callable[[int, str], None],
    ) -> None:
        self._material = material
        self._clock = clock
        self._life = life
        self._note = note
        #: What is wrong with key and certificate shows at once, not in the middle of a session.
        self._context: SSL.Context | None = _context(material, self._told)
        self._open = 0
        self._forgetting: Timer | None = None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return a connection; called by Twisted."""
        self._open += 1
        forgetting, self._forgetting = self._forgetting, None
        if forgetting is not None and forgetting.active():
            forgetting.cancel()
        if self._context is None:
            self._context = _context(self._material, self._told)
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(protocol)
        return connection

    def closed(self) -> None:
        """Note that a connection has ended: sessions are forgotten some time after the last."""
        self._open -= 1
        if self._open == 0:
            self._forgetting = self._clock.call_later(self._life(), self._forget)

    def _forget(self) -> None:
        # Sessions and the keys of session tickets live in the context.
        self._context = None

    def _told(self, connection: SSL.Connection, where: int, result: int) -> None:
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            peer = getattr(_peer(connection), "host", "")
            self._note(
                3,
                f"[{peer}] {connection.get_protocol_version_name()} "
                f"{connection.get_cipher_name()} session established",
            )
        elif where & SSL.SSL_CB_ALERT and result >> 8 == 2:
            self._note(3, f"[{getattr(_peer(connection), 'host', '')}] fatal alert {result & 255}")


def _peer(connection: SSL.Connection) -> Any:
    transport = getattr(connection.get_app_data(), "transport", None)
    return transport.getPeer() if transport is not None else None


def _context(material: Material, told: Callable[[SSL.Connection, int, int], None]) -> SSL.Context:
    from reference.formats import pem

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_id(_SESSION_ID)
    context.set_timeout(_OPENSSL_LIFE)
    key = pem.read_key(material.key)
    if pem.is_weak(key):
        # The documents let domains have keys that OpenSSL takes with a word only.
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.use_privatekey(key)
    context.use_certificate(pem.read_certificate(material.certificate))
    context.check_privatekey()
    for issuer in pem.read_chain(material.chain) if material.chain else ():
        context.add_extra_chain_cert(issuer)
    context.set_info_callback(told)
    return context


class ServerTLS:
    """Finds the secure side for a server address.

    ``folder`` keeps the server-wide key and certificate, unless ``given`` names another file.
    """

    def __init__(
        self,
        *,
        domains: Domains,
        settings: Settings,
        clock: Clock,
        log: Log,
        folder: Path,
        given: Path | None = None,
    ) -> None:
        self._domains = domains
        self._settings = settings
        self._clock = clock
        self._log = log
        self._file = folder / "TLS.pem"
        self._given = given
        self._sides: dict[Material, SecureSide | None] = {}

    def side(self, local_ip: str) -> SecureSide | None:
        """Return what secures connections to a server address; None when they are prohibited."""
        domain = self._domains.by_address(local_ip) or self._domains.main
        material = self._material(domain)
        if material is None:
            return None
        if material not in self._sides:
            self._sides[material] = self._new_side(material, domain)
        return self._sides[material]

    def certificate_of(self, domain: Domain) -> str:
        """Return the certificate in PEM that a domain shows, or nothing."""
        material = self._material(domain)
        return material.certificate if material is not None else ""

    def check(self) -> None:
        """Read the file that was given. Raises ValueError, OSError."""
        if self._given is None:
            return
        try:
            _context(self._server_wide, lambda *_: None)
        except (ValueError, SSL.Error, CryptoError) as error:
            raise ValueError("not a PEM file with a private key and a certificate") from error

    def _new_side(self, material: Material, domain: Domain) -> SecureSide | None:
        try:
            return SecureSide(
                material,
                clock=self._clock,
                life=lambda: float(self._settings.get("TLS", "TimeToLive")),
                note=lambda level, text: self._log.write(level, "TLS", text),
            )
        except SSL.Error as error:
            self._log.write(1, "TLS", f"the certificate of {domain.name} is of no use: {error}")
            return None

    def _material(self, domain: Domain) -> Material | None:
        use = domain.get("CertificateType")
        if use == "Custom":
            key, certificate = domain.get("PrivateSecureKey"), domain.get("SecureCertificate")
            if not key or not certificate:
                return None
            return Material(key, certificate, domain.get("CAChain"))
        return self._server_wide if use in ("Server", "Test") else None

    @cached_property
    def _server_wide(self) -> Material:
        """The server-wide key and certificate; made when there are none yet."""
        from reference.formats import pem

        path = self._given or self._file
        if not path.exists() and self._given is None:
            key, name = pem.make_test_key(), self._domains.main.name
            certificate = pem.sign_self(
                key, pem.subject({"Common Name": name}), host=name, now=self._clock.time()
            )
            _write_secret(path, pem.key_text(key) + pem.certificate_text(certificate))
        text = path.read_text(encoding="ascii")
        chain = pem.read_chain(text)
        return Material(
            pem.key_text(pem.read_key(text)),
            pem.certificate_text(chain[0]),
            pem.chain_texts(chain[1:]),
        )


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")

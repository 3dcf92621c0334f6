"""Logins: which account a name means, whether the proof is right, and what the user may then do.

Guide 3.5.2, Access to Accounts, Security (Restricting Access) and Protection (Client-only Logins,
Relaying for Mobile Users). Every login name is an address and goes through the Router, so whatever
is true of mail is true of logins: aliases, Router records, domain aliases. A name without a domain
belongs to the domain that the server's address of the connection is dedicated to. A unified account
is opened with the account's password, and the local part that the Router leaves says whose messages
are shown.

The order of the checks: client-only logins, the name, the proof, the services; nothing about an
account is told before the proof is right. This module reads no mailbox and speaks no protocol.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reference.kernel import ntlm
from reference.kernel.protection import Protection, Standing, Visit
from reference.kernel.routes import Route, RoutingError
from reference.kernel.table import Purpose
from reference.storage.account import Account

if TYPE_CHECKING:
    from reference.storage.domains import Domains

#: Access services by the protocol that asks; SMTP has no service that must be enabled for AUTH.
SERVICES = {"POP": "POP", "IMAP": "IMAP", "PWD": "PWD", "WebMail": "WebMail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearText:
    """A name and a password as the client sent them."""

    name: str
    password: str = field(repr=False)

    def proves(self, account: Account) -> bool:
        """Tell whether the password is the account's."""
        # An empty password lets nobody in, whatever is stored (Guide 3.5.2, Security).
        return bool(self.password) and account.check_password(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A name and a digest of the server's challenge and the password: CRAM-MD5 or APOP."""

    name: str
    method: str
    challenge: str
    response: str = field(repr=False)

    def proves(self, account: Account) -> bool:
        """Tell whether the digest was made with the account's password."""
        password = account.password_text()
        if not password:  # kept in one-way encryption, or none at all
            return False
        key = password.encode("utf-8", "surrogateescape")
        challenge = self.challenge.encode("utf-8", "surrogateescape")
        if self.method == "APOP":
            expected = hashlib.md5(challenge + key, usedforsecurity=False).hexdigest()
        else:
            expected = hmac.new(key, challenge, "md5").hexdigest()
        response = self.response.strip().lower().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(expected.encode("ascii"), response)


@dataclass(frozen=True, slots=True, kw_only=True)
class NTLMResponse:
    """A name and what NTLM made of the server's challenge and the password."""

    nonce: bytes
    reply: ntlm.Reply

    @property
    def name(self) -> str:
        """The account's name; what the client takes for its Windows domain says nothing here."""
        return self.reply.name

    def proves(self, account: Account) -> bool:
        """Tell whether the response was made with the account's password."""
        password = account.password_text()
        return bool(password) and ntlm.proves(password, nonce=self.nonce, reply=self.reply)


Credentials = ClearText | Digest | NTLMResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The connection that a login comes over."""

    ip: str
    local_ip: str = ""
    """The server's own address that the client connected to."""
    secure: bool = False
    """True over SSL/TLS."""


class LoginRefused(Exception):  # noqa: N818 - a refusal, no fault
    """A login that is not granted; ``text`` is for the reply."""

    default = "access is denied"
    #: The session is closed after the reply.
    closes = False

    def __init__(self, text: str = "") -> None:
        self.text = text or self.default
        super().__init__(self.text)


class NotFromClient(LoginRefused):
    """Logins are accepted from client addresses only."""

    default = "logins are accepted from client addresses only"
    closes = True


class WrongName(LoginRefused):
    """The Router does not lead the name to an account."""

    default = "Unknown Account"


class MovedElsewhere(WrongName):
    """The name leads to another system; ``address`` is the one to use there."""

    default = "account has been moved to a remote system"

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class WrongPassword(LoginRefused):
    """The password or digest is wrong."""

    default = "Incorrect Password"


class ServiceDisabled(LoginRefused):
    """The service is disabled for the account or its domain."""

    default = "the service is disabled"


class SecureMethodRequired(LoginRefused):
    """The account wants secure methods, and this was a clear text password on an open link."""

    default = "a secure authentication method is required"


class SettingsReader(Protocol):
    """The part of the settings that this module reads."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


class Routing(Protocol):
    """The part of the Router that this module uses."""

    def route(self, address: str, /, *, purpose: Purpose = ...) -> Route:
        """Route an address. Raises RoutingError."""


@dataclass(kw_only=True)
class Login:
    """A granted login; ``leave()`` when the session ends."""

    account: Account
    label: str
    """The account's full name, as ``john@mycompany.com``."""
    mailbox: str = ""
    """The mailbox that the name asked for (``private#john``), itself or through a Router record
    (``<sales> = sales#public``); empty for INBOX."""
    real_to: str = ""
    """In a unified account: whose messages are shown; empty for all."""
    relay: bool = False
    """The account's Relay service is enabled."""
    visit: Visit | None = None
    _open: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.account.open()
        self._open = True

    def leave(self) -> None:
        """End the session: a temporary client address begins to expire. Harmless again."""
        if self._open:
            self._open = False
            self.account.close()
        if self.visit is not None:
            self.visit.leave()


class Access:
    """Grants logins."""

    def __init__(
        self,
        *,
        router: Routing,
        domains: Domains,
        settings: SettingsReader,
        protection: Protection,
    ) -> None:
        self._router = router
        self._domains = domains
        self._settings = settings
        self._protection = protection

    async def login(
        self,
        credentials: Credentials,
        *,
        service: str,
        peer: Peer,
        standing: Standing | None = None,
    ) -> Login:
        """Check a login over ``service`` (``POP``, ``IMAP``, ``PWD``, ``SMTP``).

        ``standing`` is the client address's, if the session has looked it up already. Raises
        LoginRefused. The login must be left when the session ends.
        """
        known = standing or await self._protection.standing_at_login(peer.ip)
        own = self._protection.is_own(peer.ip)
        if not (own or known.client) and self._clients_only():
            raise NotFromClient
        account, route, mailbox = self._account(credentials.name, peer)
        if isinstance(credentials, ClearText) and not peer.secure and account.get("RequireAPOP"):
            raise SecureMethodRequired
        if not credentials.proves(account):
            raise self._masked(WrongPassword())
        self._check_services(account, service, mobile=not (own or known.client))
        relay = "Relay" in account.services
        login = Login(
            account=account,
            label=account.address,
            mailbox=mailbox or route.mailbox,
            real_to=route.address,
            relay=relay,
        )
        if service in SERVICES and relay and not (own or known.client):
            login.visit = self._protection.visit(peer.ip)
        return login

    def account_of(self, address: str) -> Account | None:
        """Return the account that mail to an address goes to, or None."""
        try:
            route = self._router.route(address, purpose="mail")
        except RoutingError:
            return None
        return self._routed_account(route)

    def _clients_only(self) -> bool:
        return str(self._settings.get("Protection", "NonClientLogins")).lower() == "reject"

    def _account(self, name: str, peer: Peer) -> tuple[Account, Route, str]:
        mailbox, _, name = name.strip().rpartition("#")
        try:
            route = self._router.route(self._full(name, peer.local_ip), purpose="access")
        except RoutingError as error:
            raise self._masked(WrongName(error.text)) from error
        account = self._routed_account(route)
        if account is None:
            if route.module == "SMTP":
                raise self._masked(MovedElsewhere(route.address))
            raise self._masked(WrongName("the name is not an account name"))
        return account, route, mailbox

    def _full(self, name: str, local_ip: str) -> str:
        """Return the full account name (Guide 3.5.2, Access to Accounts, Multihoming)."""
        if "@" in name:
            return name
        if "%" in name:
            local, _, domain_name = name.rpartition("%")
            return f"{local}@{domain_name}"
        domain = self._domains.by_address(local_ip) or self._domains.main
        return f"{name}@{domain.name}"

    def _routed_account(self, route: Route) -> Account | None:
        if route.module != "LOCAL":
            return None
        local, _, domain_name = route.host.rpartition("@")
        if not local:
            local, domain_name = domain_name, ""
        domain = self._domains.get(domain_name)
        found = self._domains.find(local, domain) if domain is not None else None
        return found if isinstance(found, Account) else None

    def _check_services(self, account: Account, service: str, *, mobile: bool) -> None:
        needed = SERVICES.get(service)
        if needed is not None and needed not in account.services:
            raise ServiceDisabled(f"the {needed} service is disabled for this account")
        if mobile and "Mobile" not in account.services:
            raise ServiceDisabled("this account can be used from client addresses only")

    def _masked(self, refusal: LoginRefused) -> LoginRefused:
        """Hide whether the name or the password was wrong, if the server is told to."""
        if self._settings.get("Server", "HideAccountUnknown"):
            return LoginRefused("Incorrect Account Name or Password")
        return refusal

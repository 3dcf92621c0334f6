"""The HTTP port of users: Personal Web Sites, list archives, and the login page.

Guide 3.5.2, HTTP Module, Web Files and WebUser Interface. ``http://domain:8100/~account/page.html``
shows a file of the account's Web Site, ``http://domain:8100/~account`` its home page. The domain of
the URL goes through the Router as ``LoginPage@domain``, so every name that a domain has for logins
it has here; a Router record may also lead it to an account, whose site is then shown without the
prefix. Behind the login page a session has an entry page only: the rest of the WebUser Interface is
not offered, nor are the sites' management forms and private folders, which need a login.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from mimetypes import guess_type
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from reference.kernel.access import ClearText, Credentials, Login, LoginRefused, Peer
from reference.kernel.clock import Clock
from reference.kernel.routes import Route, RoutingError
from reference.kernel.table import Purpose
from reference.kernel.work import Work
from reference.protocols import http_pages
from reference.protocols.http_certificate import (
    CERTIFICATE_NAME,
    CERTIFICATE_TYPE,
    certificate_octets,
)
from reference.protocols.http_sessions import WebSessions
from reference.protocols.http_site import answer, quiet_site
from reference.storage.account import Account
from reference.storage.domain import Domain
from reference.storage.domains import Domains
from reference.storage.web_files import HOME, MANAGEMENT, PRIVATE, BadWebFile, WebFiles
from reference.transport.local import LOGIN_PAGE

T = TypeVar("T")

PREFIX = "~"
_HTML = "text/html; charset=utf-8"


class Routing(Protocol):
    """The part of the Router that finding a site needs."""

    def route(self, address: str, /, purpose: Purpose = ...) -> Route:
        """Route an address. Raises RoutingError."""


class Logins(Protocol):
    """Grants logins."""

    def login(
        self, credentials: Credentials, *, service: str, peer: Peer
    ) -> Coroutine[Any, Any, Login]:
        """Check a login. Raises LoginRefused."""


class Threads(Protocol):
    """Runs what touches files."""

    def run(self, call: Callable[[], T], /) -> Deferred[T]:
        """Call in a thread; gives the result."""


class Log(Protocol):
    """The System Log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebNeighbours:
    """What the pages are shown with."""

    router: Routing
    domains: Domains
    access: Logins
    threads: Threads
    clock: Clock
    work: Work
    log: Log
    certificate: Callable[[Domain], str] = lambda _: ""
    """Gives the certificate in PEM that a domain shows, or nothing."""


class UserSite(Resource):
    """The root of every URL of the port."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, neighbours: WebNeighbours) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._its = neighbours
        self._sessions = WebSessions(clock=neighbours.clock)

    def render_GET(self, request: Request) -> int:
        """Answer a GET (or, without the body, a HEAD) request."""
        token = self._its.work.task("http")
        showing = Deferred.fromCoroutine(self._show(request))
        showing.addErrback(self._broken, request)
        showing.addBoth(lambda _: token.done())
        return NOT_DONE_YET

    render_POST = render_GET  # noqa: N815 - Twisted's name

    async def _show(self, request: Request) -> None:
        path = unquote(request.path.decode("ascii", "replace")).strip("/")
        host = request.getRequestHostname().decode("ascii", "replace")
        self._its.log.write(
            4, "HTTPU", f"[{request.getClientAddress().host}] {request.method.decode()} /{path}"
        )
        if path.startswith(PREFIX):
            user, _, name = path[len(PREFIX) :].partition("/")
            await self._show_file(request, self._account(f"{user}@{host}"), name)
        elif (domain := self._domain(host)) is not None:
            await self._show_page(request, domain, path)
        else:
            await self._show_file(request, self._account(f"{LOGIN_PAGE}@{host}"), path)

    # Personal Web Sites

    async def _show_file(self, request: Request, account: Account | None, name: str) -> None:
        name = name or HOME
        if account is None or not _public(name):
            _missing(request)
            return
        try:
            content = await self._its.threads.run(lambda: WebFiles(account).read(name))
        except BadWebFile:
            _missing(request)
            return
        answer(request, http.OK, content, guess_type(name)[0] or "application/octet-stream")

    def _account(self, address: str) -> Account | None:
        try:
            route = self._its.router.route(address)
        except RoutingError:
            return None
        local, at, domain_name = route.host.rpartition("@")
        domain = self._its.domains.get(domain_name if at else "")
        if route.module != "LOCAL" or domain is None:
            return None
        found = self._its.domains.find(local if at else route.host, domain)
        if isinstance(found, Account) and "WebSite" in found.services:
            return found
        return None

    # The pages of a domain

    def _domain(self, host: str) -> Domain | None:
        """Return the domain that ``LoginPage@host`` leads to, if it leads to one."""
        try:
            route = self._its.router.route(f"{LOGIN_PAGE}@{host}", "access")
        except RoutingError:
            return None
        local, _, name = route.host.partition("@")
        if route.module != "LOCAL" or local.lower() != LOGIN_PAGE.lower():
            return None
        return self._its.domains.get(name)

    async def _show_page(self, request: Request, domain: Domain, path: str) -> None:
        folder, _, rest = path.partition("/")
        certificate = self._its.certificate(domain)
        if certificate and path == CERTIFICATE_NAME:
            answer(request, http.OK, certificate_octets(certificate), CERTIFICATE_TYPE)
            return
        if path in ("", HOME):
            page: str | None = await self._login_page(request, domain)
        elif folder == "Session":
            page = self._session_page(request, *rest.partition("/")[::2])
        elif folder == "List":
            page = await self._its.threads.run(lambda: _list_page(domain, rest))
        else:
            page = None
        if page is None:
            _missing(request)
        else:
            answer(request, http.OK, page.encode("utf-8", "replace"), _HTML)

    async def _login_page(self, request: Request, domain: Domain) -> str:
        """Return the jump page when the parameters open a session, else the login page."""
        certificate = bool(self._its.certificate(domain))
        fields = _fields(request)
        name, password = fields.get("username", ""), fields.get("password", "")
        if not name or not password:
            return http_pages.login_page(domain, certificate=certificate)
        ip = request.getClientAddress().host
        full = name if "@" in name or "%" in name else f"{name}@{domain.name}"
        try:
            login = await self._its.access.login(
                ClearText(name=full, password=password),
                service="WebMail",
                peer=Peer(ip=ip, secure=request.isSecure()),
            )
        except LoginRefused as refused:
            self._its.log.write(3, "HTTPU", f"[{ip}] login of {name} refused: {refused.text}")
            return http_pages.login_page(
                domain, certificate=certificate, name=name, error=refused.text
            )
        self._its.log.write(3, "HTTPU", f"[{ip}] {login.label} logged in")
        return http_pages.jump_page(self._sessions.begin(login, ip))

    def _session_page(self, request: Request, name: str, page: str) -> str | None:
        login = self._sessions.find(name, request.getClientAddress().host)
        if login is None:
            return http_pages.bye_page()
        if page.lower() == "bye.wssp":
            self._sessions.end(name)
            return http_pages.bye_page()
        return None if page else http_pages.entry_page(login.label, name)

    def _broken(self, failure: Any, request: Request) -> None:
        self._its.log.write(1, "HTTPU", f"a request failed: {failure.value!r}")
        answer(request, http.INTERNAL_SERVER_ERROR, b"the page cannot be shown\n")


def _fields(request: Request) -> Mapping[str, str]:
    """Return the parameters of a URL or a form: the first value of each."""
    return {
        name.decode("utf-8", "replace").lower(): values[0].decode("utf-8", "surrogateescape")
        for name, values in (request.args or {}).items()
    }


def _list_page(domain: Domain, path: str) -> str | None:
    """Return the page of a domain's lists or of one list's archive; runs in a thread."""
    name, _, page = path.partition("/")
    if name in ("", HOME):
        return http_pages.lists_page(domain)
    found = domain.lists.get(name.lower())
    if found is None or page not in ("", "List.html") or not http_pages.open_to_anybody(found):
        return None
    return http_pages.archive_page(found)


def _public(name: str) -> bool:
    """Tell whether a file is shown without a login."""
    first, *_ = parts = name.lower().split("/")
    return first != PRIVATE and parts[-1] != MANAGEMENT


def _missing(request: Request) -> None:
    answer(request, http.NOT_FOUND, b"there is no such page\n")


def user_site(neighbours: WebNeighbours, *, reactor: Any) -> Site:
    """Return the factory of the port's sessions."""
    return quiet_site(UserSite(neighbours), reactor=reactor)

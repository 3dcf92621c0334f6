"""The HTTP port of users: Personal Web Sites, for everybody, without a login.

Guide 3.5.2, HTTP Module and Web Files. ``http://domain:8100/~account/page.html`` shows a file of
the account's Web Site, ``http://domain:8100/~account`` its home page. The domain of the URL goes
through the Router as ``LoginPage@domain``, so every name that a domain has for mail it has here; a
Router record may also lead it to an account, whose site is then shown without the prefix. The
WebUser Interface itself is not offered, nor are the management forms and the private folder, which
need a login. What a domain shows of itself is in :mod:`reference.protocols.http_login`.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from reference.kernel.routes import Route, RoutingError
from reference.kernel.work import Work
from reference.protocols.http_login import (
    CERTIFICATE_NAME,
    CERTIFICATE_TYPE,
    certificate_octets,
    login_page,
)
from reference.protocols.http_site import answer, quiet_site
from reference.storage.account import Account
from reference.storage.domains import Domain, Domains
from reference.storage.web_files import HOME, MANAGEMENT, PRIVATE, BadWebFile, WebFiles

T = TypeVar("T")

#: The fictitious user that stands for a domain itself.
LOGIN_PAGE = "loginpage"
PREFIX = "~"


class Routing(Protocol):
    """The part of the Router that finding a site needs."""

    def route(self, address: str, /) -> Route:
        """Route an address. Raises RoutingError."""


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
    """What the sites are shown with."""

    router: Routing
    domains: Domains
    threads: Threads
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

    def render_GET(self, request: Request) -> int:
        """Answer a GET (or, without the body, a HEAD) request."""
        token = self._its.work.task("http")
        showing = Deferred.fromCoroutine(self._show(request))
        showing.addErrback(self._broken, request)
        showing.addBoth(lambda _: token.done())
        return NOT_DONE_YET

    async def _show(self, request: Request) -> None:
        account, name = self._find(request)
        self._its.log.write(
            4, "HTTPU", f"[{request.getClientAddress().host}] {request.method.decode()} /{name}"
        )
        if account is None and self._show_domain(request, name):
            return
        if account is None or not _public(name):
            answer(request, http.NOT_FOUND, b"there is no such page\n")
            return
        try:
            content = await self._its.threads.run(lambda: WebFiles(account).read(name))
        except BadWebFile:
            answer(request, http.NOT_FOUND, b"there is no such page\n")
            return
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        answer(request, http.OK, content, kind)

    def _show_domain(self, request: Request, name: str) -> bool:
        """Show a page of a domain itself; return False when it has none of this name."""
        domain = self._domain(request.getRequestHostname().decode("ascii", "replace"))
        certificate = self._its.certificate(domain) if domain is not None else ""
        if domain is not None and request.path == b"/":
            page = login_page(domain.name, certificate=bool(certificate))
            answer(request, http.OK, page, "text/html; charset=utf-8")
            return True
        if certificate and name == CERTIFICATE_NAME:
            answer(request, http.OK, certificate_octets(certificate), CERTIFICATE_TYPE)
            return True
        return False

    def _domain(self, host: str) -> Domain | None:
        """Return the domain that a URL's host means."""
        try:
            route = self._its.router.route(f"{LOGIN_PAGE}@{host}")
        except RoutingError:
            return None
        local, at, domain = route.host.rpartition("@")
        own = route.module == "LOCAL" and (local if at else route.host).lower() == LOGIN_PAGE
        return self._its.domains.get(domain if at else "") if own else None

    def _broken(self, failure: Any, request: Request) -> None:
        self._its.log.write(1, "HTTPU", f"a request failed: {failure.value!r}")
        answer(request, http.INTERNAL_SERVER_ERROR, b"the page cannot be shown\n")

    def _find(self, request: Request) -> tuple[Account | None, str]:
        """Return the account whose site a URL means, and the file's name in it."""
        path = unquote(request.path.decode("ascii", "replace"))
        host = request.getRequestHostname().decode("ascii", "replace")
        landing = self._account(f"{LOGIN_PAGE}@{host}")
        user, _, name = path.removeprefix("/").partition("/")
        if user.startswith(PREFIX):
            return self._account(f"{user[len(PREFIX) :]}@{host}"), name or HOME
        return landing, path.strip("/") or HOME

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


def _public(name: str) -> bool:
    """Tell whether a file is shown without a login."""
    first, *_ = parts = name.lower().split("/")
    return first != PRIVATE and parts[-1] != MANAGEMENT


def user_site(neighbours: WebNeighbours, *, reactor: Any) -> Site:
    """Return the factory of the port's sessions."""
    return quiet_site(UserSite(neighbours), reactor=reactor)

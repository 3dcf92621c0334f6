"""The HTTP port of administrators: the WebAdmin pages, to be looked at.

Guide 3.5.2, HTTP Module, Access to the Server WebAdmin Interface Pages. ``http://server:8010``
shows the entrance page of the domain that the URL names, the Main Domain's if it names none, with
links to the realms: Settings (the settings of all modules) and Accounts (the domain's accounts). A
realm asks for the name and password of an account with the access rights for it. Settings are
changed through the CLI: there are no forms but the button that wakes up the back-up server (SMTP
Module, Waking up the Backup Server).
"""

from __future__ import annotations

import base64
import binascii
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from twisted.internet.defer import Deferred
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from reference.cli.rights import Authority, as_granted
from reference.formats.dictionary import dump
from reference.kernel.access import Access, ClearText, LoginRefused, Peer
from reference.kernel.work import Work
from reference.protocols.http_site import answer, quiet_site
from reference.storage.domain import Domain
from reference.storage.domains import Domains
from reference.storage.settings import SETTINGS, Settings

REALMS = {"settings": "Settings", "accounts": "Accounts"}


_WAKE_UP = "WakeUpNow"
_WAKE_UP_FORM = (
    '<form method="post" action="/Settings/SMTP">'
    f'<button name="{_WAKE_UP}" value="yes">Wake Up Now</button></form>'
)


class Log(Protocol):
    """The System Log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminNeighbours:
    """What the pages are shown with."""

    access: Access
    domains: Domains
    settings: Settings
    work: Work
    log: Log
    version: str
    wake_up: Callable[[], bool]
    """Wakes up the back-up server now; False if none is named."""


class AdminPages(Resource):
    """The root of every URL of the port."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, neighbours: AdminNeighbours) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._its = neighbours

    def render_GET(self, request: Request) -> int:
        """Answer a GET (or, without the body, a HEAD) request."""
        token = self._its.work.task("http")
        showing = Deferred.fromCoroutine(self._show(request))
        showing.addErrback(self._broken, request)
        showing.addBoth(lambda _: token.done())
        return NOT_DONE_YET

    def render_POST(self, request: Request) -> int:
        """Press a button, and answer as to a GET request."""
        return self.render_GET(request)

    async def _show(self, request: Request) -> None:
        path = unquote(request.path.decode("ascii", "replace"))
        realm, _, name = path.strip("/").partition("/")
        client = request.getClientAddress().host
        self._its.log.write(4, "HTTPA", f"[{client}] {request.method.decode()} {path}")
        domain = self._domain(request)
        if not realm:
            _page(request, *self._entrance(domain))
            return
        if realm.lower() not in REALMS:
            answer(request, http.NOT_FOUND, b"there is no such page\n")
            return
        authority = await self._authority(request)
        page: tuple[str, str] | None = None
        if realm.lower() == "settings" and authority is not None and authority.settings:
            if name.lower() == "smtp" and _pressed(request, _WAKE_UP):
                self._its.wake_up()
            page = self._settings(name)
        if realm.lower() == "accounts" and authority is not None:
            page = self._accounts(domain) if authority.administers(domain.name) else None
        if page is None:
            words = f'Basic realm="{REALMS[realm.lower()]} of {domain.name}"'
            request.setHeader(b"WWW-Authenticate", words.encode())
            answer(request, http.UNAUTHORIZED, b"an account with access rights is needed\n")
            return
        _page(request, *page)

    def _domain(self, request: Request) -> Domain:
        name = request.getRequestHostname().decode("ascii", "replace")
        return self._its.domains.get(name) or self._its.domains.main

    async def _authority(self, request: Request) -> Authority | None:
        """Return what the browser's user may do; None without a good name and password."""
        name, password = _credentials(request)
        if not name:
            return None
        host, client = request.getHost(), request.getClientAddress()
        peer = Peer(
            ip=getattr(client, "host", ""),
            local_ip=getattr(host, "host", ""),
            secure=bool(request.isSecure()),
        )
        try:
            login = await self._its.access.login(
                ClearText(name=name, password=password), service="HTTP", peer=peer
            )
        except LoginRefused as refused:
            self._its.log.write(3, "HTTPA", f"login of {name} refused: {refused.text}")
            return None
        account = login.account
        login.leave()
        own = account.domain
        return Authority(
            domain=own.name, in_main_domain=own.is_main, rights=as_granted(account.rights)
        )

    def _broken(self, failure: Any, request: Request) -> None:
        self._its.log.write(1, "HTTPA", f"a request failed: {failure.value!r}")
        answer(request, http.INTERNAL_SERVER_ERROR, b"the page cannot be shown\n")

    # The pages: a title and what stands below it.

    def _entrance(self, domain: Domain) -> tuple[str, str]:
        links = (f'<a href="/{realm}/">{realm}</a>' for realm in REALMS.values())
        return f"CommuniGate Pro {self._its.version} at {domain.name}", _listed(links)

    def _settings(self, name: str) -> tuple[str, str]:
        module = next((module for module in SETTINGS if module.lower() == name.lower()), "")
        if not module:
            links = (
                f'<a href="/Settings/{quote(each)}">{html.escape(each)}</a>' for each in SETTINGS
            )
            return "Settings", _listed(links)
        values = self._its.settings.effective(module)
        rows = (
            f"<tr><td>{html.escape(setting.label)}<td>{html.escape(setting.keyword)}"
            f"<td>{html.escape(dump(values[setting.keyword]))}"
            for setting in SETTINGS[module]
        )
        button = _WAKE_UP_FORM if module == "SMTP" and values["SendWakeupsTo"] else ""
        return f"Settings of {module}", f"<table>{''.join(rows)}</table>{button}"

    def _accounts(self, domain: Domain) -> tuple[str, str]:
        names = (html.escape(account.name) for account in domain.accounts.values())
        return f"Accounts of {domain.name}", _listed(names)


def _pressed(request: Request, name: str) -> bool:
    """Tell whether a button was pressed, on a page of this server."""
    # A browser adds the name and password to whatever another site makes it send.
    origin = urlsplit(request.getHeader("Origin") or "").netloc
    foreign = bool(origin) and origin.lower() != (request.getHeader("Host") or "").lower()
    return request.method == b"POST" and name.encode() in (request.args or {}) and not foreign


def _credentials(request: Request) -> tuple[str, str]:
    """Return name and password of HTTP's Basic method (RFC 2617); empty ones without."""
    method, _, coded = (request.getHeader("Authorization") or "").partition(" ")
    try:
        text = base64.b64decode(coded, validate=True).decode() if method == "Basic" else ""
    except (binascii.Error, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password


def _listed(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}' for item in items)}</ul>"


def _page(request: Request, title: str, body: str) -> None:
    text = html.escape(title)
    page = f"<!DOCTYPE html><meta charset=utf-8><title>{text}</title><h1>{text}</h1>{body}\n"
    answer(request, http.OK, page.encode(), "text/html; charset=utf-8")


def admin_site(neighbours: AdminNeighbours, *, reactor: Any) -> Site:
    """Return the factory of the port's sessions."""
    return quiet_site(AdminPages(neighbours), reactor=reactor)

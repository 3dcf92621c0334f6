"""The users' HTTP port: login page, sessions, list archives and Personal Web Sites."""

from __future__ import annotations

import os
import re
import ssl
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from reception_world import CLIENT, START, STRANGER, NoThreads, PopWorld
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from reference.kernel.access import Access
from reference.kernel.router import Router
from reference.kernel.table import RoutingTable
from reference.protocols.http_sessions import INACTIVITY
from reference.protocols.http_user import WebNeighbours, user_site
from reference.storage.web_files import WebFiles
from reference.transport.local import LocalRouting

CERTIFICATE = Path(__file__).parent.parent / "fixtures" / "certificates" / "client1.pem"
LOGIN = "/?username=john&password=secret+of+company.com"


class WebWorld(PopWorld):
    """The HTTP port over a Router that knows the domains."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.real_router = Router(
            table=RoutingTable.parse(
                "www.company.com = company.com\n<LoginPage@john.example> = john\n"
            ),
            domains=self.domains,
            modules=(LocalRouting(domains=self.domains, settings=self.settings),),
            access_modules=(
                LocalRouting(domains=self.domains, settings=self.settings, for_logins=True),
            ),
        )
        access = Access(
            router=self.real_router,
            domains=self.domains,
            settings=self.settings,
            protection=self.protection,
        )
        neighbours = WebNeighbours(
            router=self.real_router,
            domains=self.domains,
            access=access,
            threads=NoThreads(),
            clock=self.clock,
            work=self.work,
            log=self.log,
            certificate=lambda _: self.certificate,
        )
        self.certificate = ""
        self.site = user_site(neighbours, reactor=Clock())

    def ask(
        self, path: str, *, host: str = "company.com", ip: str = STRANGER, form: str | None = None
    ) -> tuple[int, str]:
        """Return the status and the body of an answer; a form is posted."""
        head = f"{'GET' if form is None else 'POST'} {path} HTTP/1.0\r\nHost: {host}\r\n"
        if form is not None:
            head += (
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(form)}\r\n"
            )
        wire = StringTransport(peerAddress=IPv4Address("TCP", ip, 40000))
        channel: Any = self.site.buildProtocol(wire.getPeer())
        channel.makeConnection(wire)
        channel.dataReceived(f"{head}\r\n{form or ''}".encode())
        answer = HTTPResponse(_Socket(wire.value()))  # type: ignore[arg-type]
        answer.begin()
        return answer.status, answer.read().decode("utf-8", "surrogateescape")

    def session(self, ip: str = STRANGER) -> str:
        """Log in and return the URL of the session realm."""
        found = re.search(r"/Session/[0-9a-f-]+/", self.ask(LOGIN, ip=ip)[1])
        assert found
        return found[0]


class _Socket:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, *_: object) -> BytesIO:
        return BytesIO(self._octets)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebWorld:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return WebWorld(tmp_path)


@pytest.mark.parametrize("host", ["company.com", "COMPANY.com:8100", "www.company.com"])
@pytest.mark.parametrize("path", ["/", "/default.html"])
def test_the_login_page(world: WebWorld, path: str, host: str) -> None:
    status, page = world.ask(path, host=host)
    assert status == 200
    assert 'name="username"' in page
    assert 'name="password"' in page


def test_a_host_that_is_no_domain_has_no_page(world: WebWorld) -> None:
    assert world.ask("/", host="elsewhere.example")[0] == 404


def test_a_login_by_a_form_or_a_url_opens_a_session(world: WebWorld) -> None:
    assert "/Session/" in world.ask(LOGIN)[1]
    form = "username=john%40company.com&password=secret+of+company.com"
    assert "/Session/" in world.ask("/", form=form)[1]
    assert "/Session/" in world.ask(LOGIN, host="www.company.com")[1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("username=john&password=wrong", "Incorrect Password"),
        ("username=nobody&password=wrong", "unknown account"),
        ("username=loginpage&password=wrong", "Unknown Account|not an account"),
        ("username=%3Cb%3E&password=%FF", "&lt;b&gt;"),
        ("username=john", "username"),
    ],
)
def test_a_refused_login_gets_the_page_again(world: WebWorld, query: str, words: str) -> None:
    status, page = world.ask(f"/?{query}")
    assert status == 200
    assert "/Session/" not in page
    assert "<b>" not in page
    assert re.search(words, page)


def test_client_only_logins(world: WebWorld) -> None:
    world.settings.update("Protection", {"NonClientLogins": "reject"})
    assert "client addresses only" in world.ask(LOGIN)[1]
    assert "/Session/" in world.ask(LOGIN, ip=CLIENT)[1]


def test_a_session_belongs_to_its_address(world: WebWorld) -> None:
    realm = world.session()
    assert "john@company.com" in world.ask(realm)[1]
    assert "Disconnected" in world.ask(realm, ip=CLIENT)[1]
    assert "john@company.com" in world.ask(realm)[1]
    assert world.ask(f"{realm}Nothing.wssp")[0] == 404


def test_the_login_page_offers_the_certificate_of_the_domain(world: WebWorld) -> None:
    link = 'href="/SecureCertificate.cer">Secure Certificate<'
    assert link not in world.ask("/")[1]
    assert world.ask("/SecureCertificate.cer")[0] == 404
    world.certificate = CERTIFICATE.read_text()
    assert link in world.ask("/")[1]
    assert link in world.ask("/?username=john&password=wrong")[1]
    status, octets = world.ask("/SecureCertificate.cer")
    assert status == 200
    assert octets.encode("utf-8", "surrogateescape") == ssl.PEM_cert_to_DER_cert(world.certificate)
    assert world.ask("/SecureCertificate.cer", host="nobody.example")[0] == 404


def test_a_session_ends_with_the_bye_page(world: WebWorld) -> None:
    realm = world.session()
    assert world.john.sessions == 1
    assert "Disconnected" in world.ask(f"{realm}Bye.wssp")[1]
    assert world.john.sessions == 0
    assert "Disconnected" in world.ask(realm)[1]


def test_a_session_ends_when_nobody_asks(world: WebWorld) -> None:
    realm = world.session()
    world.clock.advance(INACTIVITY - 1)
    assert "john@company.com" in world.ask(realm)[1]
    world.clock.advance(INACTIVITY - 1)
    assert world.john.sessions == 1
    world.clock.advance(2)
    assert world.john.sessions == 0
    assert "Disconnected" in world.ask(realm)[1]


def test_lists_that_anybody_can_browse(world: WebWorld) -> None:
    domain = world.john.domain
    domain.create_list("open", "john").update({"Browse": "anybody"})
    domain.create_list("closed", "john").update({"Browse": "subscribers"})
    assert "Mailing Lists" in world.ask("/")[1]
    page = world.ask("/List/")[1]
    assert "open" in page
    assert "closed" not in page
    assert world.ask("/List/open/")[0] == 200
    assert world.ask("/List/closed/List.html")[0] == 404
    assert world.ask("/List/none/List.html")[0] == 404


def test_an_archive_shows_subjects(world: WebWorld) -> None:
    world.john.domain.create_list("open", "john").update({"Browse": "anybody"})
    archive = world.john.create_mailbox("open")
    for subject in (b"one <two>", b"=?utf-8?q?gr=C3=BC=C3=9Fe?=", b"=?none?q?x?="):
        archive.append(
            [b"Subject: " + subject + b"\r\n\r\nhello\r\n"], return_path="a@b.example", time=START
        )
    page = world.ask("/List/open/List.html")[1]
    assert "one &lt;two&gt;" in page
    assert "grüße" in page
    assert "=?none?q?x?=" in page


def test_personal_web_sites(world: WebWorld) -> None:
    path = WebFiles(world.john).path("page.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"Our page.")
    assert world.ask("/~john/page.html") == (200, "Our page.")
    assert world.ask("/page.html", host="john.example") == (200, "Our page.")
    assert world.ask("/~john/none.html")[0] == 404
    assert world.ask("/~nobody/page.html")[0] == 404
    assert world.ask("/~john/index.html")[0] == 404
    assert world.ask("/page.html")[0] == 404

"""What the HTTP ports of users and administrators share: sites without a word of their own."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class _QuietSite(Site):
    """A site without an access log of its own: the System Log has the requests."""

    def log(self, request: Any) -> None:
        """Keep quiet."""


def quiet_site(root: Resource, *, reactor: Any) -> Site:
    """Return the factory of a port's sessions."""
    site = _QuietSite(root, reactor=reactor)  # type: ignore[no-untyped-call]
    site.displayTracebacks = False
    site.noisy = False
    return site


def answer(request: Request, code: int, content: bytes, kind: str = "text/plain") -> None:
    """Answer a request, unless the browser is gone; HEAD gets no body."""
    if request.finished or request._disconnected:
        return
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", kind.encode())
    request.setHeader(b"Content-Length", b"%d" % len(content))
    if request.method != b"HEAD":
        request.write(content)
    request.finish()

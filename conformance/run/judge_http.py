"""Step ``http``: one GET request and its answer."""

from __future__ import annotations

import html
import re
import ssl
from functools import partial
from urllib.parse import urljoin

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.dialogue import code_matches
from conformance.scenario.model import Step
from conformance.scenario.steps import HttpStep
from conformance.world.clients.http import HttpReply, get
from conformance.world.clients.replies import ClientError

_LINK = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>(.*?)</a>""", re.I | re.S)
_TAG = re.compile(r"<[^>]*>")


async def judge_http(scene: Scene, step: Step) -> None:
    """Ask for the page. Raises Mismatch."""
    value: HttpStep = step.value
    channel = f"http from {value.source}"
    login = None
    if value.account:
        login = value.account, value.password or scene.password(value.account)
    asked = partial(
        get,
        scene.plan,
        scene.transcript,
        source=value.source,
        server=value.server or scene.server,
        port=scene.session.port("http"),
        channel=channel,
        login=login,
        seconds=scene.patience,
    )
    try:
        reply = await asked(url=value.url)
        if value.follow:
            reply = await asked(url=_linked(value, reply))
    except ClientError as error:
        raise Mismatch(str(error), lost=True) from None
    complaint = _complaint(value, reply)
    if complaint:
        scene.transcript.mark_bad(channel)
        raise Mismatch(f"GET {value.url} {complaint}")


def _linked(value: HttpStep, reply: HttpReply) -> str:
    """Return the URL of the page's link. Raises Mismatch."""
    body = reply.body.decode("utf-8", "replace")
    for target, text in _LINK.findall(body):
        if value.follow.lower() in _TAG.sub("", text).lower():
            return urljoin(value.url, html.unescape(target))
    raise Mismatch(f"GET {value.url} answered a page without a link “{value.follow}”")


def _complaint(value: HttpStep, reply: HttpReply) -> str:
    """Return what is wrong with an answer, or an empty string."""
    if not code_matches(value.status, str(reply.status)):
        return f"got {reply.status}, expected {value.status}"
    for check in value.header:
        found = reply.header.get_all(check.name, [])
        if not any(check.pattern is None or check.pattern.matches(text) for text in found):
            wanted = f" that matches {check.pattern.describe()}" if check.pattern else ""
            return f"has no header field {check.name}{wanted}"
    body = reply.body.decode("utf-8", "replace")
    for pattern in value.body:
        if not pattern.found_in(body):
            return f"answered a body without {pattern.describe()}"
    for pattern in value.lacks:
        if pattern.found_in(body):
            return f"answered a body with {pattern.describe()}"
    if value.certificate and reply.body != ssl.PEM_cert_to_DER_cert(value.certificate):
        return "answered something else than the certificate"
    return ""

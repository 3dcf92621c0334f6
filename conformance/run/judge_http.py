"""Step ``http``: a page, what a link or a button of it leads to, and the answer."""

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
_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.I | re.S)
_BUTTON = re.compile(
    r"""<button\b[^>]*>(.*?)</button>|<input\b[^>]*type\s*=\s*["']?submit\b[^>]*>""", re.I | re.S
)
_INPUT = re.compile(r"<input\b[^>]*", re.I)
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:["']([^"']*)["']|([^\s"'>]+))""")
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
        url = value.url
        reply = await asked(url=url)
        if value.follow:
            url = _linked(value, reply)
            reply = await asked(url=url)
        if value.press:
            target, fields = _form(value, reply)
            reply = await asked(url=urljoin(url, target), fields=fields)
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


def _form(value: HttpStep, reply: HttpReply) -> tuple[str, dict[str, str]]:
    """Return whither the button's form leads, and what it sends. Raises Mismatch."""
    for opening, inside in _FORM.findall(reply.body.decode("utf-8", "replace")):
        buttons = [_button(each) for each in _BUTTON.finditer(inside)]
        pressed = next((each for each in buttons if value.press.lower() in each[0].lower()), None)
        if pressed is None:
            continue
        inputs = [_attributes(tag) for tag in _INPUT.findall(inside)]
        sent = [each for each in inputs if each.get("type") == "hidden"] + [pressed[1]]
        fields = {each["name"]: each.get("value", "") for each in sent if "name" in each}
        return _attributes(opening).get("action", ""), fields
    raise Mismatch(f"GET {value.url} answered a page without a button “{value.press}”")


def _button(found: re.Match[str]) -> tuple[str, dict[str, str]]:
    """Return the text of a button and its attributes."""
    attributes = _attributes(found[0].partition(">")[0])
    text = _TAG.sub("", found[1]) if found[1] is not None else attributes.get("value", "")
    return html.unescape(text), attributes


def _attributes(tag: str) -> dict[str, str]:
    return {
        name.lower(): html.unescape(quoted or bare)
        for name, quoted, bare in _ATTRIBUTE.findall(tag)
    }


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

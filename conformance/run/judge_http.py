"""Step ``http``: one GET request and its answer."""

from __future__ import annotations

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.dialogue import code_matches
from conformance.scenario.model import Step
from conformance.scenario.steps import HttpStep
from conformance.world.clients.http import HttpReply, get
from conformance.world.clients.replies import ClientError


async def judge_http(scene: Scene, step: Step) -> None:
    """Ask for the page. Raises Mismatch."""
    value: HttpStep = step.value
    channel = f"http from {value.source}"
    login = None
    if value.account:
        login = value.account, value.password or scene.password(value.account)
    try:
        reply = await get(
            scene.plan,
            scene.transcript,
            url=value.url,
            source=value.source,
            server=value.server or scene.server,
            port=scene.session.port("http"),
            channel=channel,
            login=login,
            seconds=scene.patience,
        )
    except ClientError as error:
        raise Mismatch(str(error), lost=True) from None
    complaint = _complaint(value, reply)
    if complaint:
        scene.transcript.mark_bad(channel)
        raise Mismatch(f"GET {value.url} {complaint}")


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
    return ""

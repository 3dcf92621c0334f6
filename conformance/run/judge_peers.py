"""Steps ``connected`` and ``heard``: what remote hosts saw of the server besides its messages."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import ConnectedStep, HeardStep, RemoteMailboxStep


async def judge_connected(scene: Scene, step: Step) -> None:
    """Count a peer's connections. Raises Mismatch."""
    value: ConnectedStep = step.value
    await scene.rest()
    peers = [scene.world.peers[name] for name in value.hosts or scene.world.peers]
    found = {
        "in all": (sum(len(peer.connections) for peer in peers), value.count),
        "open": (sum(peer.open for peer in peers), value.open),
        "at a time": (scene.world.peak_of(peers), value.peak),
    }
    for what, (number, wanted) in found.items():
        if wanted is not None and number != wanted:
            for peer in peers:
                scene.transcript.mark_bad(peer.name)
            names = ", ".join(peer.name for peer in peers)
            raise Mismatch(f"{names}: {number} connections {what}, expected {wanted}")


async def judge_heard(scene: Scene, step: Step) -> None:
    """Look at the lines that a peer heard. Raises Mismatch."""
    value: HeardStep = step.value
    await scene.rest()
    lines = [
        line.text
        for line in scene.world.peers[value.host].heard
        if value.connection in (None, line.connection) and value.tls in (None, line.tls)
    ]
    complaint = (
        _sequence(lines, value.lines)
        or _missing(lines, value.contains)
        or _unwanted(lines, value.lacks)
    )
    if complaint:
        scene.transcript.mark_bad(value.host)
        raise Mismatch(f"{value.host} {complaint}")


async def judge_remote_mailbox(scene: Scene, step: Step) -> None:
    """Look into a mailbox of a POP3 peer. Raises Mismatch."""
    value: RemoteMailboxStep = step.value
    await scene.rest()
    uids = tuple(scene.world.peers[value.host].mailboxes[value.account].uids)
    complaint = ""
    if value.uids is not None and uids != value.uids:
        complaint = f"holds {', '.join(uids) or 'nothing'}, expected {', '.join(value.uids)}"
    elif value.messages is not None and len(uids) != value.messages:
        complaint = f"holds {len(uids)} messages, expected {value.messages}"
    if complaint:
        scene.transcript.mark_bad(value.host)
        raise Mismatch(f"{value.account} at {value.host} {complaint}")


def _sequence(lines: Sequence[str], wanted: Sequence[Pattern] | None) -> str:
    if wanted is None:
        return ""
    for number, pattern in enumerate(wanted):
        if number >= len(lines):
            return f"heard nothing more, expected {pattern.describe()}"
        if not pattern.matches(lines[number]):
            return f"heard “{lines[number]}”, expected {pattern.describe()}"
    if len(lines) > len(wanted):
        return f"heard “{lines[len(wanted)]}”, expected nothing more"
    return ""


def _missing(lines: Sequence[str], wanted: Sequence[Pattern]) -> str:
    for pattern in wanted:
        if not any(pattern.matches(line) for line in lines):
            return f"never heard {pattern.describe()}"
    return ""


def _unwanted(lines: Sequence[str], unwanted: Sequence[Pattern]) -> str:
    for pattern in unwanted:
        for line in lines:
            if pattern.matches(line):
                return f"heard “{line}”, expected nothing like {pattern.describe()}"
    return ""

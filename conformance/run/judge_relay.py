"""Steps ``relayed``, ``not relayed``, ``dns asked``: what remote hosts and the DNS heard."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.run.mail import Mail, unmet
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import DnsAskedStep, NotRelayedStep, RelayedStep
from conformance.world.peers.peer import Received


async def judge_relayed(scene: Scene, step: Step) -> None:
    """Count what a peer received. Raises Mismatch."""
    value: RelayedStep = step.value
    await scene.rest()
    messages = scene.world.peers[value.host].messages
    missing = [_relay_unmet(message, value) for message in messages]
    met = [message for message, why in zip(messages, missing, strict=True) if not why]
    if len(met) != value.count:
        near = "; ".join(
            f"{_describe(message)}: {why}"
            for message, why in zip(messages, missing, strict=True)
            if why
        )
        scene.transcript.mark_bad(value.host)
        raise Mismatch(
            f"{value.host} received {len(met)} of {len(messages)} messages as described, "
            f"expected {value.count}{f' ({near})' if near and len(met) < value.count else ''}"
        )
    if value.connections is not None:
        connections = len({message.connection for message in met})
        if connections != value.connections:
            scene.transcript.mark_bad(value.host)
            raise Mismatch(
                f"{value.host} received them over {connections} connections, "
                f"expected {value.connections}"
            )


def _relay_unmet(message: Received, value: RelayedStep) -> str:
    if value.to is not None and not _same_recipients(message, value.to):
        return "other recipients"
    if value.sender is not None:
        sender = message.mail_from
        if not (value.sender.matches(sender) or value.sender.matches(f"<{sender}>")):
            return "another return path"
    if value.port is not None and message.port != value.port:
        return f"it came to port {message.port}"
    if value.source and message.source != value.source:
        return f"it came from {message.source}"
    if value.tls is not None and message.tls != value.tls:
        return f"it came {'over TLS' if message.tls else 'in the clear'}"
    if value.turned is not None and message.turned != value.turned:
        return f"it came over {'the peer’s own' if message.turned else 'a new'} connection"
    if value.login and message.login != value.login:
        return f"it came {f'from {message.login}' if message.login else 'without a login'}"
    return unmet(Mail.parse(message.content), value.header, value.no_header, value.body)


def _same_recipients(message: Received, wanted: Sequence[Pattern]) -> bool:
    return len(message.recipients) == len(wanted) and all(
        pattern.matches(recipient)
        for pattern, recipient in zip(wanted, message.recipients, strict=True)
    )


def _describe(message: Received) -> str:
    to = ", ".join(f"<{recipient}>" for recipient in message.recipients)
    return f"from <{message.mail_from}> to {to}"


async def judge_not_relayed(scene: Scene, step: Step) -> None:
    """Find that peers got no message. Raises Mismatch."""
    value: NotRelayedStep = step.value
    await scene.rest()
    for host in value.hosts or tuple(scene.world.peers):
        messages = scene.world.peers[host].messages
        if messages:
            scene.transcript.mark_bad(host)
            raise Mismatch(f"{host} received a message {_describe(messages[0])}, expected none")


async def judge_dns_asked(scene: Scene, step: Step) -> None:
    """Look into the journal of DNS questions. Raises Mismatch."""
    value: DnsAskedStep = step.value
    await scene.rest()
    dns = scene.world.dns
    for question in value.questions:
        asked = f"{question.type} {question.name}"
        count = dns.asked(asked)
        if value.negated:
            complaint = f"asked {count} times, expected never" if count else ""
        elif question.count is None:
            complaint = "" if count else "never asked"
            if question.most is not None and count > question.most:
                complaint = f"asked {count} times, expected {question.most} times at most"
        else:
            wrong = count != question.count
            complaint = f"asked {count} times, expected {question.count}" if wrong else ""
        if complaint:
            scene.transcript.mark_bad("dns")
            others = ", ".join(dict.fromkeys(map(str, dns.journal))) or "nothing"
            raise Mismatch(f"DNS question {asked}: {complaint} (asked was: {others})")

"""Step ``mail``: a whole SMTP submission, accepted everywhere but where the step says otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from conformance.run.judge_delivery import judge_bounced
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.patterns import Pattern, escape_glob
from conformance.scenario.steps import BouncedStep, MailStep, Refusal
from conformance.world.clients.line import ClientError, Reply
from conformance.world.clients.submit import Credentials, Envelope, Submission, positive, submit

_CLIENT = "client.example"


async def judge_mail(scene: Scene, step: Step) -> None:
    """Send the message as often as the step says. Raises Mismatch."""
    value: MailStep = step.value
    channel = f"mail from {value.source}"
    taken: Counter[str] = Counter()
    for _ in range(value.repeat):
        complaint, sent = await _send(scene, value, channel)
        if complaint is not None:
            scene.transcript.mark_bad(channel, complaint.line)
            raise Mismatch(complaint.sentence, lost=sent is None or bool(sent.broken))
        if sent is not None and sent.taken and "sometime" in _refusals(value):
            taken.update(sent.accepted)
            for address in sent.accepted:
                await _returned(scene, step, address, taken[address])


async def _returned(scene: Scene, step: Step, address: str, count: int) -> None:
    """Find as many reports of failure about a recipient as messages were taken. Raises Mismatch."""
    report = BouncedStep(
        to=step.value.sender,
        recipient=Pattern(escape_glob(address)),
        action=Pattern("failed"),
        count=count,
    )
    await judge_bounced(scene, replace(step, value=report))


def _refusals(value: MailStep) -> dict[str, Refusal]:
    """Return the refusals at places other than a recipient, by their places."""
    return {refusal.place: refusal for refusal in value.refused if refusal.place != "rcpt"}


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What did not go as expected."""

    sentence: str
    line: str | None = None
    """The line of the transcript that it is about; None: the last one."""


async def _send(
    scene: Scene, value: MailStep, channel: str
) -> tuple[_Complaint | None, Submission | None]:
    """Send it once; return what is wrong and the session, None if there was none."""
    credentials = None
    if value.account:
        password = value.password or scene.password(value.account)
        credentials = Credentials(value.account, password)
    try:
        submission = await submit(
            scene.plan,
            scene.transcript,
            source=value.source,
            host=value.server or scene.server,
            port=value.port or scene.session.port("smtp"),
            envelope=Envelope(value.sender, value.to),
            content=scene.message(value.file) if value.file else content(value),
            helo=value.helo or _CLIENT,
            credentials=credentials,
            channel=channel,
            seconds=scene.patience,
        )
    except ClientError as error:
        return _Complaint(str(error)), None
    complaint = next(_complaints(value, submission), None)
    if submission.broken:
        complaint = complaint or _Complaint(submission.broken)
    return complaint, submission


def _complaints(value: MailStep, submission: Submission) -> Iterator[_Complaint]:
    """Yield what did not go as expected, in the order of the session."""
    refusals = _refusals(value)
    by_recipient = {r.recipient: r for r in value.refused if r.place == "rcpt"}
    yield from _phase("the connection", submission.greeting, refusals.get("connect"))
    if submission.greeting is not None and positive(submission.greeting):
        yield from _phase("EHLO and HELO", submission.helo, None)
    if value.account:
        yield from _phase(f"AUTH as {value.account}", submission.auth, refusals.get("auth"))
    sometime = refusals.get("sometime")
    if sometime is not None and submission.taken:
        for address, reply in submission.recipients:
            if not positive(reply):
                yield from _phase(f"RCPT TO:<{address}>", reply, sometime)
        return
    anywhere = refusals.get("anywhere", sometime)
    if anywhere is not None:
        yield from _somewhere(submission, anywhere)
        return
    yield from _phase(f"MAIL FROM:<{value.sender}>", submission.mail, refusals.get("mail"))
    for address, reply in submission.recipients:
        yield from _phase(f"RCPT TO:<{address}>", reply, by_recipient.get(address))
    if submission.data is not None and submission.data.code != "354":
        yield from _phase("DATA", submission.data, refusals.get("data"))
    elif "data" in refusals:
        yield from _phase("DATA", submission.data, refusals["data"])
    yield from _phase("the message", submission.message, refusals.get("message"))


def _somewhere(submission: Submission, refusal: Refusal) -> Iterator[_Complaint]:
    """Yield a complaint unless the message was refused, at whatever command."""
    recipients = [reply for _, reply in submission.recipients]
    replies = [submission.mail, *recipients, submission.data, submission.message]
    refused = [reply for reply in replies if reply is not None and reply.code[0] in "45"]
    if submission.taken:
        yield _Complaint(f"the message was accepted, expected {refusal.reply.code}")
    elif not any(refusal.reply.matches(reply.code, reply.text) for reply in refused):
        found = ", ".join(map(str, refused)) or "no refusal"
        yield _Complaint(f"the message got {found}, expected {refusal.reply.code}")


def _phase(what: str, reply: Reply | None, refusal: Refusal | None) -> Iterator[_Complaint]:
    """Yield a complaint about one phase; a phase that was not reached is nobody's fault here."""
    if reply is None:
        if refusal is not None:
            yield _Complaint(f"{what} was not reached, expected {refusal.reply.code}")
    elif refusal is None:
        if not positive(reply):
            yield _Complaint(f"{what} got {reply}, expected to be accepted", reply.lines[-1])
    elif positive(reply) or not refusal.reply.matches(reply.code, reply.text):
        text = refusal.reply.text
        wanted = f"{refusal.reply.code} {text.text}" if text else refusal.reply.code
        yield _Complaint(f"{what} got {reply}, expected {wanted}", reply.lines[-1])


def content(value: MailStep) -> bytes:
    """Return the message that a step describes: its header fields, made up where it says none."""
    fields = {
        "From": f"<{value.sender}>" if value.sender else "<postmaster@elsewhere.example>",
        # RFC 5322, 2.1.1: a line has 998 octets at the most.
        "To": ",\n ".join(f"<{address}>" for address in value.to),
        "Subject": value.subject or "a message",
        "Date": "Thu, 01 Nov 2001 12:00:00 +0000",
        "Message-ID": "<mailproof@client.example>",
    }
    given = {name.lower() for name in value.header}
    lines = [f"{name}: {text}" for name, text in fields.items() if name.lower() not in given]
    lines += [f"{name}: {text}" for name, text in value.header.items()]
    body = value.body or "A message of a scenario.\n"
    return _padded(("\n".join(lines) + "\n\n" + body).encode(), value.size)


_PADDING = b"x" * 76 + b"\n"


def _padded(message: bytes, size: int) -> bytes:
    """Return a message with lines added until it has ``size`` octets on the wire (CR LF)."""
    if not message.endswith(b"\n"):
        message += b"\n"
    missing = size - len(message) - message.count(b"\n")
    if missing <= 0:
        return message
    lines, rest = divmod(missing, len(_PADDING) + 1)
    if rest == 1:
        message = message[:-1] + b"x\n"
    return message + _PADDING * lines + (b"x" * (rest - 2) + b"\n" if rest > 1 else b"")

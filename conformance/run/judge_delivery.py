"""Steps ``delivered``, ``not delivered``, ``bounced``: what came into the server's mailboxes.

The look goes over POP3 (over IMAP into other mailboxes than INBOX), from the server computer's own
address and with the account's password of ``given``: such a login is always let in and leaves no
temporary client address behind. It is made after the server has come to rest.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.run.mail import Mail, report_unmet, unmet
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import BouncedStep, DeliveredStep, NotDeliveredStep
from conformance.world.clients.imap import fetch_mailbox
from conformance.world.clients.line import ClientError
from conformance.world.clients.pop import fetch_all

LOOK = "mailbox"
"""The channel of what was found, in the transcript."""


async def look(scene: Scene, login: str, password: str = "") -> list[Mail]:
    """Return the messages of an account's INBOX. Raises Mismatch when it cannot be opened."""
    await scene.rest()
    try:
        contents = await fetch_all(
            scene.plan,
            scene.transcript,
            source=scene.server,
            host=scene.server,
            port=scene.session.port("pop"),
            user=login,
            password=password or scene.password(login),
            seconds=scene.patience,
        )
    except ClientError as error:
        raise Mismatch(f"the INBOX of {login} cannot be read: {error}", lost=True) from None
    return _shown(scene, contents, f"INBOX of {login}")


async def look_into(scene: Scene, mailbox: str, login: str, password: str) -> list[Mail]:
    """Return the messages of any mailbox; one that does not exist has none. Raises Mismatch."""
    await scene.rest()
    try:
        contents = await fetch_mailbox(
            scene.plan,
            scene.transcript,
            source=scene.server,
            host=scene.server,
            port=scene.session.port("imap"),
            user=login,
            password=password,
            mailbox=mailbox,
            seconds=scene.patience,
        )
    except ClientError as error:
        raise Mismatch(
            f"the mailbox {mailbox} of {login} cannot be read: {error}", lost=True
        ) from None
    if contents is None:
        scene.transcript.remark(f"{login} has no mailbox {mailbox}", channel=LOOK)
        return []
    return _shown(scene, contents, f"mailbox {mailbox} of {login}")


def _shown(scene: Scene, contents: list[bytes], place: str) -> list[Mail]:
    mails = [Mail.parse(content) for content in contents]
    scene.transcript.remark(f"{place}: {_number(len(mails))}", channel=LOOK)
    for mail in mails:
        scene.transcript.remark(mail.describe(), channel=LOOK)
    return mails


async def judge_delivered(scene: Scene, step: Step) -> None:
    """Count the messages that meet the conditions. Raises Mismatch."""
    value: DeliveredStep = step.value
    login, password = value.login or value.to, value.password or scene.password(value.to)
    inbox = value.mailbox.upper() == "INBOX"
    if inbox:
        mails = await look(scene, login, password)
    else:
        mails = await look_into(scene, value.mailbox, login, password)

    def misses(mail: Mail) -> str:
        missing = unmet(mail, value.header, value.no_header, value.body)
        if missing or value.return_path is None:
            return missing
        return _wrong_return_path(mail, value)

    place = "INBOX" if inbox else f"mailbox {value.mailbox}"
    _count(scene, mails, misses, value.count, f"in the {place} of {value.to}")


def _wrong_return_path(mail: Mail, value: DeliveredStep) -> str:
    found = mail.values("Return-Path")
    path = found[0].removeprefix("<").removesuffix(">") if found else ""
    wanted = value.return_path
    if found and wanted is not None and (wanted.matches(path) or wanted.matches(f"<{path}>")):
        return ""
    return f"its return path is {found[0] if found else 'missing'}"


async def judge_not_delivered(scene: Scene, step: Step) -> None:
    """Find the INBOX of each account empty. Raises Mismatch."""
    value: NotDeliveredStep = step.value
    for account in value.accounts:
        mails = await look(scene, account)
        if mails:
            scene.transcript.mark_bad(LOOK)
            raise Mismatch(
                f"{_number(len(mails))} in the INBOX of {account}, expected none: "
                f"{mails[0].describe()}"
            )


async def judge_bounced(scene: Scene, step: Step) -> None:
    """Find as many delivery reports as the step says. Raises Mismatch."""
    value: BouncedStep = step.value
    if value.host:
        await scene.rest()
        mails = [
            Mail.parse(message.content)
            for message in scene.world.peers[value.host].messages
            if value.to.lower() in map(str.lower, message.recipients)
        ]
        place = f"for {value.to} at {value.host}"
    else:
        mails = await look(scene, value.to)
        place = f"in the INBOX of {value.to}"
    thing = "delivery report"
    _count(scene, mails, lambda mail: report_unmet(mail, value), value.count, place, thing=thing)


def _count(
    scene: Scene,
    mails: list[Mail],
    misses: Callable[[Mail], str],
    expected: int,
    place: str,
    *,
    thing: str = "message",
) -> None:
    missing = [misses(mail) for mail in mails]
    met = missing.count("")
    if met == expected:
        return
    scene.transcript.mark_bad(LOOK)
    pairs = zip(mails, missing, strict=True)
    reasons = "; ".join(f"{mail.describe()}: {why}" for mail, why in pairs if why)
    near = f" ({reasons})" if reasons and met < expected else ""
    of = f" of {len(mails)}" if len(mails) != met else ""
    raise Mismatch(f"{_number(met, thing)}{of} {place} as described, expected {expected}{near}")


def _number(count: int, thing: str = "message") -> str:
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"

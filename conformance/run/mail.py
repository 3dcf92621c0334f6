"""Messages as judges see them: header fields, body, and the parts of a delivery report.

Reads what arrived and never repairs it: a field is what stands there, unfolded; a body is what
follows the first empty line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import BouncedStep, HeaderCheck

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_SHOWN_FIELDS = ("From", "To", "Subject")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message."""

    fields: tuple[tuple[str, str], ...]
    """Name and value of each header field, unfolded and stripped, in their order."""
    body: str
    """Line ends as LF, the last ones dropped."""
    content: bytes

    @classmethod
    def parse(cls, content: bytes) -> Mail:
        """Return the message of its octets."""
        text = content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        if text.startswith("\n"):
            head, body = "", text[1:]
        else:
            head, _, body = text.partition("\n\n")
        fields = []
        for line in _FOLD.sub("", head).split("\n"):
            found = _FIELD.match(line)
            if found:
                fields.append((found[1], found[2].strip()))
        return cls(tuple(fields), body.rstrip("\n"), content)

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of a name; letter case does not matter."""
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def describe(self) -> str:
        """Return a line that lets a reader recognise the message."""
        shown = [f"{name}: {value}" for name in _SHOWN_FIELDS for value in self.values(name)[:1]]
        return "; ".join(shown) or "a message without From, To and Subject"


def unmet(
    mail: Mail,
    header: Sequence[HeaderCheck],
    no_header: Sequence[HeaderCheck],
    body: Sequence[Pattern],
) -> str:
    """Return the first condition that a message does not meet, or an empty string."""
    for check in header:
        values = mail.values(check.name)
        if not any(check.pattern is None or check.pattern.matches(value) for value in values):
            wanted = f" that is {check.pattern.describe()}" if check.pattern else ""
            found = ", ".join(repr(value) for value in values) or "none"
            return f"no {check.name}{wanted} (there is {found})"
    for check in no_header:
        for value in mail.values(check.name):
            if check.pattern is None or check.pattern.matches(value):
                return f"it has {check.name}: {value}"
    for pattern in body:
        if not pattern.matches(mail.body):
            return f"the body is not {pattern.describe()}: {mail.body[:200]!r}"
    return ""


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """What a delivery report says about one recipient (RFC 3464)."""

    recipient: str
    action: str
    status: str


def reported(content: bytes) -> list[ReportedRecipient] | None:
    """Return what a delivery report says, None when the message is no delivery report."""
    message = BytesParser(policy=compat32).parsebytes(content)
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            blocks = part.get_payload()
            groups = [block for block in blocks if isinstance(block, Message)]
            return [_recipient(group) for group in groups if "Final-Recipient" in group]
    return None


def _recipient(group: Message) -> ReportedRecipient:
    def value(name: str) -> str:
        return _FOLD.sub("", str(group.get(name, ""))).strip()

    final = value("Final-Recipient")
    return ReportedRecipient(
        recipient=final.partition(";")[2].strip() or final,
        action=value("Action"),
        status=value("Status").split(" ")[0],
    )


def returned(content: bytes) -> str:
    """Return what a delivery report returns: ``header``, ``message`` or ``nothing``.

    A message without any body counts as a header, whatever the part is called.
    """
    report = BytesParser(policy=compat32).parsebytes(content)
    parts = report.get_payload()
    for part in parts[1:] if isinstance(parts, list) else []:
        if not isinstance(part, Message):
            continue
        kind = part.get_content_type()
        if kind in ("text/rfc822-headers", "message/global-headers"):
            return "header"
        if kind in ("message/rfc822", "message/global"):
            text = part.as_bytes().replace(b"\r\n", b"\n")
            original = text.partition(b"\n\n")[2]
            return "message" if original.partition(b"\n\n")[2].strip() else "header"
    return "nothing"


def _same(patterns: Sequence[Pattern], texts: Sequence[str]) -> bool:
    """Tell whether each pattern has a text of its own, and none is left over."""
    rest = list(texts)
    for pattern in patterns:
        found = next((text for text in rest if pattern.matches(text)), None)
        if found is None:
            return False
        rest.remove(found)
    return not rest


def report_unmet(mail: Mail, step: BouncedStep) -> str:
    """Return what a message lacks to be the report that a step asks for, or an empty string."""
    entries = reported(mail.content)
    if entries is None:
        return "it is no delivery report"
    for entry in entries:
        checks = (
            (step.recipient, entry.recipient),
            (step.status, entry.status),
            (step.action, entry.action),
        )
        if all(pattern is None or pattern.matches(value) for pattern, value in checks):
            break
    else:
        said = ", ".join(f"{e.recipient} {e.action} {e.status}" for e in entries) or "nothing"
        return f"it reports {said}"
    if step.recipients and not _same(step.recipients, [entry.recipient for entry in entries]):
        return "it is about " + (", ".join(entry.recipient for entry in entries) or "nobody")
    if step.returned and returned(mail.content) != step.returned:
        return f"it returns {returned(mail.content)}, expected {step.returned}"
    text = mail.content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    for pattern in step.text:
        if not pattern.found_in(text):
            return f"it has no text that is {pattern.describe()}"
    return ""

"""Delivery reports as the harness reads them: who they are about, what they return."""

from __future__ import annotations

import pytest

from conformance.run.mail import Mail, report_unmet, returned
from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import BouncedStep

STATUS = """\
Content-Type: message/delivery-status

Reporting-MTA: dns; mycompany.com

Final-Recipient: rfc822; a@one.example
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; b@one.example
Action: failed
Status: 5.1.1
"""
TEXT = "Content-Type: text/plain\n\nSubject: this is no header\n\nbut a text\n"
HEADER = "From: john@mycompany.com\nSubject: hello\n"


def report(*parts: str) -> bytes:
    lines = ['Content-Type: multipart/report; report-type=delivery-status; boundary="b"', ""]
    for part in (TEXT, STATUS, *parts):
        lines += ["--b", part]
    return "\n".join([*lines, "--b--", ""]).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ((f"Content-Type: text/rfc822-headers\n\n{HEADER}",), "header"),
        ((f"Content-Type: message/rfc822\n\n{HEADER}",), "header"),
        ((f"Content-Type: message/rfc822\n\n{HEADER}\n",), "header"),
        ((f"Content-Type: message/rfc822\n\n{HEADER}\na body\n",), "message"),
        ((), "nothing"),
    ],
)
def test_what_a_report_returns(parts: tuple[str, ...], what: str) -> None:
    assert returned(report(*parts)) == what


@pytest.mark.parametrize(
    ("recipients", "met"),
    [
        (("a@one.example", "b@one.example"), True),
        (("b@one.example", "a@one.example"), True),
        (("b@*", "a@*"), True),
        (("a@one.example",), False),
        (("a@one.example", "a@one.example"), False),
        (("a@one.example", "b@one.example", "c@one.example"), False),
    ],
)
def test_a_report_is_about_exactly_these(recipients: tuple[str, ...], met: bool) -> None:
    step = BouncedStep(
        to="john@mycompany.com", recipients=tuple(Pattern.parse(text) for text in recipients)
    )
    assert (report_unmet(Mail.parse(report()), step) == "") is met


def test_a_report_that_returns_too_little_is_told() -> None:
    step = BouncedStep(to="john@mycompany.com", returned="message")
    mail = Mail.parse(report(f"Content-Type: text/rfc822-headers\n\n{HEADER}"))
    assert report_unmet(mail, step) == "it returns header, expected message"

"""SMTP command lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.protocols.smtp_grammar import (
    Command,
    Fault,
    Mail,
    Rcpt,
    parse_command,
    parse_mail,
    parse_rcpt,
    xtext,
)


def understand(line: bytes) -> Mail | Rcpt:
    command = parse_command(line)
    return (parse_mail if command.verb == "MAIL" else parse_rcpt)(command.argument)


def fault_of(line: bytes) -> Fault | None:
    try:
        understand(line)
    except Fault as fault:
        return fault
    return None


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda b: b"MAIL FROM:<" + b)))
def test_any_line_is_read_or_refused(line: bytes) -> None:
    fault = fault_of(line)
    assert fault is None or (500 <= fault.code < 560 and fault.text.isprintable())


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters=' \\"<>'), min_size=1))
def test_a_path_is_the_same_in_all_its_spellings(path: str) -> None:
    if not path.isprintable():
        return
    expected = Mail(path)
    for spelling in (f"FROM:<{path}>", f"from: <{path}>", f"FROM: {path}", f"From :{path}"):
        assert parse_mail(spelling) == expected


@given(st.text(max_size=40))
def test_xtext_is_taken_off(text: str) -> None:
    plain = "".join(symbol for symbol in text if 0x20 <= ord(symbol) < 0x100)
    coded = "".join(c if c.isalnum() and c.isascii() else f"+{ord(c):02X}" for c in plain)
    assert xtext(coded) == plain


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<>", Mail("")),
        ("FROM: <> SIZE=10", Mail("", size=10)),
        ("FROM: user@host", Mail("user@host")),
        ("FROM:<a@b> BODY=8bitmime", Mail("a@b", body="8BITMIME")),
        ('FROM:<"a> b"@c>', Mail('"a> b"@c')),
        ("FROM:<a@b> RET=HDRS ENVID=Q+2B7", Mail("a@b", ret="HDRS", envid="Q+7")),
        ("FROM:<a@b> AUTH=<>", Mail("a@b")),
        ("FROM:<a@b> AUTH=c+40d", Mail("a@b", auth="c@d")),
        ("FROM:<@x,@y:a@b>", Mail("@x,@y:a@b")),
    ],
)
def test_mail(argument: str, expected: Mail) -> None:
    assert parse_mail(argument) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("TO: somebody@somehost", Rcpt("somebody@somehost")),
        ("TO:<a@b> NOTIFY=SUCCESS,delay", Rcpt("a@b", notify="SUCCESS,DELAY")),
        ("TO:<a@b>  NOTIFY=NEVER", Rcpt("a@b", notify="NEVER")),
        ("TO:<a@b> ORCPT=rfc822;c+2Bd@e", Rcpt("a@b", orcpt="rfc822;c+d@e")),
        ("TO:<user%host1@host2>", Rcpt("user%host1@host2")),
    ],
)
def test_rcpt(argument: str, expected: Rcpt) -> None:
    assert parse_rcpt(argument) == expected


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL", 501),
        (b"MAIL FROM", 501),
        (b"MAIL TO:<a@b>", 501),
        (b"MAIL FROM:", 501),
        (b"MAIL FROM:<a@b", 501),
        (b"MAIL FROM:<a@b>x", 501),
        (b"MAIL FROM:a b", 555),
        (b"MAIL FROM:<a@b> SIZE=", 501),
        (b"MAIL FROM:<a@b> SIZE=x", 501),
        (b"MAIL FROM:<a@b> SIZE=" + b"1" * 21, 501),
        (b"MAIL FROM:<a@b> SIZE=1 SIZE=1", 501),
        (b"MAIL FROM:<a@b> BODY=9BIT", 501),
        (b"MAIL FROM:<a@b> RET=ALL", 501),
        (b"MAIL FROM:<a@b> ENVID=", 501),
        (b"MAIL FROM:<a@b> ENVID=a+0D+0Ab", 501),
        (b"MAIL FROM:<a@b> =1", 501),
        (b"MAIL FROM:<a@b> NOTIFY=NEVER", 555),
        (b"MAIL FROM:<a@b> XYZ", 555),
        (b"MAIL FROM:<" + b"a" * 2000 + b">", 501),
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", 501),
        (b"RCPT TO:<a@b> NOTIFY=DELAY,DELAY", 501),
        (b"RCPT TO:<a@b> NOTIFY=", 501),
        (b"RCPT TO:<a@b> ORCPT=a@b", 501),
        (b"RCPT TO:<a@b> ORCPT=rfc822;a+4", 501),
        (b"RCPT TO:<a@b> SIZE=1", 555),
        (b"MAIL FROM:<a\rb@c>", 500),
        (b"MAIL FROM:<a\x00b@c>", 500),
    ],
)
def test_refused(line: bytes, code: int) -> None:
    fault = fault_of(line)
    assert fault is not None
    assert fault.code == code


def test_a_verb_is_read_in_any_letter_case() -> None:
    assert parse_command(b"mAiL\tFROM:<a@b>  ") == Command("MAIL", "FROM:<a@b>")
    assert parse_command(b"") == Command("", "")

"""Dialogue lines, and the dialogues that cannot match."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.scenario.dialogue import (
    AUTH_METHODS,
    Authenticate,
    DialogueError,
    Drop,
    Event,
    Expect,
    ExpectClose,
    ExpectRefused,
    ExpectSilence,
    ExpectTurnedAway,
    Line,
    Remark,
    Send,
    SendFile,
    StartTLS,
    code_matches,
    escape,
    format_event,
    parse_line,
    unescape,
)
from conformance.scenario.dialogue_checks import Conversation
from conformance.scenario.patterns import Pattern

PRINTABLE = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
WORD = st.text(PRINTABLE, min_size=1, max_size=8)
PHRASE = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
PATTERNS = PHRASE.filter(lambda text: not text.startswith("~") and not Pattern(text).is_regex).map(
    Pattern
)
LINES = st.integers(1, 500)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Send, LINES, st.text(PRINTABLE | st.just(" "), max_size=20), st.booleans()),
    st.builds(Expect, LINES, st.sampled_from(["250", "2*", "*", "+OK"])),
    st.builds(Expect, LINES, st.sampled_from(["250", "5*"]), PATTERNS, st.booleans()),
    st.builds(Line, LINES, PATTERNS, st.booleans()),
    st.builds(SendFile, LINES, WORD),
    st.builds(StartTLS, LINES),
    st.builds(StartTLS, LINES, WORD.map(Pattern).filter(lambda name: not name.is_regex)),
    st.builds(Authenticate, LINES, st.sampled_from(AUTH_METHODS), WORD, WORD),
    *(
        st.builds(act, LINES)
        for act in (ExpectClose, ExpectRefused, ExpectTurnedAway, ExpectSilence)
    ),
    st.builds(Drop, LINES),
    st.builds(Remark, LINES, PHRASE),
)


@given(EVENTS)
def test_a_printed_line_reads_as_the_same_event(event: Event) -> None:
    assert parse_line(format_event(event), event.line, "smtp") == event


@given(st.binary(max_size=30))
def test_any_octets_can_be_written_with_escapes(octets: bytes) -> None:
    assert unescape("".join(f"\\x{octet:02X}" for octet in octets)) == octets


@given(st.text(max_size=30))
def test_escaped_text_comes_out_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text.encode()


@given(st.text("C:S+-<#~ \t250*/\\$ab", max_size=15))
def test_every_line_is_an_event_or_a_complaint(line: str) -> None:
    with contextlib.suppress(DialogueError):
        event = parse_line(line, 1, "smtp")
        assert event is None or event.line == 1


def test_what_goes_over_the_wire() -> None:
    send = parse_line(r"C: a\x00b \\ $name $$", 1, "smtp")
    assert isinstance(send, Send)
    assert send.octets({"name": r"C:\x41"}) == b"a\x00b \\ C:\\x41 $\r\n"
    half = parse_line(r"C- MAIL\r", 1, "smtp")
    assert isinstance(half, Send)
    assert half.octets({}) == b"MAIL\r"


@pytest.mark.parametrize(
    ("line", "protocol", "event"),
    [
        ("S: 250 ~ ok *", "smtp", Expect(1, "250", Pattern("ok *"), text_only=True)),
        ("  S: +OK 2 messages ", "pop", Expect(1, "+OK", Pattern("2 messages"))),
        ("S: a OK done", "imap", Expect(1, "a OK", Pattern("done"))),
        ("S: * OK", "imap", Expect(1, "* OK")),
        ("S: + go on", "imap", Expect(1, "+", Pattern("go on"))),
        ("C:", "smtp", Send(1, "")),
        ("C:  two blanks", "smtp", Send(1, " two blanks")),
        ("S- AUTH*", "smtp", Line(1, Pattern("AUTH*"), present=False)),
        ("--- CLOSE", "smtp", ExpectClose(1)),
        ("   ", "smtp", None),
    ],
)
def test_lines(line: str, protocol: str, event: Event | None) -> None:
    assert parse_line(line, 1, protocol) == event


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("250 ok", "write “S: 250 ok”"),
        ("EHLO host", "write “C: EHLO host”"),
        ("c: EHLO", "write “C: EHLO”"),
        ("C:EHLO", "write “C: EHLO”"),
        ("S:", "write, for example, S: 250"),
        ("S+", "needs a pattern"),
        ("--- clsoe", "did you mean “close”?"),
        ("--- turn away", "did you mean “turned away”?"),
        ("--- auth john secret", "--- auth CRAM-MD5 john secret"),
        ("--- auth GUESS john secret", "methods: PLAIN, LOGIN, CRAM-MD5, NTLM"),
        ("<<< two files", "write <<< plain.eml"),
        ("S: 250 /(/", "does not compile"),
        ("> hello", "lines begin with C: C- S:"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_to_write(line: str, advice: str) -> None:
    with pytest.raises(DialogueError) as caught:
        parse_line(line, 1, "smtp")
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("expected", "code", "verdict"),
    [
        ("250", "250", True),
        ("2*", "250", True),
        ("25*", "221", False),
        ("*", "550", True),
        ("+ok", "+OK", True),
        ("a OK", "A ok", True),
        ("* OK", "* BYE", False),
    ],
)
def test_codes(expected: str, code: str, verdict: bool) -> None:
    assert code_matches(expected, code) is verdict


def mistakes(text: str, protocol: str = "smtp") -> list[tuple[int, str]]:
    events = tuple(
        event
        for number, line in enumerate(text.split("\n"), 1)
        if (event := parse_line(line, number, protocol)) is not None
    )
    return [tuple(mistake) for mistake in Conversation(protocol, set()).follow(events)]


GREETED = "S: 220\nC: EHLO a\nS: 250\n"
IN_DATA = GREETED + "C: DATA\nS: 354\n"


@pytest.mark.parametrize(
    ("protocol", "text", "line", "words"),
    [
        ("smtp", "C: EHLO a\nS: 250", 1, "begin with its greeting, S: 220"),
        ("imap", "C: a NOOP\nS: a OK", 1, "begin with its greeting, S: * OK"),
        ("smtp", "S: 220\nS: 220", 2, "nothing was sent since the reply in line 1"),
        ("smtp", GREETED + "S: *", 4, "nothing was sent"),
        ("smtp", "S: 250", 1, "“250” is no greeting"),
        ("smtp", "S: +OK", 1, "an SMTP reply has three digits"),
        ("smtp", "S: 150", 1, "an SMTP reply has three digits"),
        ("pop", "S: 220", 1, "S: +OK or S: -ERR"),
        ("imap", "S: x PREAUTH", 1, "an IMAP reply is"),
        ("imap", "S: * OK\nC: a NOOP\nS: b OK", 3, "no command with the tag “b”"),
        ("smtp", GREETED + "C: QUIT\nS: 221\nC: NOOP", 6, "has said good-bye in line 5"),
        ("imap", "S: * OK\nC: a LOGOUT\nS: a OK\nC: b NOOP", 4, "has said good-bye"),
        ("smtp", "S: 220\n--- close\nS: 250", 3, "the connection ended in line 2"),
        ("smtp", "S+ x", 1, "there is none yet"),
        ("smtp", "S: 220\nC: EHLO a\nS+ x", 3, "right after the S: line"),
        ("smtp", "S: 220\nC: NOOP\nS: 354", 3, "354 is the reply to DATA"),
        ("smtp", IN_DATA + "C: hello\nS: 250", 7, "put C: . before"),
        ("smtp", GREETED + "<<< plain.eml", 4, "put C: DATA and S: 354 right before"),
        ("imap", "S: * OK\n<<< plain.eml", 2, "smtp and pop alone"),
        ("smtp", GREETED + "--- tls", 4, "follows a positive reply to STARTTLS"),
        ("pop", "S: +OK\nC: STLS\nS: -ERR\n--- tls", 4, "positive reply to STLS"),
        ("smtp", "S: 220\nC: HELO $me", 2, "nothing binds $me"),
        ("smtp", "S: 220\n--- auth PLAIN $me secret\nS: 235", 2, "nothing binds $me"),
        ("smtp", "S: 220\n--- refused", 2, "shows first; begin with it"),
        ("pop", "--- silence\n--- turned away", 2, "shows first; begin with it"),
        ("smtp", "--- refused\nS: 220", 2, "the connection ended in line 1"),
        ("imap", "S: * OK\n--- auth PLAIN john secret", 2, "for smtp and pop alone"),
        ("smtp", "--- auth PLAIN john secret\nS: 235", 1, "the server speaks first"),
        ("smtp", "S: 220 /(?P<host>\\S+)/\nC: HELO $hots", 2, "did you mean “host”?"),
        ("smtp", "S: 220 ~ /(?P<host>\\S+)/\nC: HELO $host", 2, "nothing binds $host"),
    ],
)
def test_a_dialogue_that_cannot_match(protocol: str, text: str, line: int, words: str) -> None:
    found = mistakes(text, protocol)
    assert [number for number, _ in found] == [line]
    assert words in found[0][1]


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        ("smtp", IN_DATA + "C: hello\nC:\nC: QUIT\nC: .\nS: 250\nC: QUIT\nS: 221\n--- close"),
        ("smtp", GREETED + "C: DATA\nS: 354\n<<< plain.eml\nS: 250\nC: NOOP\nS: 250"),
        ("smtp", GREETED + "C: MAIL FROM:<>\nC: RCPT TO:<a>\nC: DATA\nS: 250\nS: 250\nS: 354"),
        ("smtp", GREETED + "C: DATA\nC: x\nC: .\nS: 354\nS: 250"),
        ("smtp", IN_DATA + "C- a\\n.\\nMAIL FROM:<>\\r\\n\nC: .\nS: 250\nS: 503"),
        ("smtp", GREETED + "C- NOOP\\r\\nNOOP\\r\\nNO\nS: 250\nS: 250\nC: OP\nS: 250"),
        ("smtp", GREETED + "C: DATA\nS: *\nC: Subject: x\nC: .\nS: 5*"),
        ("smtp", GREETED + "C: STARTTLS\nS: 220\n--- tls\nC: EHLO a\nS: 250\nS- STARTTLS"),
        ("smtp", "--- tls\nS: 220"),
        ("smtp", "--- silence\n--- tls mail.company.com\nS: 220"),
        ("pop", "--- silence\nC: QUIT\n--- close"),
        ("pop", "--- refused"),
        ("smtp", "# full\n--- turned away"),
        ("smtp", "S: 220\n--- auth NTLM john secret\nS: 235\nC: QUIT\nS: 221"),
        ("smtp", "S: 554\n--- close"),
        ("smtp", "S: 220 /(?P<host>\\S+)/\nC: HELO $host\nS: 250 $host costs $$5"),
        ("smtp", GREETED + "# wait\nS+ SIZE*\nS- FOO\nS: 421\n--- close"),
        ("pop", "S: +OK\nC: XTND XMIT\nS: +OK\n<<< plain.eml\nS: +OK"),
        ("pop", "S: +OK\nC: AUTH PLAIN\nS: +\nC: AGEAYg==\nS: +OK"),
        ("imap", "S: * OK\nC: a APPEND x {3}\nS: +\nC: abc\nS: a OK\nC: b LOGOUT\nS: b OK"),
        ("imap", "S: * PREAUTH\nC: a NOOP\nS: A OK\nS+ \\* 3 EXISTS\n--- drop"),
        ("pwd", "S: 200\nC: USER a\nS: 300\nC: PASS b\nS: 200"),
    ],
)
def test_a_dialogue_that_can_match_is_left_alone(protocol: str, text: str) -> None:
    assert mistakes(text, protocol) == []


def test_a_server_may_speak_unasked_after_a_wait() -> None:
    conversation = Conversation("smtp", set())
    assert list(conversation.follow((Expect(1, "220"),))) == []
    conversation.may_speak()
    assert list(conversation.follow((Expect(3, "451"),))) == []
    assert list(conversation.follow((Expect(4, "451"),))) != []

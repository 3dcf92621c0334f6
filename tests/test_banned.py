"""Banned header and body lines."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reception_world import FakeSettings

from reference.kernel.banned import LONGEST, Banned, BannedLines, BannedSet

MESSAGE = (
    b"Received: from a\r\n\tby b\r\nSubject: Make money\r\n fast\r\nFrom: x@y.z\r\n"
    b"\r\n"
    b"Dear friend,\r\nbuy now\r\n\r\nbye\r\n"
)


def found(
    message: bytes, *, header: Sequence[str] = (), body: Sequence[str] = (), block: int = 0
) -> str:
    scanner = BannedLines(header=header, body=body).scanner()
    assert scanner is not None
    step = block or len(message) or 1
    for start in range(0, len(message), step):
        scanner.feed(message[start : start + step])
    return scanner.finish()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({"header": ["Subject: Make money\n fast"]}, "header"),
        ({"header": ["Subject: Make money\r\n fast"]}, "header"),
        ({"header": ["Subject: *fast"]}, "header"),
        ({"header": ["Subject: Make money"]}, ""),
        ({"header": [" fast"]}, ""),
        ({"header": ["subject: Make money\n fast"]}, ""),
        ({"header": ["From: x@y.z"]}, "header"),
        ({"header": ["Dear friend,"]}, ""),
        ({"body": ["Dear friend,"]}, "body"),
        ({"body": ["buy now"]}, "body"),
        ({"body": ["Buy now"]}, ""),
        ({"body": ["buy"]}, ""),
        ({"body": ["b*w"]}, "body"),
        ({"body": ["bye"]}, "body"),
        ({"body": ["From: x@y.z"]}, ""),
        ({"header": ["nothing"], "body": ["b*"]}, "body"),
    ],
)
@pytest.mark.parametrize("block", [0, 1, 2, 7])
def test_lines(lines: dict[str, list[str]], expected: str, block: int) -> None:
    assert found(MESSAGE, block=block, **lines) == expected


def test_a_message_without_a_body() -> None:
    assert found(b"Subject: x\r\n", header=["Subject: x"]) == "header"
    assert found(b"Subject: x", header=["Subject: x"]) == "header"
    assert found(b"\r\nSubject: x\r\n", header=["Subject: x"]) == ""


def test_a_line_of_any_length_is_put_up_with() -> None:
    long = b"a" * (3 * LONGEST)
    scanner = BannedLines(body=["end"], header=["aaa"]).scanner()
    assert scanner is not None
    scanner.feed(b"\r\n")
    for start in range(0, len(long), 70000):
        scanner.feed(long[start : start + 70000])
        assert len(scanner._rest) <= LONGEST + 1
    scanner.feed(b"\r")
    scanner.feed(b"\nend\r\n")
    assert scanner.finish() == "body"


def test_nothing_banned_needs_no_scanner() -> None:
    assert BannedLines().scanner() is None
    assert BannedLines(body=["x"]).scanner() is not None


def test_settings_are_followed() -> None:
    settings = FakeSettings()
    banned = Banned(settings)
    assert banned.scanner() is None
    settings.set("Banned", BodyLines=("buy",))
    scanner = banned.scanner()
    assert scanner is not None
    scanner.feed(b"\r\nbuy\r\n")
    assert scanner.finish() == "body"


PATTERNS = st.text(alphabet="ab*", min_size=1, max_size=8)
LINES = st.text(alphabet="ab", max_size=12)


@given(PATTERNS, LINES)
def test_patterns_match_as_globs_do(pattern: str, line: str) -> None:
    assert (line.encode() in BannedSet([pattern])) == fnmatchcase(line, pattern)


def test_many_asterisks_take_no_time() -> None:
    assert b"a" * 20000 not in BannedSet(["*a" * 200 + "*b"])


@given(st.lists(LINES, max_size=6), LINES, st.integers(1, 9))
def test_a_body_line_is_found_wherever_blocks_end(
    lines: list[str], banned: str, block: int
) -> None:
    if not banned:
        banned = "a"
    message = b"X: y\r\n\r\n" + b"".join(line.encode() + b"\r\n" for line in lines)
    assert bool(found(message, body=[banned], block=block)) == (banned in lines)

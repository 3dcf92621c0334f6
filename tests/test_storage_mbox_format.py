"""The .mbox format: From-lines and stored messages come back as they were."""

from __future__ import annotations

import itertools
import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.storage.mbox_format import (
    NO_FLAGS,
    Flag,
    FromLine,
    decode_message,
    encode_message,
    field_offsets,
    flag_letters,
    length_field,
    parse_from_line,
    print_from_line,
)
from reference.storage.mbox_scan import scan

PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"From",
        b"From ",
        b">From",
        b"\r\n\r\nFrom ",
        b"F",
        b"x",
        b"\0",
        b"\xe9",
    ]
)
MESSAGES = st.lists(PIECES, max_size=30).map(b"".join)
FLAGS = st.integers(0, 63).map(Flag)


@st.composite
def split(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A message and the same message in chunks."""
    message = draw(MESSAGES)
    cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=8)))
    edges = [0, *cuts, len(message)]
    return message, [message[a:b] for a, b in itertools.pairwise(edges)]


def as_stored(message: bytes) -> bytes:
    """What the documents say is stored, said once more in another way."""
    lines = message.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        del lines[-1]
    result = []
    # The line before the first one is the From-line, which is not empty.
    for before, line in zip([b"From-line", *lines], lines, strict=False):
        result.append(b">" + line if not before and line.startswith(b"From") else line)
    return b"".join(line + b"\n" for line in result) or b"\n"


@given(split())
def test_a_message_is_stored_whatever_its_chunks(case: tuple[bytes, list[bytes]]) -> None:
    message, chunks = case
    assert b"".join(encode_message(chunks)) == as_stored(message)


@given(MESSAGES)
def test_a_message_with_crlf_lines_comes_back_except_for_escaped_lines(message: bytes) -> None:
    wire = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    expected = as_stored(wire).replace(b"\n", b"\r\n")
    assert decode_message(b"".join(encode_message([wire]))) == expected
    if b"\r\nFrom" not in wire:
        assert expected == (wire if wire.endswith(b"\r\n") else wire + b"\r\n")


@given(MESSAGES)
def test_no_message_can_begin_a_record(message: bytes) -> None:
    # These From-lines do not tell how long the message is.
    line = b"From a@b Thu Jan  1 00:00:00 1970\n"
    record = line + b"".join(encode_message([message])) + b"\n"
    found = list(scan(record + record))
    assert [r.offset for r in found] == [0, len(record)]


@given(
    path=st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f")),
    flags=FLAGS,
    uid=st.integers(1, 10**12),
    time=st.integers(0, 4_000_000_000),
    length=st.integers(0, 10**11),
)
def test_from_lines_come_back(path: str, flags: Flag, uid: int, time: int, length: int) -> None:
    line = FromLine(return_path=path, flags=flags, uid=uid, time=float(time), length=length)
    printed = print_from_line(line)
    assert parse_from_line(printed) == line
    place = field_offsets(printed)
    assert place is not None
    assert printed[place[0] :].startswith(flag_letters(flags))
    assert printed[place[1] :].startswith(length_field(length))


def test_the_documented_form() -> None:
    line = FromLine(return_path="user@host", flags=Flag.SEEN, uid=12, time=986_400_000.0, length=7)
    assert print_from_line(line) == (
        b"From <user@host>(Sahdtr.000000000007-0000000012) Wed Apr  4 16:00:00 2001"
    )


def test_control_characters_in_a_return_path_stay_on_the_line() -> None:
    line = FromLine(return_path="a\nFrom b", flags=NO_FLAGS, uid=1, time=0.0, length=1)
    assert b"\n" not in print_from_line(line)


@pytest.mark.parametrize(
    ("line", "path", "time"),
    [
        (b"From user@host Wed Apr  4 16:00:00 2001", "user@host", 986_400_000.0),
        (b"From <user@host> Wed Apr  4 16:00:00 2001 remote from x", "user@host", 986_400_000.0),
        (b"From nobody", "nobody", 0.0),
    ],
)
def test_lines_of_other_systems(line: bytes, path: str, time: float) -> None:
    parsed = parse_from_line(line)
    assert parsed is not None
    assert (parsed.return_path, parsed.time, parsed.uid, parsed.length) == (path, time, 0, None)


def test_a_line_that_is_no_from_line() -> None:
    assert parse_from_line(b">From user") is None
    assert parse_from_line(b"From: user") is None


def test_a_common_reader_finds_the_messages(tmp_path: Path) -> None:
    octets = b""
    for uid in (1, 2, 3):
        line = FromLine(return_path="a@b", flags=NO_FLAGS, uid=uid, time=1e9, length=1)
        body = b"Subject: %d\r\n\r\nFrom here\r\n\r\nFrom there\r\n" % uid
        octets += print_from_line(line) + b"\n" + b"".join(encode_message([body])) + b"\n"
    (tmp_path / "box").write_bytes(octets)
    found = mailbox.mbox(tmp_path / "box")
    assert [message["Subject"] for message in found] == ["1", "2", "3"]
    found.close()

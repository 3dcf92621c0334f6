"""Files of the Submitted folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.header_text import fields, without
from reference.transport.pipe_file import Submission, Unfit, read_header, with_wire_ends


def read(text: str) -> Submission:
    return read_header(text.replace("\n", "\r\n").encode(), domain="main.com", now=0, name="n1")


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"", b"b\nc"])))
def test_line_ends_do_not_depend_on_the_blocks(blocks: list[bytes]) -> None:
    whole = b"".join(blocks)
    found = b"".join(with_wire_ends(blocks))
    lines = whole.replace(b"\r\n", b"\n")
    wanted = lines + (b"\n" if lines and not lines.endswith(b"\n") else b"")
    assert found == wanted.replace(b"\n", b"\r\n")


@given(
    st.lists(st.tuples(st.sampled_from(["To", "Bcc", "X-A"]), st.sampled_from(["a", "b\r\n c"])))
)
def test_a_header_is_the_sum_of_its_fields(rows: list[tuple[str, str]]) -> None:
    header = "".join(f"{name}: {value}\r\n" for name, value in rows).encode()
    assert without(fields(header), ()) == header
    assert [part.name for part in fields(header)] == [name.lower() for name, _ in rows]


@pytest.mark.parametrize(
    ("header", "recipients"),
    [
        ("To: a@x.com\nCc: B <b@x.com>\nBcc: c@x.com\n", ["a@x.com", "b@x.com", "c@x.com"]),
        ("To: a@x.com\nEnvelope-To: d@x.com\nEnvelope-To: e@x.com\n", ["d@x.com", "e@x.com"]),
        ("To: a@x.com, b@x.com\nEnvelope-Ignore: A@x.com\n", ["b@x.com"]),
    ],
)
def test_recipients(header: str, recipients: list[str]) -> None:
    assert [each.address for each in read(header).envelope.recipients] == recipients


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        ("To: a\nReturn-Path: <r@x.com>\nFrom: f@x.com\n", "r@x.com"),
        ("To: a\nReturn-Path: <>\nFrom: f@x.com\n", ""),
        ("To: a\nFrom: joe\n", "joe@main.com"),
        ("To: a\nSender: s@x.com\n", "s@x.com"),
        ("To: a\n", ""),
    ],
)
def test_senders(header: str, sender: str) -> None:
    assert read(header).envelope.return_path == sender


def test_what_speaks_of_the_envelope_is_taken_off() -> None:
    made = read("To: a\nBcc: b\nReturn-Path: <x@y>\nEnvelope-ID: Q1\nFrom: Joe Smith <joe>\n")
    assert made.envelope.envid == "Q1"
    assert made.header == (
        b"To: a\r\nFrom: Joe Smith <joe@main.com>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
        b"Message-Id: <n1@main.com>\r\n\r\n"
    )


@pytest.mark.parametrize("header", ["", "Subject: x\n", "To: a@x.com\nEnvelope-Ignore: a@x.com\n"])
def test_nobody_to_send_to(header: str) -> None:
    with pytest.raises(Unfit):
        read(header)

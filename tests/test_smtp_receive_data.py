"""The octets of a message on the wire: its end, its dots, and what is no end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.protocols.smtp_data import DataReader, stuffed

FRAGMENTS = [
    b"\r",
    b"\n",
    b".",
    b"\r\n",
    b"\r\n.",
    b"..",
    b"a",
    b"\0",
    b"\xff",
    b"\r\n.\r",
    b"x" * 9,
]
octets = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join)
lines = st.lists(
    st.binary(max_size=12).map(lambda b: b.replace(b"\r", b".").replace(b"\n", b"..")), max_size=12
).map(lambda parts: b"".join(part + b"\r\n" for part in parts))
cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


def chunks(stream: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(at)]


def read(stream: bytes, places: list[int] | None = None) -> tuple[bytes, bytes | None, bool]:
    """Return the content, what follows the end (None without an end), and the bare mark."""
    blocks: list[bytes] = []
    reader = DataReader(blocks.append)
    parts = chunks(stream, places or [])
    for at, part in enumerate(parts):
        rest = reader.feed(part)
        if rest is not None:
            return b"".join(blocks), rest + b"".join(parts[at + 1 :]), reader.bare
    return b"".join(blocks), None, reader.bare


@given(content=lines, places=cuts, rest=octets)
def test_content_that_was_stuffed_comes_back(
    content: bytes, places: list[int], rest: bytes
) -> None:
    assert read(stuffed(content) + b".\r\n" + rest, places) == (content, rest, False)


@given(stream=octets, places=cuts)
def test_the_way_it_is_cut_does_not_matter(stream: bytes, places: list[int]) -> None:
    whole, cut = read(stream), read(stream, places)
    assert cut[1] == whole[1]
    if whole[1] is not None:
        assert cut == whole


@given(stream=octets)
def test_nothing_but_the_end_mark_ends_a_message(stream: bytes) -> None:
    place = (b"\r\n" + stream).find(b"\r\n.\r\n")
    _, rest, _ = read(stream)
    assert (rest is None) == (place < 0)
    if rest is not None:
        assert rest == stream[place + 3 :]


@given(stream=octets)
def test_bare_line_ends_are_seen(stream: bytes) -> None:
    content = (b"\r\n" + stream).partition(b"\r\n.\r\n")
    _, rest, bare = read(stream)
    if rest is not None:
        body = content[0] + b"\r\n"
        plain = body.replace(b"\r\n", b"")
        assert bare == (b"\r" in plain or b"\n" in plain)


@pytest.mark.parametrize(
    "stream", [b"a\n.\nb", b"a\r.\rb", b"a\n.\r\nb", b"a\r\n.\nb", b"a\r.\r\nb", b"\n.\r\n", b".\n"]
)
def test_smuggled_ends_end_nothing(stream: bytes) -> None:
    _, rest, bare = read(stream + b"\r\n.\r\nQUIT\r\n")
    assert rest == b"QUIT\r\n"
    assert bare


def test_an_empty_message_ends_at_its_first_dot() -> None:
    assert read(b".\r\nNOOP\r\n") == (b"", b"NOOP\r\n", False)


def test_nul_and_eight_bit_octets_pass() -> None:
    content = bytes(octet for octet in range(256) if octet not in b"\r\n") + b"\r\n"
    assert read(content + b".\r\n")[0] == content


def test_a_line_of_megabytes_is_handed_on_as_it_comes() -> None:
    blocks: list[bytes] = []
    reader = DataReader(blocks.append)
    for _ in range(64):
        assert reader.feed(b"x" * 65536) is None
        assert not blocks[-1].strip(b"x")
    assert sum(map(len, blocks)) == 64 * 65536
    assert reader.feed(b"\r\n.\r\n") == b""

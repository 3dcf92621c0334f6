"""Lists of IP addresses: the documents' lines, comments, ranges, and a plain comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.iplist import AddressList, AddressSyntaxError, dotted, ipv4

NUMBERS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.34.50.1", True),
        ("10.34.59.99", True),
        ("10.34.55.255", True),
        ("10.34.51.0", True),
        ("10.34.50.0", False),
        ("10.34.59.100", False),
        ("10.34.56.078", True),
        ("::ffff:10.34.56.78", True),
        ("::1", False),
        ("host.com", False),
        ("", False),
    ],
)
def test_a_range_compares_addresses_as_numbers(address: str, inside: bool) -> None:
    assert (address in AddressList.parse("10.34.50.01-10.34.59.99")) is inside


def test_lines_comments_and_networks() -> None:
    text = "\r\n".join(
        [
            "10.34.56.78 ; our LAN",
            ";10.34.56.79",
            "",
            "  192.0.2.1 - 192.0.2.3;dial-up",
            "172.16.5.4/30",
            " ; a comment",
        ]
    )
    listed = AddressList.parse(text)
    assert listed.text == text
    assert listed.ranges == [
        ("10.34.56.78", "10.34.56.78"),
        ("172.16.5.4", "172.16.5.7"),
        ("192.0.2.1", "192.0.2.3"),
    ]
    assert "10.34.56.78" in listed
    assert "10.34.56.79" not in listed


def test_both_line_ends_are_read() -> None:
    for text in ("10.0.0.1\n10.0.0.3", "10.0.0.1\r\n10.0.0.3", "10.0.0.1\r10.0.0.3\r"):
        assert len(AddressList.parse(text).ranges) == 2


def test_neighbours_and_overlaps_are_one_range() -> None:
    listed = AddressList.parse("10.0.0.5\n10.0.0.1-10.0.0.4\n10.0.0.2-10.0.0.3\n10.0.0.6/32")
    assert listed.ranges == [("10.0.0.1", "10.0.0.6")]


def test_the_empty_list_is_false() -> None:
    assert not AddressList.parse("; nobody\n")
    assert AddressList.parse("0.0.0.0/0")
    assert "255.255.255.255" in AddressList.parse("0.0.0.0/0")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("10.0.0.1\nhost.com", 2, "is not an IP address"),
        ("10.0.0", 1, "is not an IP address"),
        ("10.0.0.256", 1, "is not an IP address"),
        ("10.0.0.1 10.0.0.2", 1, "is not an IP address"),
        ("10.0.0.1-", 1, "is not an IP address"),
        ("10.0.0.9-10.0.0.1", 1, "swap its ends"),
        ("; x\n\n10.0.0.0/33", 3, "length from 0 to 32"),
        ("10.0.0.0/x", 1, "length from 0 to 32"),
    ],
)
def test_errors_tell_the_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(AddressSyntaxError) as caught:
        AddressList.parse(text)
    assert caught.value.line == line
    assert reason in caught.value.text
    assert f"line {line}: " in str(caught.value)


@given(NUMBERS)
def test_numbers_and_dotted_addresses(number: int) -> None:
    assert ipv4(dotted(number)) == number


CLOSE = st.integers(0, 60).map(lambda small: (10 << 24) + 230 + small)


@given(st.lists(st.tuples(CLOSE, CLOSE).map(sorted), max_size=6), CLOSE)
def test_membership_is_that_of_the_ranges_one_by_one(ranges: list[list[int]], address: int) -> None:
    text = "\n".join(f"{dotted(start)}-{dotted(end)}" for start, end in ranges)
    expected = any(start <= address <= end for start, end in ranges)
    assert (dotted(address) in AddressList.parse(text)) is expected


@given(st.text())
def test_any_text_is_a_list_or_an_error(text: str) -> None:
    found: AddressList | AddressSyntaxError
    try:
        found = AddressList.parse(text)
    except AddressSyntaxError as error:
        found = error
    if isinstance(found, AddressSyntaxError):
        assert 1 <= found.line <= len(text) + 1
    else:
        assert found.text == text

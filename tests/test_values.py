"""Flags, durations and sizes: what is read, refused, and printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.formats import values


@pytest.mark.parametrize(
    ("text", "value"), [("YES", True), ("no", False), (" On ", True), ("0", False)]
)
def test_flags(text: str, value: bool) -> None:
    assert values.parse_flag(text) is value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("5 Days", 432000),
        ("15 min", 900),
        ("1w", 604800),
        ("45", 45),
        ("immediately", 0),
        ("never", values.NEVER),
        ("-1", values.NEVER),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("2048", 2048),
        ("100K", 102400),
        ("3m", 3145728),
        ("1G", 1 << 30),
        ("5 KB", 5120),
        ("unlimited", values.UNLIMITED),
        ("-1", values.UNLIMITED),
    ],
)
def test_sizes(text: str, octets: int) -> None:
    assert values.parse_size(text) == octets


@pytest.mark.parametrize("text", ["", "maybe", "yes no"])
def test_no_flag(text: str) -> None:
    with pytest.raises(ValueError, match="write YES or NO"):
        values.parse_flag(text)


@pytest.mark.parametrize("text", ["", "m", "1x", "-5m", "1.5h", "1 2s", "s", "٣s", "9" * 400])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write"):
        values.parse_duration(text)


@pytest.mark.parametrize("text", ["", "K", "1T", "-5", "1.5M", "9" * 400])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write"):
        values.parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "90s"), (600, "10m"), (7200, "2h"), (432000, "5d"), (values.NEVER, "never")],
)
def test_durations_are_printed_in_their_greatest_unit(seconds: float, text: str) -> None:
    assert values.print_duration(seconds) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0"), (1000, "1000"), (102400, "100K"), (1 << 21, "2M"), (values.UNLIMITED, "unlimited")],
)
def test_sizes_are_printed_in_their_greatest_unit(octets: int, text: str) -> None:
    assert values.print_size(octets) == text


def test_what_cannot_be_printed() -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        values.print_duration(0.5)
    with pytest.raises(ValueError, match="whole seconds"):
        values.print_duration(-1)
    with pytest.raises(ValueError, match="not negative"):
        values.print_size(-1)


@given(st.integers(0, 10**11))
def test_durations_and_sizes_are_read_as_printed(number: int) -> None:
    assert values.parse_duration(values.print_duration(number)) == number
    assert values.parse_size(values.print_size(number)) == number


@given(st.booleans())
def test_flags_are_read_as_printed(value: bool) -> None:
    assert values.parse_flag(values.print_flag(value)) is value

"""Reading of Routing Tables for translation: records, destinations, mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_records import records

from conformance.translate import TableError, parse_table
from conformance.translate.course import Place, circles, first, hidden_by
from conformance.translate.destination import Destination, Kind, split_address
from conformance.translate.records import Left, Marker, Record


@given(st.lists(records(), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_written_is_read_again_as_the_same(lines: list[str], end: str) -> None:
    table = parse_table(end.join(lines))
    assert [record.line for record in table] == list(range(1, len(lines) + 1))
    again = parse_table("\n".join(str(record) for record in table))
    assert again == table


def test_comments_and_empty_lines_are_no_records() -> None:
    table = parse_table("; hq.com = x.com\n\n  ; again\nhq.com = new.com ; head office\n")
    assert [(record.line, str(record)) for record in table] == [(4, "hq.com = new.com")]


@pytest.mark.parametrize(
    ("line", "marker"),
    [
        ("a.com = b.com", Marker.SIMPLE),
        ("R:a.com = b.com", Marker.SIMPLE),
        ("NoRelay:a.com = b.com", Marker.NO),
        ("N: a.com = b.com", Marker.NO),
        ("relayall:<a> = b", Marker.ALL),
    ],
)
def test_prefixes(line: str, marker: Marker) -> None:
    assert parse_table(line)[0].marker is marker


@pytest.mark.parametrize(
    ("line", "destination"),
    [
        ("localhost =", Destination(Kind.ADDRESS)),
        ("a.com = b.com", Destination(Kind.ADDRESS, domain="b.com", name="b.com")),
        (
            "a.com = a.com@b.com",
            Destination(Kind.ADDRESS, path="a.com", domain="b.com", name="b.com"),
        ),
        ("a.com = b.com.smtp", Destination(Kind.HOST, host="b.com", name="b.com.smtp", bare=True)),
        (
            "a.com = b.com.26.smtp",
            Destination(Kind.HOST, host="b.com", port=26, name="b.com.26.smtp", bare=True),
        ),
        ("a.com = [10.0.0.9:26]", Destination(Kind.HOST, host="[10.0.0.9]", port=26)),
        ("a.com = 10.0.0.9", Destination(Kind.HOST, host="[10.0.0.9]")),
        ("a.com = a.com.here", Destination(Kind.HERE, domain="a.com", name="a.com.here")),
        ("a.com = Cl1.local", Destination(Kind.UNIFIED, account="Cl1", name="cl1.local")),
        ("a.com = null", Destination(Kind.NULL)),
        ("a.com = ERROR", Destination(Kind.ERROR)),
        ("a.com = spamtrap", Destination(Kind.ADDRESS, domain="spamtrap", name="spamtrap")),
        (
            "a.com = abc.uucp",
            Destination(Kind.UUCP, host="abc", domain="abc.uucp", name="abc.uucp"),
        ),
        ("<a> = b", Destination(Kind.ADDRESS, "b")),
        ("<a> = spamtrap", Destination(Kind.SPAMTRAP)),
        ("<a> = MAILER-DAEMON", Destination(Kind.NULL)),
        ("<a> = b%c.com", Destination(Kind.ADDRESS, "b", domain="c.com", name="c.com")),
        ("<a> = c.com!d.com!b", Destination(Kind.ADDRESS, "b%d.com", domain="c.com", name="c.com")),
        (
            "<a> = @c.com:b@d.com",
            Destination(Kind.ADDRESS, "b%d.com", domain="c.com", name="c.com"),
        ),
        ('<a> = "x;y"@c.com', Destination(Kind.ADDRESS, '"x;y"', domain="c.com", name="c.com")),
        (
            "<*@a.com> = *%boss@second.com.domain",
            Destination(
                Kind.UNIFIED,
                "*%boss",
                domain="second.com",
                name="second.com.domain",
                account="boss",
            ),
        ),
    ],
)
def test_destinations(line: str, destination: Destination) -> None:
    assert parse_table(line)[0].destination == destination


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("hq.com new.com", "line 2: there is no =; write: left part = right part"),
        ("= b.com", "line 2: the left part is empty; write a domain or <address> before the ="),
        ("*.a.*.com = b", "line 2: only one * may stand in the left part, and *.a.*.com has"),
        ("<a@*.com> = b", "line 2: <a@*.com>: the * may stand only before the @"),
        ("a@b.com = c", "line 2: a@b.com is not a domain name; write <a@b.com> for an address"),
        ("<a = b", "line 2: the address is not closed; write <name> or <name@domain>"),
        ("<a> b", "line 2: there is no = after the address; write: <address> = new address"),
        ("<a> =", "line 2: an alias record needs an address after the ="),
        ("<@b.com> = c", "line 2: <@b.com> has no local part"),
        ("a.com = *.b.com", "line 2: the right part has a * and the left part has none"),
        ("Rely:a = b", "line 2: unknown prefix Rely:; write Relay:"),
        ("R:N:a = b", "line 2: a record has one of Relay:, NoRelay: and RelayAll:"),
        ('<a> = "b', "line 2: a quotation mark is not closed"),
        ("a.com = b c", "line 2: 'b c' is not a domain name"),
        ("a.com = x.domain", "line 2: x.domain names no account; write account@x.domain"),
    ],
)
def test_a_bad_line_is_named_with_what_to_write(line: str, complaint: str) -> None:
    with pytest.raises(TableError) as error:
        parse_table(f"a.com = b.com\n{line}\nc.com = d.com")
    assert str(error.value).startswith(complaint)
    assert error.value.line == 2


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        table = parse_table(text)
    except TableError:
        return
    assert all(isinstance(record, Record) for record in table)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("user", ("user", "")),
        ("user@a", ("user", "a")),
        ("user%b@a", ("user%b", "a")),
        ("user%a", ("user", "a")),
        ("a!b!user", ("user%b", "a")),
        ("@a,@b:x@c", ("x%c%b", "a")),
        ('"x@y"@a', ('"x@y"', "a")),
    ],
)
def test_notations_of_addresses(address: str, parts: tuple[str, str]) -> None:
    assert split_address(address) == parts


def test_the_first_record_that_matches_is_the_one() -> None:
    table = parse_table("dept.a.com = one.com\n*.a.com = two.com\n<x@b.com> = y\nb.com = c.com")
    assert first(table, Place("u", "DEPT.a.com")) == (table[0], "")
    assert first(table, Place("u", "x.y.a.com")) == (table[1], "x.y")
    assert first(table, Place("u", "a.com")) is None
    assert first(table, Place("X", "b.com")) == (table[2], "")
    assert first(table, Place("z", "b.com")) == (table[3], "")


def test_circles_are_found() -> None:
    table = parse_table("a.com = b.com\nb.com = a.com\nc.com = d.com\n<*> = x-*")
    assert [circles(table, record) for record in table] == [True, True, False, True]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("a.com = b.com\n<x@a.com> = y", [None, 1]),
        ("<x@a.com> = y\na.com = b.com", [None, None]),
        ("*.a.com = b.com\nc.a.com = d.com", [None, 1]),
        ("c.a.com = d.com\n*.a.com = b.com", [None, None]),
        ("<*@a.com> = b\na.com = c.com", [None, 1]),
        ("<user@a.com> = b\na.com = c.com", [None, None]),
        ("<x-*> = b\n<*> = c", [None, None]),
        ("a.com = b.com\nA.com = c.com", [None, 1]),
    ],
)
def test_records_that_can_never_apply(text: str, hidden: list[int | None]) -> None:
    table = parse_table(text)
    found = [hidden_by(table, record) for record in table]
    assert [record and record.line for record in found] == hidden


def test_left_parts_are_shown_as_they_are_written() -> None:
    assert str(Left("a.com")) == "a.com"
    assert str(Left("a.com", "x")) == "<x@a.com>"
    assert str(Left("", "x")) == "<x>"

"""The Routing Table: record forms, prefixes, comments, errors with places, first match first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.address import AddressSyntaxError, parse
from reference.kernel.routes import Address
from reference.kernel.table import (
    DEFAULT_RECORDS,
    PURPOSES,
    Match,
    Purpose,
    Record,
    Relay,
    RoutingTable,
    TableSyntaxError,
)


def one(line: str) -> Record:
    (record,) = RoutingTable.parse(line).records
    return record


def applied(table: str, address: str, purpose: Purpose = "mail") -> str | None:
    match = RoutingTable.parse(table).find(parse(address), purpose)
    return None if match is None else str(match.apply())


SAMPLE = """fax.stalker.co      = stalker.com       ; -> to the same domain
hq.stalker.com      = newhq.stalker.com ; -> to some other server
Relay:*.test.com    = stalker.com       ; aaa.test.com, bbb.test.com
; just a comment line
<sales>             = john              ; simple alias
<sales@client1.com> = sales-client1     ; simple foreign alias
<info@client1.com>  = info@otherhost.com; account -> other account
<*@client2.com>     = *.cl2             ; sales@.. -> sales.cl2
test.com            = Unified.local     ; unified Domain-Wide Account
"""


@pytest.mark.parametrize(
    ("table", "address", "result"),
    [
        (SAMPLE, "john@fax.stalker.co", "john@stalker.com"),
        (SAMPLE, "user@hq.stalker.com", "user@newhq.stalker.com"),
        (SAMPLE, "john@aaa.test.com", "john@stalker.com"),
        (SAMPLE, "john@aaa.bbb.test.com", "john@stalker.com"),
        (SAMPLE, "john@test.com", "john@unified.local"),
        (SAMPLE, "sales", "john"),
        (SAMPLE, "SALES", "john"),
        (SAMPLE, "sales@other.com", None),
        (SAMPLE, "sales@client1.com", "sales-client1"),
        (SAMPLE, "info@client1.com", "info@otherhost.com"),
        (SAMPLE, "Sales@client2.com", "Sales.cl2"),
        (SAMPLE, "bill", None),
        (
            "hq.stalker.com=hq.stalker.com@relay.com",
            "a@hq.stalker.com",
            "a%hq.stalker.com@relay.com",
        ),
        ("x.com = c%b@a", "u@x.com", "u%c%b@a"),
        ("x.com = a!b!c", "u@x.com", "u%c%b@a"),
        ("x.com = c%a", "u@x.com", "u%c@a"),
        ("x.com = [192.0.0.5:26]", "u@x.com", "u@[192.0.0.5:26]"),
        ("[10.34.45.67] = some.example", "u@[10.34.45.67]", "u@some.example"),
        ("[10.34.*] = *.example", "u@[10.34.5.6]", "u@5.6.example"),
        ("localhost =", "john@localhost", "john"),
        ("localhost =;home", "john@LocalHost", "john"),
        ("*.old_company.com = *.new_company.com", "u@A.b.old_company.com", "u@a.b.new_company.com"),
        ("*.old_company.com = new_company.com", "u@old_company.com", None),
        ("system-*.mycompany.com = uu*.uucp", "u@system-abc.mycompany.com", "u@uuabc.uucp"),
        ("*.domain.dom = *@fict", "LoginPage@user.domain.dom", "LoginPage%user@fict"),
        ("<LoginPage%*@fict> = *", "LoginPage%user@fict", "user"),
        (
            "<dept-*> = postmaster@*-dept.mycompany.com",
            "dept-sales",
            "postmaster@sales-dept.mycompany.com",
        ),
        (
            "<blacklist-admin*@blacklisted> = postmaster",
            "blacklist-admin%a.com@blacklisted",
            "postmaster",
        ),
        (
            "<blacklist-admin*@blacklisted> = postmaster",
            "blacklist-admin@BlackListed",
            "postmaster",
        ),
        (
            "<*%two.example@one.example> = *@two.example",
            "<@one.example:User@Two.Example>",
            "User@two.example",
        ),
        (
            "<*-uk@corp.com> = *-uk%corp.com@sv2.corp.com.smtp",
            "dan-uk@corp.com",
            "dan-uk%corp.com@sv2.corp.com.smtp",
        ),
        ("<FAX=*> = *@fax.example", "fax=12", "12@fax.example"),
        ("<FAX=*> = *.*", "fax=12", "12.12"),
        ('<"john smith"> = john', '"John Smith"', "john"),
        ('<"x;>=y"> = "a;b"@c ; note', '"x;>=y"', '"a;b"@c'),
        ("<ab*ba> = *", "aba", None),
        ("<ab-*-ba> = *", "ab-ba", None),
        ("ab.*.ba = *", "u@ab.ba", None),
        ("ab.*.ba = *", "u@ab.x.ba", "u@x"),
        ("a*a.com = b.com", "u@a.com", None),
        ("* = relay.com", "john", None),
        ("* = relay.com", "john@any", "john@relay.com"),
        ("<*> = x*", '"a b"', '"xa b"'),
        ("<a@b.c> = <x@y.z>", "a@b.c", "x@y.z"),
    ],
)
def test_what_a_table_makes_of_an_address(table: str, address: str, result: str | None) -> None:
    assert applied(table, address) == result


@pytest.mark.parametrize(
    ("line", "relay", "purposes"),
    [
        ("a = b", Relay.SIMPLE, PURPOSES),
        ("Relay:a = b", Relay.SIMPLE, PURPOSES),
        ("R: a = b", Relay.SIMPLE, PURPOSES),
        ("norelay:a = b", Relay.NO, PURPOSES),
        ("N:<a> = b", Relay.NO, PURPOSES),
        ("RelayAll : <a> = b", Relay.ALL, PURPOSES),
        ("Mail:a = b", Relay.SIMPLE, {"mail"}),
        ("Relay:Access:a = b", Relay.SIMPLE, {"access"}),
        ("Signal: NoRelay: <a> = b", Relay.NO, {"signal"}),
        ("Mail:Access:a = b", Relay.SIMPLE, {"mail", "access"}),
    ],
)
def test_prefixes(line: str, relay: Relay, purposes: set[Purpose]) -> None:
    record = one(line)
    assert (record.relay, record.purposes) == (relay, purposes)


def test_record_types_apply_to_their_purposes_alone() -> None:
    table = "Mail:a = m\nAccess:a = x\nSignal:<u@a> = s@s\n<u@a> = y"
    assert applied(table, "u@a") == "u@m"
    assert applied(table, "u@a", "access") == "u@x"
    assert applied(table, "u@a", "signal") == "s@s"
    assert applied("Mail:a = m", "u@a", "access") is None


@pytest.mark.parametrize(
    ("line", "address", "marked"),
    [
        ("<user> = user@other.host", "user", True),
        ("Relay:<user> = user@other.host", "user", True),
        ("NoRelay:<user> = user@other.host", "user", False),
        ("Relay:clienthost.com = client1.com", "abc@clienthost.com", True),
        ("Relay:clienthost.com = client1.com", "user%host1@clienthost.com", False),
        ("Relay:host2 = other.host", "<@host2:user@host1>", False),
        ("clienthost.com = client1.com", '"user@host1"@clienthost.com', False),
        ("clienthost.com = client1.com", '"user name"@clienthost.com', True),
        ("big.com = big.com@relay3.com.smtp", "xyz@big.com", True),
        ("NoRelay:big.com = big.com@relay3.com.smtp", "xyz@big.com", False),
        ("RelayAll:<report-*@c.com> = report-*@d.com", "report-user%host1@c.com", True),
        ("<report-*@c.com> = report-*@d.com", "report-user%host1@c.com", False),
        ("<report-*@c.com> = report-*@d.com", "report-daily@c.com", True),
    ],
)
def test_the_relay_marker(line: str, address: str, marked: bool) -> None:
    match = RoutingTable.parse(line).find(parse(address))
    assert match is not None
    assert match.sets_marker is marked


def test_the_first_record_that_applies_counts() -> None:
    assert applied("a.example = first\na.example = second", "u@a.example") == "u@first"
    specific = "dept1.example.com = one\n*.example.com = two"
    assert applied(specific, "u@dept1.example.com") == "u@one"
    assert applied(specific, "u@dept2.example.com") == "u@two"
    hidden = "*.example.com = two\ndept1.example.com = one"
    assert applied(hidden, "u@dept1.example.com") == "u@two"
    assert applied("c = new.c\n<s@c> = s-c", "s@c") == "s@new.c"
    assert applied("<s@c> = s-c\nc = new.c", "s@c") == "s-c"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_and_text(line_end: str) -> None:
    text = SAMPLE.replace("\n", line_end)
    table = RoutingTable.parse(text)
    assert table.text == text
    assert [record.line for record in table.records] == [1, 2, 3, 5, 6, 7, 8, 9]
    assert table.records[2].text == "Relay:*.test.com    = stalker.com"


def test_the_default_records() -> None:
    table = RoutingTable.parse(DEFAULT_RECORDS)
    assert [record.text for record in table.records] == [
        "<root> = postmaster",
        "localhost =",
        "mailhost =",
        "<blacklist-admin*@blacklisted> = postmaster",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a = b\nhq.stalker.com", 2, 15, "there is no ="),
        ("hq.stalker.com ; = x", 1, 16, "there is no ="),
        ("<a> b = c", 1, 5, "there is no ="),
        (" = b", 1, 2, "the left part is empty"),
        ("Relay: = b", 1, 8, "the left part is empty"),
        ("<> = b", 1, 2, "the left part is empty"),
        ("*.a.*.example = b.example", 1, 5, "only one * may stand"),
        ("< a*b* > = c", 1, 6, "only one * may stand"),
        ("; x\n\n<sales@*.example.com> = Bill", 3, 8, "the * may stand only before the @"),
        ("<sales%*> = Bill", 1, 8, "the * may stand only before the @"),
        ("Rely:a = b", 1, 1, "unknown prefix Rely:; write Relay:"),
        ("Foo:a = b", 1, 1, "write Relay: or NoRelay: or RelayAll: or Mail: or Access: or Signal:"),
        ("R:N:a = b", 1, 3, "a record has one of Relay:, NoRelay: and RelayAll:"),
        ("sales@client1.com = b", 1, 1, "write <sales@client1.com> for an address"),
        ("a b.com = c", 1, 1, "a b.com is not a domain name"),
        ("a..b = c", 1, 1, "a..b is not a domain name"),
        ("<a@b@c> = d", 1, 5, "expected the end of the address"),
        ("<a = b", 1, 1, "is not closed"),
        ('<"a> = b', 1, 1, "is not closed"),
        ('<a> = "b', 1, 7, "a quotation mark is not closed"),
        ("<a> = ; nobody", 1, 7, "needs an address after the ="),
        ("<a> = b c", 1, 9, "a blank stands within the address"),
        ("a = b c", 1, 7, "a blank stands within the address"),
        ("a = 50%", 1, 5, "neither a domain nor a path"),
        ("<a> = x*", 1, 8, "there is no * in the left part"),
        ("a = *.b", 1, 5, "there is no * in the left part"),
        ("<*> = *@b*..c", 1, 9, "is not a domain name"),
        ("a = b=c", 1, 5, "neither a domain nor a path"),
    ],
)
def test_errors_tell_the_place_and_what_to_write(
    text: str, line: int, column: int, reason: str
) -> None:
    with pytest.raises(TableSyntaxError) as caught:
        RoutingTable.parse(text)
    error = caught.value
    assert reason in error.text
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ("<ext-*@c> = user@*.example", "ext-a%b@c"),
        ("*x.com = *.y.com", "u@x.com"),
        ("*x.com = *@relay.com", "u@x.com"),
        ("<a*> = *", "a"),
    ],
)
def test_a_substitution_that_makes_no_address_is_an_error(table: str, address: str) -> None:
    with pytest.raises(AddressSyntaxError):
        applied(table, address)


LABELS = st.sampled_from(["a", "b", "ab", "ba", "aa"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
LOCALS = st.lists(LABELS, min_size=1, max_size=3).map("-".join)


@st.composite
def pictures(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    text = draw(texts)
    if draw(st.booleans()):
        return text
    start = draw(st.integers(0, len(text)))
    return f"{text[:start]}*{text[draw(st.integers(start, len(text))) :]}"


PREFIXES = st.sampled_from(["", "", "", "Mail:", "Access:", "Signal:", "NoRelay:"])
LEFT_PARTS = st.one_of(
    pictures(DOMAINS).filter(lambda text: ".." not in text and text.strip(".") == text),
    st.builds("<{}>".format, pictures(LOCALS)),
    st.builds("<{}@{}>".format, pictures(LOCALS), DOMAINS),
)
TABLES = st.lists(st.tuples(PREFIXES, LEFT_PARTS), max_size=12).map(
    lambda records: "\n".join(f"{prefix}{left} = t{n}" for n, (prefix, left) in enumerate(records))
)
ADDRESSES = st.builds(Address, LOCALS, st.one_of(st.just(""), DOMAINS))


def scanned(table: RoutingTable, address: Address, purpose: Purpose) -> Match | None:
    """Look for the record as the documents say: from top to bottom."""
    for record in table.records:
        star = record.match(address) if purpose in record.purposes else None
        if star is not None:
            return Match(record, address, star)
    return None


@given(TABLES, st.lists(ADDRESSES, min_size=1, max_size=8), st.sampled_from(sorted(PURPOSES)))
def test_the_index_finds_what_a_scan_from_top_to_bottom_finds(
    text: str, addresses: list[Address], purpose: Purpose
) -> None:
    table = RoutingTable.parse(text)
    for address in addresses:
        assert table.find(address, purpose) == scanned(table, address, purpose)


@given(st.one_of(st.text(), st.text('ab*.@<>=;:" R%!\\\n', max_size=40)))
def test_any_text_is_a_table_or_an_error_with_a_place(text: str) -> None:
    found: RoutingTable | TableSyntaxError
    try:
        found = RoutingTable.parse(text)
    except TableSyntaxError as error:
        found = error
    if isinstance(found, RoutingTable):
        assert found.text == text
        for record in found.records:
            assert RoutingTable.parse(record.text).records[0].picture == record.picture
    else:
        assert 1 <= found.line <= len(text) + 1
        assert 1 <= found.column <= len(text) + 2

"""Addresses: every notation of the documents and of RFC 822, and what is refused, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel import address as addresses
from reference.kernel.address import AddressSyntaxError, parse, parse_path
from reference.kernel.routes import Address


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        # Guide 3.5.2, Router, Domain and Local Parts of E-mail Addresses
        ("xxxx@yyyyy", "xxxx", "yyyyy"),
        ("<xxxx@yyyyy.com>", "xxxx", "yyyyy.com"),
        ("<@zzzz:xxxx@yyyyy>", "xxxx%yyyyy", "zzzz"),
        ("zzzz!yyyyy!xxxx", "xxxx%yyyyy", "zzzz"),
        ("xxxx%yyyyy@zzzz", "xxxx%yyyyy", "zzzz"),
        ("<@zzzz:local%domain1@domain2>", "local%domain1%domain2", "zzzz"),
        ("<@a,@b:x@c>", "x%c%b", "a"),
        ("@a, @b : x@c", "x%c%b", "a"),
        ("<@a,,@b:x@c>", "x%c%b", "a"),
        ("<@a:x>", "x", "a"),
        ("a!b!c!user", "user%c%b", "a"),
        ("a!b@c", "b%a", "c"),
        ("a!b%c@d", "b%a%c", "d"),
        ("<@a:b!c@d>", "c%b%d", "a"),
        ("user%a", "user", "a"),
        ("user%a%b", "user%a", "b"),
        ("support", "support", ""),
        # Letter case: of the domain part it does not matter
        ("John.Smith@HOST.Com", "John.Smith", "host.com"),
        ("User%Client.COM@Host", "User%Client.COM", "host"),
        ("user%Client.COM", "user", "client.com"),
        ("user@host.com.", "user", "host.com"),
        # RFC 822: comments, white space, quotation
        ("john (his (own) mail \\) box) . smith @ host . com", "john.smith", "host.com"),
        ("\t<john@host.com>\r\n ", "john", "host.com"),
        ('"john"@host.com', "john", "host.com"),
        ('"john.smith"@host.com', "john.smith", "host.com"),
        ('"user name"@host.com', '"user name"', "host.com"),
        ('"john smith".work@host.com', '"john smith.work"', "host.com"),
        ('"a"b"c d"@host.com', '"abc d"', "host.com"),
        (r'"a\"b\\c\d"@host.com', r'"a\"b\\cd"', "host.com"),
        ('"john..smith"@host.com', '"john..smith"', "host.com"),
        ("john..smith.@host.com", "john..smith.", "host.com"),
        ('""@host.com', '""', "host.com"),
        # A quoted local part is never taken apart
        ('"user@somehost"@host.com', '"user@somehost"', "host.com"),
        ('"user%somehost"', '"user%somehost"', ""),
        ('"zzzz!user"@host.com', '"zzzz!user"', "host.com"),
        ('"a b"%c@d', '"a b"%c', "d"),
        ('"a b"%c', '"a b"', "c"),
        ('user%"b"@c', "user%b", "c"),
        ('"a@b"%"c@d"', '"a@b"%"c@d"', ""),
        # IP addresses
        ("user@[10.34.45.67]", "user", "[10.34.45.67]"),
        ("user@[1.2.3.4:26]", "user", "[1.2.3.4:26]"),
        ("user@[010.034.45.67]", "user", "[10.34.45.67]"),
        ("user@10.34.45.67", "user", "10.34.45.67"),
        ("<@a:user@[1.2.3.4]>", "user%[1.2.3.4]", "a"),
        ("user%[1.2.3.4]", "user", "[1.2.3.4]"),
        ("[1.2.3.4]!user", "user", "[1.2.3.4]"),
        ("user@[IPv6:::1]", "user", "[ipv6:::1]"),
        # Signs that separate nothing
        ("50%", "50%", ""),
        ("x%@host", "x%", "host"),
        ("%x", "%x", ""),
        ("!x@host", "!x", "host"),
        ("a!@host", "a!", "host"),
        ("a%x!b", "a%x!b", ""),
        ("user%%host", "user%", "host"),
        # Beyond ASCII
        ("jürgen@köln.example", "jürgen", "köln.example"),
    ],
)
def test_local_and_domain_parts(text: str, local: str, domain: str) -> None:
    assert parse(text) == Address(local, domain)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "the address has no local part"),
        ("<>", 2, "the address has no local part"),
        ("@host.com", 10, "expected : after the route"),
        ("<@a,@b x@c>", 8, "a blank stands within the address"),
        ("<@a:@b>", 5, "the address has no local part"),
        ("a b@c", 3, "a blank stands within the address"),
        ("a@b c", 5, "a blank stands within the address"),
        ("a@b@c", 4, "expected the end of the address, not @"),
        ("a@", 3, "expected a domain name, not the end"),
        ("a@b..c", 3, "b..c is not a domain name"),
        ("a@b%c", 3, "b%c is not a domain name"),
        ("a@b!c", 3, "b!c is not a domain name"),
        ("a@*.c", 3, "*.c is not a domain name"),
        ("a@[]", 3, "[] is not a domain name"),
        ("a@b[1.2.3.4]", 3, "is not a domain name"),
        ("a@1.2.3.4:26", 10, "expected the end of the address, not :"),
        ("a@[1.2.3.4", 3, "a bracket is not closed"),
        ("[1.2.3.4]@c", 1, "an address in brackets is no local part"),
        ("a[1.2.3.4]@c", 2, "brackets stand within a name"),
        ('"a@b', 1, "a quotation mark is not closed"),
        ("a(b@c", 2, "a comment is not closed"),
        ("a)@c", 2, "unexpected symbol )"),
        ("a\\b@c", 2, "unexpected symbol \\"),
        ("a\x00@c", 2, "unexpected symbol code 0"),
        ("<a@b", 5, "expected a closing >"),
        ("a@b>", 4, "expected the end of the address, not >"),
        ("<a@b> c", 7, "expected the end of the address, not c"),
        ("a,b@c", 2, "expected the end of the address, not ,"),
        ("a;b@c", 2, "unexpected symbol ;"),
        ("a" * 5000 + "@b", 1025, "longer than 1024 symbols"),
    ],
)
def test_what_is_no_address(text: str, column: int, reason: str) -> None:
    with pytest.raises(AddressSyntaxError) as caught:
        parse(text)
    assert reason in caught.value.reason
    assert caught.value.column == column
    assert f"column {column}" in str(caught.value)
    assert len(caught.value.address) <= 80


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("user@host.com", True),
        ("user (comment) @host.com", True),
        ("user", True),
        ("user%host.com", True),
        ("user%host@other", False),
        ("<@host:user@other>", False),
        ("host!user", True),
        ("host!other!user", False),
        ('"user name"@host.com', False),
        ('"user"@host.com', False),
        ('"user@somehost"@host.com', False),
        ("50%@host.com", False),
    ],
)
def test_simple_is_one_route_without_quotation_marks(text: str, simple: bool) -> None:
    assert parse_path(text).simple is simple


@pytest.mark.parametrize(
    ("local", "address"),
    [
        ("user", "user"),
        ("user%client1.com", "user@client1.com"),
        ("user%A.com%B.com", "user%A.com@B.com"),
        ('"a b"%c', '"a b"@c'),
        ('"a%b"', '"a%b"'),
        (r'"a\"%c"', r'"a\"%c"'),
        ("50%", "50%"),
        ("user%[10.0.0.1]", "user@[10.0.0.1]"),
    ],
)
def test_the_rightmost_percent_sign_becomes_the_at_sign(local: str, address: str) -> None:
    assert addresses.percent_to_at(local) == address


def test_ip_addresses_in_domain_parts() -> None:
    assert addresses.bare_ip("10.034.45.67") == "[10.34.45.67]"
    assert addresses.bare_ip("10.34.45.67.25") is None
    assert addresses.bare_ip("host.com") is None
    assert addresses.ip_literal("[10.0.0.5]") == ("10.0.0.5", None)
    assert addresses.ip_literal("[10.0.0.5:26]") == ("10.0.0.5", 26)
    for domain in ("10.0.0.5", "[10.0.0.5:0]", "[10.0.0.5:65536]", "[10.0.0.256]", "[host]", ""):
        assert addresses.ip_literal(domain) is None


def test_folding_keeps_the_length() -> None:
    assert addresses.fold("JÜRGEN") == "jürgen"
    assert addresses.fold("Xİx") == "xİx"


SYMBOLS = 'ab.%!@"\\<>()[]:,; 1\t*-ü'
TEXTS = st.one_of(st.text(SYMBOLS, max_size=24), st.text(max_size=24))


def parsed(text: str) -> Address | None:
    try:
        return parse(text)
    except AddressSyntaxError:
        return None


@given(TEXTS)
def test_a_printed_address_is_the_same_address(text: str) -> None:
    address = parsed(text)
    if address is not None:
        assert parse(str(address)) == address
        assert parse(f"<{address}>") == address


@given(TEXTS)
def test_an_address_has_a_local_part_and_a_domain_part_that_is_a_domain(text: str) -> None:
    address = parsed(text)
    if address is not None:
        assert address.local
        assert not address.domain or addresses.is_domain(address.domain)
        assert address.domain == address.domain.lower()
        assert not any(symbol in str(address) for symbol in "\r\n\x00")


NAMES = st.text("abcXYZ019-_.=", min_size=1, max_size=6)
WORDS = st.one_of(NAMES, st.text('ab%@! ."\\<', max_size=5).map(addresses._quoted))
HOSTS = st.from_regex(r"[a-z0-9-]{1,4}(\.[a-z]{1,3}){0,2}", fullmatch=True)


@given(WORDS, st.lists(HOSTS, min_size=1, max_size=4))
def test_the_three_notations_of_a_path_are_one(local: str, hops: list[str]) -> None:
    percent = local + "".join(f"%{hop}" for hop in reversed(hops[1:])) + f"@{hops[0]}"
    bang = "!".join([*hops, local])
    source = "".join(f"@{hop}," for hop in hops[:-1]).rstrip(",")
    source = f"<{source}:{local}@{hops[-1]}>" if source else f"<{local}@{hops[-1]}>"
    assert parse(percent) == parse(source) == parse(bang)

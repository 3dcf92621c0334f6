"""The grammar of command lines, without any command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.cli.syntax import CommandSyntaxError, Usage, split_name, tokenize
from reference.formats.dictionary import Value, dump

CREATE = Usage(
    "accountName:string [type:MultiMailbox|TextMailbox] [external] [settings:dictionary]"
)
ALERT = Usage("[domainName:string ALERT] newAlert:string")
LIST = Usage("listName:string operation:subscribe|feed [silently] [confirm] subscriber:rest")
SUBSCRIBERS = Usage("listName:string [[FILTER] filter:string [limit:number]]")
SETTINGS = Usage("[domainName:string] newSettings:dictionary")


def test_name_ends_where_letters_and_digits_end() -> None:
    assert split_name('  CreateAccount "user1"') == ("CreateAccount", 15)
    assert split_name('CreateAccount"user1"')[0] == "CreateAccount"


@pytest.mark.parametrize("line", ["", "  ", '"USER" x', "\0LIST", "(a)", "1x"])
def test_line_without_a_name(line: str) -> None:
    assert split_name(line)[0] == ""


def test_parameters_in_their_documented_order() -> None:
    found = CREATE.parse('"user1@client1.com" textmailbox EXTERNAL {RealName="A B";}')
    assert found.text("accountName") == "user1@client1.com"
    assert found.text("type") == "TextMailbox"
    assert found.given("external")
    assert found.dictionary("settings") == {"RealName": "A B"}


def test_optional_parameters_may_be_left_out() -> None:
    found = CREATE.parse("user1 external")
    assert not found.given("type")
    assert found.given("external")
    assert found.dictionary("settings") == {}


def test_atom_and_quoted_string_mean_the_same() -> None:
    assert CREATE.parse("user1").text("accountName") == CREATE.parse('"user1"').text("accountName")


@pytest.mark.parametrize("name", ["*", "1.3.6.1.4.1.5678", "MyList@mydomain.com", "a%b", "<x@y>"])
def test_unquoted_strings_of_the_documents_samples(name: str) -> None:
    assert CREATE.parse(name).text("accountName") == name


def test_quoted_string_is_no_keyword() -> None:
    with pytest.raises(CommandSyntaxError) as caught:
        CREATE.parse('user1 "external"')
    assert caught.value.column == 7


def test_optional_name_in_front_is_told_by_the_keyword_behind_it() -> None:
    with_domain = ALERT.parse('"client1.com" ALERT "text"')
    assert with_domain.optional("domainName") == "client1.com"
    assert with_domain.text("newAlert") == "text"
    without = ALERT.parse('"text"')
    assert without.optional("domainName") is None
    with pytest.raises(CommandSyntaxError):
        ALERT.parse('"client1.com" "text"')


def test_adjacent_strings_are_two_parameters() -> None:
    assert SUBSCRIBERS.parse('"list1" "b.c"').text("filter") == "b.c"


def test_filter_with_and_without_its_keyword() -> None:
    assert SUBSCRIBERS.parse('list1 FILTER "b.c" 2').number("limit", 0) == 2
    assert SUBSCRIBERS.parse('list1 "" 2').text("filter") == ""
    assert SUBSCRIBERS.parse("list1 filter").text("filter") == "filter"


def test_rest_of_the_line_is_an_address_with_a_comment() -> None:
    found = LIST.parse('MyList@mydomain.com FEED confirm "Bill Jones" <BJones@company.com>')
    assert found.text("operation") == "feed"
    assert found.given("confirm")
    assert not found.given("silently")
    assert found.text("subscriber") == '"Bill Jones" <BJones@company.com>'


def test_rest_needs_no_grammar() -> None:
    assert LIST.parse("l feed a;b(c").text("subscriber") == "a;b(c"


@pytest.mark.parametrize(
    ("usage", "line", "column", "word"),
    [
        (CREATE, "", 1, "accountName"),
        (CREATE, "user1 NoSuchMailbox", 7, "TextMailbox"),
        (CREATE, "user1 {RealName=A", 18, ";"),
        (CREATE, "user1 {RealName A;}", 17, "="),
        (CREATE, 'user1 {RealName="abc;}', 17, "quotation"),
        (CREATE, 'user1 "abc', 7, "quotation"),
        (CREATE, "user1 (a,b)", 7, "settings"),
        (CREATE, "user1 external more", 16, "end"),
        (CREATE, "user1 \\", 7, "unexpected"),
        (CREATE, "user1 \0", 7, "code 0"),
        (SETTINGS, '"client1.com"', 14, "newSettings"),
        (SUBSCRIBERS, "l f two", 5, "limit"),
    ],
)
def test_complaint_names_the_column_and_what_was_expected(
    usage: Usage, line: str, column: int, word: str
) -> None:
    with pytest.raises(CommandSyntaxError) as caught:
        usage.parse(line)
    assert caught.value.column == column
    assert word in caught.value.text


def test_notation_must_be_balanced() -> None:
    for notation in ("[a:string", "a:string]", "[a:string]]"):
        with pytest.raises(ValueError, match=r"bracket"):
            Usage(notation)


def test_long_line_is_no_burden() -> None:
    table = "\\e".join(f"domain{number}.com = host{number}.com" for number in range(40_000))
    found = Usage("newTable:string").parse(f'"{table}"')
    assert found.text("newTable").count("\r\n") == 39_999


_strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_values: st.SearchStrategy[Value] = st.recursive(
    _strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_strings, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_values, max_size=5), st.sampled_from([" ", "\t", "   "]))
def test_what_is_printed_is_read(values: list[Value], blank: str) -> None:
    line = blank.join(dump(value) for value in values)
    assert [token.value for token in tokenize(line)] == values


def column_of_complaint(usage: Usage, line: str) -> int:
    """Return the column that a refused line is refused for; 1 for an accepted one."""
    try:
        usage.parse(line)
    except CommandSyntaxError as error:
        return error.column
    return 1


@given(st.text(max_size=60) | st.text("ab \"\\(){}=;,[]#'*@.", max_size=30))
def test_any_text_is_read_or_refused_at_a_column_of_it(line: str) -> None:
    for usage in (CREATE, ALERT, LIST, SUBSCRIBERS, SETTINGS):
        assert 1 <= column_of_complaint(usage, line) <= len(line) + 1

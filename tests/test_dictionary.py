"""The Dictionary format: the documents' examples, the errors, and what must hold for any value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.formats.dictionary import (
    DictionaryError,
    Value,
    dump,
    parse,
    parse_prefix,
    with_line_ends,
)

EXAMPLES: list[tuple[str, Value]] = [
    ("MyName", "MyName"),
    ("My2ndName", "My2ndName"),
    ("2nd", "2nd"),
    ('"My Name with spaces and the . sign"', "My Name with spaces and the . sign"),
    ('"(a,b);{c=d}"', "(a,b);{c=d}"),
    (r'"a \"string\" within string"', 'a "string" within string'),
    (r'"Single \\ backslash"', "Single \\ backslash"),
    (r'"TEXT3\rTEXT67\nTEXT78"', "TEXT3\rTEXT67\nTEXT78"),
    (
        r'"Line1:\tField1\tField2\eLine2:\tField1\tField2"',
        "Line1:\tField1\tField2\r\nLine2:\tField1\tField2",
    ),
    (r'"A\066C"', "ABC"),
    (r'"\065"', "A"),
    (
        r'"Using the \012 - Vertical Tabulation symbol"',
        "Using the \x0c - Vertical Tabulation symbol",
    ),
    (r'"M\228rz"', "M\udce4rz"),
    (r'"M\195\164rz"', "März"),
    ('""', ""),
    ('(Element1 , "Element2" , "Element 3")', ["Element1", "Element2", "Element 3"]),
    (
        '( Element1  , (    "Sub Element1", SubElement2  )\r\n, "Element 3"  )',
        ["Element1", ["Sub Element1", "SubElement2"], "Element 3"],
    ),
    ("()", []),
    (
        '{Key1=Element1; Key2 ="Element2" ; "Third Key"="Element 3"; }',
        {"Key1": "Element1", "Key2": "Element2", "Third Key": "Element 3"},
    ),
    (
        '{ Key1  =   (Elem1,Elem2)   ;\nKey2 = {  Sub1 = "XXX 1"; Sub2=X245;  }; }\n',
        {"Key1": ["Elem1", "Elem2"], "Key2": {"Sub1": "XXX 1", "Sub2": "X245"}},
    ),
    ("{}", {}),
    ("{Key=a;key=b;}", {"Key": "a", "key": "b"}),
]

WIDER: list[tuple[str, Value]] = [
    ("user-1_x@main.domain", "user-1_x@main.domain"),
    ("(10.0.0.1:25, a!b, a%b, #Redirect, -1)", ["10.0.0.1:25", "a!b", "a%b", "#Redirect", "-1"]),
    ('"one " \t\r\n "two"', "one two"),
    ("#NULL#", ""),
    ("(#12, #-3)", ["12", "-3"]),
    ("#T22-10-2009_15:24:45", "22-10-2009_15:24:45"),
    ("{a=#I[10.0.44.55]:25;}", {"a": "[10.0.44.55]:25"}),
    ("[SGVsbG8s IHdvcmxk\n]", "Hello, world"),
    ("März", "März"),
]

WRONG = [
    ('{RealName="abc;}', 1, 11, "no closing quotation mark"),
    ("(a1,a2", 1, 7, "expected , or )"),
    ("(a1,,a2)", 1, 5, "an element is missing"),
    ("(a1,)", 1, 5, "an element is missing"),
    ("(,)", 1, 2, "an element is missing"),
    ("{RealName=A;", 1, 13, "expected a key or }"),
    ("{Key1=A; Key2=B}", 1, 16, "expected ; after the value of Key2, not }"),
    ("{RealName A;}", 1, 11, "expected ="),
    ("{RealName=;}", 1, 11, 'write ""'),
    ("{a=1;\n b=2;\n a=3;}", 3, 2, "the key a stands here twice"),
    (r'"a\qb"', 1, 3, "a backslash is followed by"),
    (r'"a\12"', 1, 3, "three digits"),
    (r'"a\256"', 1, 3, "at most 255"),
    ('"a\nb"', 1, 3, "write \\e"),
    ("", 1, 1, "the end of the text"),
    ("a b", 1, 3, "unexpected b"),
    ("a;", 1, 2, "unexpected ;"),
    ("{a=b;;}", 1, 6, "expected a key"),
    ("[***]", 1, 1, "data block"),
    ("[QQ]", 1, 1, "not base64"),
    ("\x00", 1, 1, "the symbol with the code 0"),
    ("(" * 200, 1, 101, "within each other"),
    ("(" * 100_000, 1, 101, "within each other"),
]


@pytest.mark.parametrize(("text", "value"), EXAMPLES)
def test_documented_examples(text: str, value: Value) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(("text", "value"), WIDER)
def test_what_newer_servers_write_is_read(text: str, value: Value) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(("text", "line", "column", "reason"), WRONG)
def test_errors_tell_the_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(DictionaryError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert reason in error.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc1", "abc1"),
        ("a b", '"a b"'),
        ("a.b", '"a.b"'),
        ("-1", '"-1"'),
        ("März", '"März"'),
        ("", '""'),
        ('a "string"\\', r'"a \"string\"\\"'),
        ("Line1\r\nLine2", r'"Line1\eLine2"'),
        ("a\rb\nc\td\x0b\x7f", r'"a\rb\nc\td\011\127"'),
        ("M\udce4rz", r'"M\228rz"'),
        (["a", [], {}], "(a,(),{})"),
        (("a", "b"), "(a,b)"),
        ({"Third Key": ["x y"], "a": {"b": "c"}}, '{"Third Key"=("x y");a={b=c;};}'),
    ],
)
def test_printing_is_strict(value: Value, text: str) -> None:
    assert dump(value) == text


def test_pretty_printing_is_for_people() -> None:
    text = dump({"a": "b", "list": ["x", {"c": "d"}], "none": {}, "empty": []}, pretty=True)
    assert text == (
        "{\n a = b;\n list = (\n  x,\n  {\n   c = d;\n  }\n );\n none = {};\n empty = ();\n}\n"
    )


@pytest.mark.parametrize("value", [1, None, b"octets", ["a", 1], {"a": None}, {1: "a"}])
def test_other_kinds_are_not_printed(value: Value) -> None:
    with pytest.raises(TypeError):
        dump(value)


def test_a_prefix_ends_behind_its_white_space() -> None:
    line = 'SetAccountAliases "user1" (a1,a2) '
    name, end = parse_prefix(line, 17)
    assert (name, end) == ("user1", 26)
    assert parse_prefix(line, end) == (["a1", "a2"], len(line))


def test_line_ends_become_those_of_the_format() -> None:
    assert dump(with_line_ends("a\nb\rc\r\nd")) == r'"a\eb\ec\ed"'


def from_wire(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


STRINGS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary().map(from_wire),
    st.text('"\\\r\n\te0123456789', max_size=8),
)
VALUES = st.recursive(
    STRINGS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(STRINGS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_what_is_printed_is_read_again(value: Value, pretty: bool) -> None:
    assert parse(dump(value, pretty=pretty)) == value


@given(VALUES)
def test_printed_text_has_no_control_symbols_and_no_broken_octets(value: Value) -> None:
    assert not re.search("[\\x00-\\x1f\\x7f\udc80-\udcff]", dump(value))


@given(st.one_of(st.text(), st.text('{}(),;="\\ae09#[]. \n', max_size=30)))
def test_any_text_is_a_value_or_an_error_with_a_place(text: str) -> None:
    found: Value | DictionaryError
    try:
        found = parse(text)
    except DictionaryError as error:
        found = error
    if isinstance(found, DictionaryError):
        assert 1 <= found.line <= text.count("\n") + 1
        assert 1 <= found.column <= len(text) + 1
    else:
        assert parse(dump(found)) == found

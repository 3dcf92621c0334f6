"""The harness's reader and printer of the documents' data format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.targets.dictionary import DictionaryError, dump, parse

values = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_characters="\x85")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(values)
def test_what_is_printed_is_read_back(value):
    assert parse(dump(value)) == value


@given(values)
def test_printing_takes_one_line(value):
    assert not set("\r\n") & set(dump(value))


@given(st.text(alphabet='(){}=;,"\\ab1e \n', max_size=30))
def test_any_text_is_a_value_or_a_dictionary_error(text):
    try:
        value = parse(text)
    except DictionaryError:
        return
    assert parse(dump(value)) == value


def test_the_examples_of_the_documents_are_read():
    assert parse('{Key1=(Elem1,Elem2); Key2={Sub1="XXX 1"; Sub2=X245;};}') == {
        "Key1": ["Elem1", "Elem2"],
        "Key2": {"Sub1": "XXX 1", "Sub2": "X245"},
    }
    assert parse(r'"a \"string\" within string"') == 'a "string" within string'
    assert parse(r'"Line1\eLine2"') == "Line1\nLine2"
    assert parse(r'"Using the \012 - "') == "Using the \x0c - "
    assert parse('( Element1  ,\n ("Sub Element1", SubElement2\n) )') == [
        "Element1",
        ["Sub Element1", "SubElement2"],
    ]


def test_newer_data_are_kept_as_text():
    assert parse('(#NULL#, #12, #I[1.2.3.4]:25, [YWJj], john@a.com, "a" "b")') == [
        "#NULL#",
        "#12",
        "#I[1.2.3.4]:25",
        "[YWJj]",
        "john@a.com",
        "ab",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "complaint"),
    [
        ("{a=1;\n b 2;}", 2, 4, "'=' is missing"),
        ("{a=1;a=2;}", 1, 6, "twice"),
        ("{a=1}", 1, 5, "';' is missing"),
        ("(a b)", 1, 4, "comma"),
        ('"abc', 1, 5, "quotation mark"),
        (r'"a\q"', 1, 3, "not an escape"),
        ("a b", 1, 3, "behind"),
        ("", 1, 1, "value is missing"),
        ("(" * 200, 1, 102, "nested"),
    ],
)
def test_a_wrong_text_is_refused_where_it_is_wrong(text, line, column, complaint):
    with pytest.raises(DictionaryError, match=complaint) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)

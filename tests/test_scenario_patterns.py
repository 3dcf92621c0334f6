"""Patterns against plain reference implementations."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.scenario.patterns import (
    Pattern,
    PatternError,
    escape_glob,
    substitute,
    variables_in,
)

# A small alphabet, so that globs and texts do meet.
TEXTS = st.text("abAB*\\\n.$", max_size=12)


def reference_glob(glob: str, text: str) -> bool:
    """The definition of a glob, by way of re, escapes one character at a time."""
    expression, at = "", 0
    while at < len(glob):
        if glob[at] == "\\" and glob[at + 1 : at + 2] in ("*", "\\"):
            at += 1
            expression += re.escape(glob[at].lower())
        else:
            expression += ".*" if glob[at] == "*" else re.escape(glob[at].lower())
        at += 1
    return re.fullmatch(expression, text.lower(), re.DOTALL) is not None


@given(TEXTS, TEXTS)
def test_a_glob_means_what_its_definition_says(glob: str, text: str) -> None:
    assert Pattern("x" + glob).matches("x" + text) == reference_glob(glob, text)


@given(TEXTS, TEXTS, TEXTS)
def test_a_glob_is_found_anywhere_in_a_text_that_contains_it(
    before: str, glob: str, after: str
) -> None:
    assert Pattern("x" + escape_glob(glob)).found_in(before + "x" + glob + after)


@given(TEXTS)
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    assert Pattern("x" + escape_glob(text)).matches("x" + text.upper())
    assert not Pattern("x" + escape_glob(text)).matches("x" + text + "!")


@given(st.sampled_from(["a+", "^a", "b$", "(a|b)c", "a.b"]), TEXTS)
def test_a_regex_is_searched_for(expression: str, text: str) -> None:
    found = re.search(expression, text, re.MULTILINE) is not None
    assert Pattern(f"/{expression}/").matches(text) == found
    assert Pattern(f"/{expression}/").found_in(text) == found


def test_many_stars_cost_little() -> None:
    assert not Pattern("*a" * 40 + "b").matches("a" * 4000)


@pytest.mark.parametrize(
    ("pattern", "text", "verdict"),
    [
        ("*unknown*", "User UNKNOWN here", True),
        ("/unknown/", "UNKNOWN", False),
        ("/unknown/i", "UNKNOWN", True),
        (r"\*.com", "*.com", True),
        (r"\*.com", "a.com", False),
        ("a?c", "abc", False),
        ("", "", True),
        ("/", "/", True),
        ("/^two$/", "one\ntwo\nthree", True),
    ],
)
def test_examples(pattern: str, text: str, verdict: bool) -> None:
    assert Pattern.parse(pattern).matches(text) is verdict


def test_a_regex_that_does_not_compile_says_why() -> None:
    with pytest.raises(PatternError, match="does not compile: missing"):
        Pattern.parse("/(a/")


def test_a_named_group_binds_and_must_agree_when_it_comes_again() -> None:
    pattern = Pattern.parse(r"/UIDL (?P<uid>\d+)/")
    assert pattern.match("UIDL 17", {}) == {"uid": "17"}
    assert pattern.match("UIDL 17", {"uid": "17", "x": "y"}) == {"uid": "17", "x": "y"}
    assert pattern.match("UIDL 18", {"uid": "17"}) is None
    assert pattern.match("nothing", {}) is None


def test_variables_stand_for_their_values_literally() -> None:
    values = {"name": "a*b(c"}
    assert Pattern("is $name").match("is a*b(c", values) == values
    assert Pattern("is $name").match("is aXb(c", values) is None
    assert Pattern("/^$name$/").match("a*b(c", values) == values
    assert Pattern("costs $$5").match("costs $5", {}) == {}
    with pytest.raises(KeyError):
        Pattern("$nobody").match("x", {})


@given(st.text(max_size=20))
def test_doubled_dollars_come_out_single(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}) == text
    assert variables_in(text.replace("$", "$$")) == ()


def test_patterns_can_be_sent_to_another_process() -> None:
    pattern = Pattern.parse("/a(?P<b>c)/")
    assert pickle.loads(pickle.dumps(pattern)) == pattern

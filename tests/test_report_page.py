"""The page as text: self-contained, escaped, complete, small."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from report_world import EVIL, case, line, malicious, mixed, run

from conformance.report.page import render, write_report


class Elements(HTMLParser):
    """The tags and the visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.text = ""
        self.scripts = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        elif not self._in:
            self.text += data


@pytest.fixture(scope="module")
def page():
    return render([mixed()])


def test_the_page_fetches_nothing(page):
    for tag, attributes in Elements(page).tags:
        for name in ("src", "href", "action"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:,")), (tag, value)
    assert "url(" not in page
    assert "@import" not in page


def test_every_case_has_what_a_postmaster_needs(page):
    text = Elements(page).text
    for needed in (
        "The requirement of router/failed",
        "Guide 3.5.2 > Router > Routing Table",
        "ROUTE-001",
        "RCPT TO:<a@b.example> got 250 ok, expected 5*",
        "scenarios/router/failed.yaml:3:5",
        "mailproof run router/failed",
        "the offending line: ← 250 ok",
        "→ RCPT TO:<a@b.example>",
        "It is read so.",
        "title: The requirement of router/table[a row]",
    ):
        assert needed in text, needed
    assert "/somewhere" not in page


def test_the_matrix_and_the_filters_count(page):
    text = " ".join(Elements(page).text.split())
    assert "router ✗ 1 / 4" in text
    assert "✓ passed 2 ✗ failed 1 ≈ expected failure 1 ! unexpected pass 1" in text
    assert "2 / 6 passed" in text


def test_what_broke_the_run_is_said_first(page):
    text = Elements(page).text
    assert "scenarios/x.yaml:1:1: unknown key" in text
    assert "stale baseline entry router/fixed: it passes now" in text
    assert text.index("unknown key") < text.index("Where it stands")


def test_only_the_offending_line_is_marked(page):
    marked = [a for _, a in Elements(page).tags if "bad" in (a.get("class") or "").split()]
    assert len(marked) == 1


def test_nothing_that_a_server_said_becomes_markup():
    page = render([malicious()])
    elements = Elements(page)
    assert len(elements.scripts) == 1
    assert "taken over" not in elements.scripts[0]
    assert not [tag for tag, _ in elements.tags if tag == "img"]
    assert not [a for _, a in elements.tags if any(name.startswith("on") for name in a)]
    assert elements.text.count(EVIL) >= 8
    assert EVIL not in page


def test_no_other_script_would_run(page):
    elements = Elements(page)
    policy = next(a["content"] for _, a in elements.tags if a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(elements.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_ids_are_unique(page):
    ids = [a["id"] for _, a in Elements(page).tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_markup_costs_less_than_the_transcripts():
    lines = [line("250-this is a line of usual length, as servers say them")] * 50
    cases = [case(f"router/case{number}", transcript=lines) for number in range(600)]
    heard = sum(len(each.text) for each in lines) * len(cases)
    assert len(render([run(*cases)])) < 2 * heard


def test_two_runs_stand_side_by_side():
    other = run(case("router/failed"), name="other", plan="loopback", strict=True)
    text = Elements(render([mixed(), other])).text
    assert "only where targets differ" in text
    assert (
        "mailproof run router/failed --target targets/other.toml --plan loopback --strict" in text
    )
    assert "other: passed" in text
    assert "loopback plan, strict" in text


def test_a_run_without_cases_has_a_page():
    text = Elements(render([run()])).text
    assert "no cases" in text
    assert "nan" not in text.lower()


def test_the_version_of_the_server_is_shown():
    target = {"name": "mine", "version": "3.5.2"}
    assert re.search(r"mine\s+3\.5\.2", Elements(render([run(target=target)])).text)


def test_writing_makes_the_folder_and_survives_lone_surrogates(tmp_path):
    path = tmp_path / "a" / "b" / "index.html"
    write_report([run(case("router/a", transcript=[line("\udcff")]))], path)
    assert "← ?" in path.read_text(encoding="utf-8")

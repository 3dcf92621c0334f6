"""The end of a run in words: which differences, which lines, which sum."""

import io

import pytest
from report_world import case, failing, line, mixed, run
from rich.console import Console

from conformance.cli.summary import lines_that_matter, print_summary
from conformance.run.outcome import Outcome

REASON = "RCPT TO:<a@b.example> got 250 ok, expected 5*"


def summary(result, *, slowest=0):
    console = Console(file=io.StringIO(), highlight=False, width=40)
    print_summary(console, result, slowest=slowest)
    return console.file.getvalue()


def error(number, reason="the server died"):
    return case(f"smtp/e{number}", Outcome.ERROR, reason=reason)


def test_differences_come_with_reason_place_and_lines():
    assert summary(run(failing())).splitlines()[1:7] == [
        "failed router/failed  The requirement of router/failed",
        f"  {REASON}  /somewhere/scenarios/router/failed.yaml:3:5",
        "    smtp from 192.0.2.1 < 220 mycompany.com ESMTP",
        "    smtp from 192.0.2.1 > RCPT TO:<a@b.example>",
        "    smtp from 192.0.2.1 < 250 ok",
        "reference, namespace plan: 1 failed in 2.0 s, 0 a second",
    ]


def test_everything_is_counted_and_nothing_expected_is_shown():
    out = summary(mixed())
    assert out.splitlines()[-1] == (
        "reference, namespace plan: 2 passed, 1 failed, 1 expected failure, 1 unexpected pass, "
        "1 not applicable, 1 error in 2.0 s, 4 a second"
    )
    assert "router/known" not in out
    assert "smtp/etrn" not in out
    assert "stale router/fixed: it passes now\n" in out
    assert "broken scenarios/x.yaml:1:1: unknown key\n" in out


def test_the_gravest_stand_last():
    out = summary(mixed())
    assert out.index("router/failed") < out.index("unexpected pass router/fixed")
    assert out.index("unexpected pass router/fixed") < out.index("error smtp/broken")


def test_a_cause_that_many_errors_share_is_said_once():
    out = summary(run(*(error(number) for number in range(5)), error(9, "another")))
    assert "error smtp/e0, smtp/e1, smtp/e2 and 2 more: the server died\n" in out
    assert "error smtp/e9  The requirement" in out
    assert out.count("the server died") == 1


def test_two_errors_of_one_cause_have_no_more():
    assert "error smtp/e0, smtp/e1: the server died\n" in summary(run(error(0), error(1)))


def test_what_broke_the_run_is_not_said_twice():
    out = summary(run(error(0), broken=("given up: the server died",)))
    assert out.count("the server died") == 1


def test_the_same_failure_of_many_cases_is_told_of_each():
    out = summary(run(failing("router/a"), failing("router/b")))
    assert "failed router/a  The" in out
    assert "failed router/b  The" in out


def test_of_very_many_differences_most_get_a_line():
    out = summary(run(*(failing(f"router/case{number:02}") for number in range(30))))
    assert out.count("< 250 ok") == 20
    assert "failed router/case29: RCPT TO:<a@b.example> got 250 ok, expected 5*\n" in out
    assert "mailproof report makes a page with all transcripts." in out


def test_the_slowest_are_named():
    out = summary(mixed(), slowest=2)
    assert "Slowest: forwarders/one 0.25 s, router/failed 0.25 s\n" in out
    assert "Slowest" not in summary(run(), slowest=2)


def test_a_run_without_cases_has_no_rate():
    assert summary(run()).splitlines() == ["reference, namespace plan: no cases in 2.0 s"]
    assert "a second" not in summary(run(case("a/b"), seconds=0.0))


def test_nothing_steers_the_terminal():
    evil = failing(title="\x1b[2J[red]x")
    out = summary(run(evil, name="\x1b]0;x\x07"))
    assert "\x1b" not in out
    assert "\\x1b[2J[red]x" in out


def test_long_lines_are_cut():
    long = case(
        "router/long", Outcome.FAILED, reason="r" * 900, transcript=[line("y" * 900, bad=True)]
    )
    assert max(len(each) for each in summary(run(long)).splitlines()) < 400


@pytest.mark.parametrize(
    ("texts", "bad", "shown"),
    [
        ("abcdefgh", 6, "cdefg"),
        ("abc", 1, "ab"),
        ("abcdefgh", None, "defgh"),
        ("", None, ""),
    ],
)
def test_the_lines_that_matter_lead_to_the_offending_one(texts, bad, shown):
    lines = [line(text, bad=number == bad) for number, text in enumerate(texts)]
    found = lines_that_matter(case("router/a", transcript=lines))
    assert "".join(each.text for each in found) == shown


def test_lines_of_other_steps_do_not_matter():
    lines = [line("a", step=0), line("b", step=1), line("c", step=1, bad=True), line("d", step=2)]
    assert [each.text for each in lines_that_matter(case("router/a", transcript=lines))] == [
        "b",
        "c",
    ]

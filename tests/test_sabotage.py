"""Every small fault of the reference is noticed by the scenarios of its chapter, and by no others.

The slow tests bear the marker ``sabotage``; docs/sabotage.md tells how to run them all.
"""

import ast
import os

import pytest
from sabotage.case import CHAPTERS, Sabotage, SabotageError, by_name
from sabotage.choice import PORTIONS, binding, chapter_of, chosen, complaint, file_of, listed
from sabotage.table import TABLE
from sabotage.workshop import PACKAGE, ROOT, Workshop

from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.load import load_tree

FULL = os.environ.get("MAILPROOF_SABOTAGE", "") == "full"
#: pytest-xdist brings the parallel work; without it, a test keeps two cores busy itself.
ENGINES = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
NUMBERS = {name: number for number, name in enumerate(TABLE)}
SAMPLE = Sabotage("sample", "warm.py", ("first", "second"), "router/loop", frozenset({"router"}))


@pytest.fixture(scope="module")
def scenarios():
    """Return the binding scenarios of the repository."""
    return binding(load_tree(ROOT / "scenarios"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """Return a workshop whose servers are not measured by coverage."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
            environment.delenv(name, raising=False)
        yield Workshop(tmp_path_factory.mktemp("sabotage"), engines=ENGINES)


@pytest.mark.sabotage
def test_an_unchanged_copy_passes_every_scenario(workshop, scenarios):
    results = workshop.run(workshop.copy(), scenarios)

    if listed(results):
        pytest.fail(f"an unchanged copy is not passed by all:\n{listed(results)}", pytrace=False)
    assert sorted(result.id for result in results) == [scenario.id for scenario in scenarios]


@pytest.mark.sabotage
@pytest.mark.parametrize("name", TABLE)
def test_a_sabotage_is_caught_in_its_own_chapters_only(name, workshop, scenarios):
    case = TABLE[name]
    run = chosen(case, NUMBERS[name], scenarios, full=FULL)

    results = workshop.run(workshop.copy(case), run)

    problem = complaint(case, results)
    if problem:
        pytest.fail(problem, pytrace=False)
    assert sorted(result.id for result in results) == [scenario.id for scenario in run]


@pytest.mark.sabotage
def test_the_changed_copy_is_what_runs(workshop, scenarios):
    change = ("status = main(", "raise SystemExit(3) or main(")
    broken = Sabotage("stillborn", "warm.py", change, "router/loop", CHAPTERS)

    results = workshop.run(workshop.copy(broken), scenarios[:2])

    assert [result.outcome for result in results] == [Outcome.ERROR, Outcome.ERROR]
    assert "no scenario catches the sabotage stillborn" in complaint(broken, results)


# The table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_a_case_fits_the_source(case):
    source = (ROOT / PACKAGE / case.file).read_text(encoding="utf-8")

    changed = case.applied(source)

    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_the_table_is_spread_over_all_chapters(scenarios):
    assert len(TABLE) >= 165
    files = {file_of(scenario.id) for scenario in scenarios}
    for chapter in CHAPTERS:
        enough = min(5, sum(chapter_of(file) == chapter for file in files))
        assert sum(chapter in case.chapters for case in TABLE.values()) >= enough, chapter


def test_the_chapters_are_the_folders_of_the_binding_scenarios(scenarios):
    assert {chapter_of(scenario.id) for scenario in scenarios} >= CHAPTERS
    files = {file_of(scenario.id) for scenario in scenarios}
    for case in TABLE.values():
        assert case.chapters <= CHAPTERS
        assert case.witness in files, case.name
        assert chapter_of(case.witness) in case.chapters, case.name


def test_two_cases_cannot_have_one_name():
    with pytest.raises(ValueError, match="two sabotage cases are called sample"):
        by_name((SAMPLE,), (SAMPLE,))


@pytest.mark.parametrize(
    ("source", "complaint"), [("third", "nowhere"), ("first, first", "2 times")]
)
def test_a_case_that_does_not_fit_says_so(source, complaint):
    with pytest.raises(SabotageError, match=rf"sample does not fit.*{complaint}.*(?s:.)first\n"):
        SAMPLE.applied(source)


def test_a_case_for_a_file_that_is_gone_says_so(tmp_path):
    with pytest.raises(SabotageError, match=r"wants to change reference/warm\.py"):
        SAMPLE.apply(tmp_path)


def test_a_change_is_applied_to_the_copy(tmp_path):
    (tmp_path / "warm.py").write_text("the first line\n")

    SAMPLE.apply(tmp_path)

    assert (tmp_path / "warm.py").read_text() == "the second line\n"


# What a case meets, and what is said about it -----------------------------------------------------


def test_in_brief_the_cases_together_meet_every_scenario(scenarios):
    met = set()
    assert len(TABLE) >= PORTIONS
    for number in range(PORTIONS):
        run = {scenario.id for scenario in chosen(SAMPLE, number, scenarios, full=False)}
        assert "router/loop" in run
        met |= run
    assert met == {scenario.id for scenario in scenarios}
    assert chosen(SAMPLE, 0, scenarios, full=True) == scenarios


def outcomes(**by_id):
    """Return results: ``chapter__file="failed"``."""
    return [
        CaseResult(name.replace("__", "/"), Outcome(outcome), reason="so it is")
        for name, outcome in by_id.items()
    ]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (outcomes(router__loop="failed", smtp__ports="passed", smtp__x="not applicable"), ""),
        (outcomes(router__loop="failed", router__here="error"), ""),
        (outcomes(router__loop="passed"), "no scenario catches the sabotage sample"),
        (outcomes(router__loop="error"), "could not be run:\n  router/loop: error: so it is"),
        (
            outcomes(router__loop="failed", smtp__ports="failed"),
            "the business of router, but these notice it, too:\n  smtp/ports: failed: so it is",
        ),
        (outcomes(router__loop="failed", smtp__ports="error"), "  smtp/ports: error: so it is"),
        (outcomes(router__here="failed"), "router/loop does not catch the sabotage sample any"),
    ],
)
def test_the_complaint_names_what_was_caught(results, expected):
    said = complaint(SAMPLE, results)
    assert expected in said
    assert bool(said) == bool(expected)

"""The catalogue and what scenarios cover of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from conformance.run.outcome import Outcome
from conformance.scenario.catalogue import (
    Catalogue,
    CatalogueError,
    Entry,
    area_of,
    scan_ids,
)
from conformance.scenario.coverage import coverage
from conformance.scenario.load import load_tree
from conformance.scenario.model import Given, Level, Position, Scenario

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "scenarios" / "catalogue"


def test_scanning_finds_the_ids_that_loading_finds() -> None:
    catalogue = Catalogue.load(FOLDER)
    assert scan_ids(FOLDER) == set(catalogue.entries)
    assert len(catalogue) > 5000
    assert "ROUTE-001" in catalogue
    assert catalogue["ROUTE-001"].area == "ROUTE"
    assert {entry.area for entry in catalogue} == set(catalogue.areas())


def test_a_missing_folder_has_no_ids(tmp_path: Path) -> None:
    assert scan_ids(tmp_path / "none") == frozenset()
    assert len(Catalogue.load(tmp_path)) == 0


def test_an_entry_can_be_untestable(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[[case]]\nid = "A-B-1"\ntitle = "t"\nvia = ["smtp"]\nuntestable = "needs Windows"\n'
    )
    entry = Catalogue.load(tmp_path)["A-B-1"]
    assert (entry.untestable, entry.via, entry.area) == ("needs Windows", ("smtp",), "A-B")
    assert area_of("ROUTE-012") == "ROUTE"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[case", "cannot be read"),
        ('[[case]]\ntitle = "t"', "entry 1 has no id"),
        ('[[case]]\nid = "A-1"', "entry 1 has no title"),
        ('[[case]]\nid = "A-1"\ntitle = "t"\nuntestble = "x"', "unknown key 'untestble'"),
        ('[[case]]\nid = "A-1"\ntitle = "t"\n' * 2, "A-1 stands in the catalogue twice"),
    ],
)
def test_a_bad_catalogue_says_where(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(CatalogueError, match=r"bad\.toml: ") as caught:
        Catalogue.load(tmp_path)
    assert words in str(caught.value)


def scenario(name: str, *covers: str, level: Level = Level.MUST) -> Scenario:
    return Scenario(
        id=name,
        title="",
        source="",
        covers=covers,
        given=Given(),
        steps=(),
        position=Position(Path("x"), 1, 1),
        level=level,
    )


def test_coverage_counts_what_every_claim_says() -> None:
    entries = [Entry(f"A-{n}", "") for n in range(1, 8)]
    entries += [Entry("A-8", "", untestable="no"), Entry("B-1", "")]
    catalogue = Catalogue({entry.id: entry for entry in entries})
    scenarios = [
        scenario("good", "A-1", "A-2", "A-3", "A-4"),
        scenario("bad", "A-2"),
        scenario("skipped", "A-3"),
        scenario("text", "A-4", level=Level.TEXT),
        scenario("expected", "A-5"),
        scenario("surprise", "A-6"),
        scenario("never run", "A-7"),
    ]
    results = {
        "good": Outcome.PASSED,
        "bad": Outcome.FAILED,
        "skipped": Outcome.NOT_APPLICABLE,
        "expected": Outcome.EXPECTED_FAILURE,
        "surprise": Outcome.UNEXPECTED_PASS,
    }
    assert coverage(scenarios, catalogue, {**results, "text": Outcome.NOT_APPLICABLE}) == coverage(
        scenarios, catalogue, results
    )
    found = coverage(scenarios, catalogue, results)
    area = found.areas["A"]
    assert area.passed == ("A-1", "A-4", "A-6")
    assert area.failed == ("A-2", "A-5")
    assert area.untestable == ("A-8",)
    assert found.areas["B"].missing == ("B-1",)
    assert found.as_json() == {
        "areas": {
            "A": {"entries": 8, "covered": 7, "untestable": 1, "passed": 3, "failed": 2},
            "B": {"entries": 1, "covered": 0, "untestable": 0, "passed": 0, "failed": 0},
        },
        "totals": {"entries": 9, "covered": 7, "untestable": 1, "passed": 3, "failed": 2},
    }
    strict = coverage(scenarios, catalogue, {**results, "text": Outcome.FAILED})
    assert strict.areas["A"].failed == ("A-2", "A-4", "A-5")
    assert "A-4" not in strict.areas["A"].passed


def test_an_error_is_neither_passed_nor_failed() -> None:
    catalogue = Catalogue({"A-1": Entry("A-1", "")})
    found = coverage([scenario("x", "A-1")], catalogue, {"x": Outcome.ERROR})
    assert (found.areas["A"].passed, found.areas["A"].failed) == ((), ())


def test_the_whole_suite_loads_quickly() -> None:
    """Half a millisecond a row was seen; a busy machine and coverage have their share."""
    start = time.process_time()
    scenarios = load_tree(ROOT / "scenarios")
    assert time.process_time() - start < 0.004 * len(scenarios)
    assert len({one.id for one in scenarios}) == len(scenarios)

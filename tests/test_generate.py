"""Generated families: their models, the search, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sabotage.case import Sabotage
from sabotage.workshop import Workshop

from conformance.cli import main
from conformance.generate import addresses, relays, retries, windows
from conformance.generate.addresses import Line
from conformance.generate.families import FAMILIES
from conformance.generate.family import Draft, Family, minutes
from conformance.generate.relays import Case, relayed
from conformance.generate.search import GenerateError, Search, search, write
from conformance.generate.windows import Period
from conformance.run.client import EngineClient
from conformance.run.messages import EngineSettings
from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.load import load_file
from conformance.scenario.model import Scenario
from conformance.targets.file import TargetFile, load_target

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "targets" / "reference.toml"


def engine(target: TargetFile) -> EngineClient:
    return EngineClient(EngineSettings(target=target, fixtures=ROOT / "fixtures"))


@pytest.fixture(scope="module")
def reference() -> Iterator[EngineClient]:
    with engine(load_target(REFERENCE)) as client:
        yield client


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), engines=1)


# Models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (retries.Case(30, 120, 110, 600), [0, 30, 60, 90, 120, 240, 360, 480, 600]),
        (retries.Case(20, 60, 600, 55), [0, 20, 40, 60]),
        (retries.Case(90, 20, 60, 120), [0, 90, 110, 130]),
    ],
)
def test_attempts(last: retries.Case, expected: list[int]) -> None:
    assert retries.attempts(last) == expected


@pytest.mark.parametrize(
    ("case", "taken"),
    [
        (Case(), False),
        (Case(client=True), True),
        (Case(login=True), True),
        (Case(everybody=True), True),
        (Case(host_is_client=True), True),
        (Case(host_is_client=True, form="routes"), False),
        (Case(host_is_client=True, form="routes", to_clients="to all addresses"), True),
        (Case(host_is_client=True, to_clients="no"), False),
        (Case(host_is_client=True, form="quoted"), False),
        (Case(host_is_client=True, form="quoted", to_clients="to all addresses"), True),
        (Case(record="alias"), True),
        (Case(record="domain", prefix="Relay:"), True),
        (Case(record="domain", prefix="Relay:", form="routes"), False),
        (Case(record="domain", prefix="RelayAll:", form="routes"), True),
        (Case(record="alias", prefix="NoRelay:"), False),
        (Case(record="alias", prefix="NoRelay:", host_is_client=True), True),
        (Case(record="both", prefix="Relay:", second="NoRelay:"), True),
        (Case(record="both", prefix="NoRelay:", second="Relay:"), True),
        (Case(record="both", prefix="NoRelay:", second="NoRelay:"), False),
    ],
)
def test_the_decision_to_relay(case: Case, taken: bool) -> None:
    assert relayed(case) is taken


def test_lists_of_addresses() -> None:
    start = 50 << 8
    one, span = Line(start, start), Line(start + 5, start + 8, ranged=True, comment="LAN")
    assert (one.text(), span.text()) == ("10.34.50.0", "10.34.50.5-10.34.50.8 ; LAN")
    assert replace(span, disabled=True).text() == ";10.34.50.5-10.34.50.8 ; LAN"
    assert replace(one, padded=True).text() == "10.34.50.00"
    held = [number - start for number in range(start, start + 20) if span.holds(number)]
    assert held == [5, 6, 7, 8]
    assert not replace(span, disabled=True).holds(start + 5)
    case = addresses.Case(clients=(one,), blacklisted=(span,), white_holes=(), probes=())
    assert addresses.refusals(case, start) == {}
    assert set(addresses.refusals(case, start + 5).values()) == {"591"}
    assert addresses.refusals(case, start + 9) == {"user@foreign.dom": "5*"}
    white = replace(case, white_holes=(span,))
    assert addresses.refusals(white, start + 5) == {"user@foreign.dom": "5*"}


def test_periods() -> None:
    night = Period(1170, 450)
    monday = Period(600, 660, day=0)
    assert night.element() == {"Day of Week": "every day", "When": "19:30 - 07:30"}
    case = windows.Case((night, monday), ())
    assert windows.leaves(case, 1200) == 1200
    assert windows.leaves(case, 1440 + 5) == 1440 + 5
    assert windows.leaves(case, 500) == 600
    assert windows.leaves(case, 1440 + 500) == 1440 + 1170
    assert windows.leaves(windows.Case((monday,), ()), 665) == 10080 + 600


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
@settings(max_examples=25, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_every_case_loads(
    tmp_path_factory: pytest.TempPathFactory, family: Family, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{family.name}.yaml"
    path.write_text(family.text(data.draw(family.cases)))
    (scenario,) = load_file(path)
    assert scenario.source == family.source


def test_durations() -> None:
    assert [minutes(number) for number in (0, 5, 60, 1505)] == ["0m", "5m", "1h", "1d 1h 5m"]


# The search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_the_reference_follows_the_rule(reference: EngineClient, family: Family) -> None:
    found = search(family, reference.run, examples=15, number=1)
    assert found.finding is None, f"{found.finding.text}\n{found.finding.result.reason}"
    assert found.unfit == ""
    assert found.examples == 15


def _toy(number: int) -> Draft:
    return Draft(
        title=f"Number {number}: with a colon",
        given={"router": f"a{number}.example = b.example\nc.example = d.example\n"},
        steps=[{"route": {f"x@a{number}.example": "SMTP b.example *"}}, {"queued": 0}],
        note="yes",
    )


TOY = Family(name="toy", about="", source="Guide > X", cases=st.integers(0, 1000), draft=_toy)


def _verdict(outcome: Outcome, reason: str = "") -> CaseResult:
    return CaseResult(id="x", outcome=outcome, reason=reason)


def _fails_from(number: int, outcome: Outcome = Outcome.FAILED) -> object:
    def run(scenario: Scenario) -> CaseResult:
        found = int(scenario.title.split()[1].rstrip(":"))
        return _verdict(outcome if found >= number else Outcome.PASSED, "so it is")

    return run


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR])
def test_a_difference_is_shrunk_and_written(tmp_path: Path, outcome: Outcome) -> None:
    found = search(TOY, _fails_from(17, outcome), examples=200, number=1)  # type: ignore[arg-type]
    assert found.finding is not None
    assert found.finding.result == _verdict(outcome, "so it is")
    path = write(found.finding, "toy", tmp_path / "new" / "folder")
    assert path.parent == tmp_path / "new" / "folder"
    assert path.name.startswith("toy-")
    (scenario,) = load_file(path)
    assert scenario.title == "Number 17: with a colon"
    assert scenario.note == "yes"
    assert scenario.given.router == "a17.example = b.example\nc.example = d.example\n"
    assert [step.kind for step in scenario.steps] == ["route", "queued"]


def test_what_does_not_fit_is_told() -> None:
    found = search(
        TOY, lambda _: _verdict(Outcome.NOT_APPLICABLE, "needs smtp"), examples=9, number=1
    )
    assert found == Search(family="toy", examples=1, unfit="needs smtp")


def test_the_same_seed_makes_the_same_scenarios() -> None:
    def titles(number: int) -> list[str]:
        seen: list[str] = []

        def run(scenario: Scenario) -> CaseResult:
            seen.append(scenario.title)
            return _verdict(Outcome.PASSED)

        assert search(TOY, run, examples=20, number=number).examples == 20
        return seen

    assert titles(5) == titles(5) != titles(6)


def test_a_difference_that_does_not_come_again_is_none() -> None:
    seen: list[str] = []

    def run(scenario: Scenario) -> CaseResult:
        seen.append(scenario.title)
        return _verdict(Outcome.FAILED if len(seen) == 5 else Outcome.PASSED)

    with pytest.raises(GenerateError, match="toy: a difference did not come again"):
        search(TOY, run, examples=20, number=1)


# What it leaves behind ----------------------------------------------------------------------------


def _wrong(case: Case) -> Draft:
    """Believe that NoRelay: sets the marker."""
    prefix = "Relay:" if case.prefix == "NoRelay:" else case.prefix
    draft = relays.FAMILY.draft(replace(case, prefix=prefix))
    return replace(draft, given={**relays.FAMILY.draft(case).given})


def test_a_wrong_model_is_found_out(reference: EngineClient, tmp_path: Path) -> None:
    family = replace(relays.FAMILY, draft=_wrong)
    found = search(family, reference.run, examples=300, number=1)
    assert found.finding is not None
    path = write(found.finding, family.name, tmp_path)
    (scenario,) = load_file(path)
    result = reference.run(scenario)
    assert result.outcome is Outcome.FAILED
    assert "NoRelay:" in str(scenario.given.router)
    # All that has nothing to do with it is as plain as can be.
    assert str(scenario.given.router).count("\n") == 1
    assert scenario.given.clients == ("10.1.1.1",)


@pytest.mark.sabotage
@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        (
            "addresses",
            "kernel/iplist.py",
            "    return start, end\n\n\ndef _network",
            "    return start, end + 1\n\n\ndef _network",
        ),
        (
            "retries",
            "transport/retry.py",
            "return self.every if age < self.later_after - TOLERANCE else self.later_every",
            "return self.every",
        ),
    ],
)
def test_a_sabotaged_server_leaves_a_scenario_that_fails(
    workshop: Workshop,
    reference: EngineClient,
    tmp_path: Path,
    name: str,
    file: str,
    old: str,
    new: str,
) -> None:
    broken = workshop.copy(Sabotage(name, file, (old, new), "", frozenset()))
    with engine(broken) as client:
        found = search(FAMILIES[name], client.run, examples=300, number=3)
        assert found.finding is not None
        (scenario,) = load_file(write(found.finding, name, tmp_path))
        assert client.run(scenario).outcome is Outcome.FAILED
    assert reference.run(scenario).outcome is Outcome.PASSED
    if name == "addresses":
        lists = (scenario.given.clients, scenario.given.blacklisted, scenario.given.white_holes)
        assert sum(len(lines or ()) for lines in lists) == 1
        assert len(scenario.steps) == 1


# The command --------------------------------------------------------------------------------------


def test_the_command_names_families(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FAMILIES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["relay"], "there is no family 'relay' (did you mean relays?)"),
        (["xyz"], f"there is no family 'xyz' (families: {', '.join(FAMILIES)})"),
        (["--target", "none.toml"], "none.toml"),
    ],
)
def test_misuse_is_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["generate", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mailproof generate: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_without_hypothesis_the_command_says_so() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None; from conformance.cli import main; "
        "sys.exit(main(['generate']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "mailproof generate: Hypothesis is missing; install it: pip install 'mailproof[generate]'\n"
    )


def test_the_command_searches(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["generate", "relays", "--examples", "5", "--seed", "7", "--out", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "--seed 7"
    assert "no difference in 5 scenarios" in said
    assert not list(tmp_path.iterdir())


def test_the_command_writes_what_it_finds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "conformance.generate.families.FAMILIES",
        {"relays": replace(relays.FAMILY, draft=_wrong)},
    )
    words = ["generate", "--examples", "300", "--seed", "1", "--out", str(tmp_path / "found")]
    assert main(words) == 1
    said = capsys.readouterr().out
    (path,) = (tmp_path / "found").iterdir()
    assert f"written to {path}" in said
    assert main(["run", str(path), "--results", str(tmp_path / "result.json")]) == 1

"""The commands that need no server: list, show, coverage, report."""

import json

import pytest
from command_kit import FAILING, PASSING, ROWS, project
from report_world import case, mixed, run

from conformance.cli import main
from conformance.run.outcome import Outcome
from conformance.run.results import save


@pytest.fixture
def here(tmp_path, monkeypatch):
    noted = f"note: It is [read] so.\n{PASSING}"
    project(tmp_path, router__a=noted, router__b=FAILING, smtp__table=ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def out(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


def complaint(capsys, *words):
    assert main(list(words)) == 2
    said, err = capsys.readouterr()
    assert said == ""
    return err


# list


def test_list_names_ids_and_requirements(here, capsys):
    assert out(capsys, "list") == (
        "router/a  A requirement\n"
        "router/b  A requirement\n"
        "smtp/table[good]  The route of postmaster\n"
        "smtp/table[bad]  The route of nobody\n"
        "4 scenarios\n"
    )


def test_list_can_be_narrowed(here, capsys):
    assert out(capsys, "list", "router/a") == "router/a  A requirement\n1 scenario\n"
    covering = out(capsys, "list", "--covers", "ROUTE-002")
    assert covering == "smtp/table[good]  The route of postmaster\n1 scenario\n"


def test_list_as_json(here, capsys):
    (found,) = json.loads(out(capsys, "list", "--json", "smtp/table[good]"))
    assert found["id"] == "smtp/table[good]"
    assert found["covers"] == ["ROUTE-001", "ROUTE-002"]
    assert found["requires"] == ["route"]
    assert found["file"].endswith("scenarios/smtp/table.yaml:5:5")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rooter"], "no scenario is called 'rooter'"),
        (
            ["--covers", "ROUT-001"],
            "the catalogue has no statement 'ROUT-001' (did you mean ROUTE-001?)",
        ),
        (["--covers", "x"], "the catalogue has no statement 'x'\n"),
    ],
)
def test_list_says_what_there_is_not(here, capsys, words, sentence):
    assert complaint(capsys, "list", *words).startswith(f"mailproof list: {sentence}")


# show


def test_show_tells_all_about_one(here, capsys):
    said = out(capsys, "show", "router/a")
    assert said.startswith("A requirement\nrouter/a  scenarios/router/a.yaml:1:1\n")
    assert "Source:   Guide 3.5.2 > Chapter\n" in said
    assert "Level: beyond\n" in said
    assert "Note:     It is [read] so.\n" in said
    assert "  - route: {postmaster@mycompany.com: LOCAL postmaster}\n" in said


def test_show_names_the_statements_of_a_row(here, capsys):
    said = out(capsys, "show", "smtp/table[good]")
    assert "Covers:   ROUTE-001 Addresses have routes\n" in said
    assert "          ROUTE-002 Local ones too\n" in said
    assert "Note:" not in said


def test_show_is_coloured_on_a_terminal(here, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in out(capsys, "show", "router/a").partition("steps")[2]


def test_show_wants_one(here, capsys):
    assert complaint(capsys, "show", "router") == (
        "mailproof show: 'router' means 2 scenarios; name one of them\n"
    )


# coverage


def test_coverage_counts_by_area(here, capsys):
    lines = out(capsys, "coverage").splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["ROUTE", "3", "2", "1", "0", "0", "0"],
        ["RELAY", "1", "0", "0", "0", "0", "1"],
        ["all", "4", "2", "1", "0", "0", "1"],
    ]


def test_coverage_takes_outcomes_from_the_last_results(here, capsys):
    passed, failed = case("smtp/table[good]"), case("smtp/table[bad]", Outcome.FAILED, reason="x")
    save(run(passed, failed), ".mailproof/result.json")
    save(run(passed, case("smtp/table[bad]")), "other.json")
    found = json.loads(out(capsys, "coverage", "--json", "route"))
    numbers = {"entries": 3, "covered": 2, "untestable": 1, "passed": 1, "failed": 1}
    assert found == {"areas": {"ROUTE": numbers}, "totals": numbers}
    found = json.loads(out(capsys, "coverage", "--json", "--results", "other.json"))
    assert found["areas"]["ROUTE"] == {**numbers, "passed": 2, "failed": 0}
    assert found["totals"]["entries"] == 4


def test_coverage_names_what_is_missing(here, capsys):
    assert out(capsys, "coverage", "--missing").endswith("RELAY-001 Strangers do not relay\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ROUT"], "the catalogue has no area 'ROUT' (did you mean ROUTE?)\n"),
        (["X"], "the catalogue has no area 'X' (areas: ROUTE, RELAY)\n"),
        (["--results", "no.json"], "no.json: there is no such result file\n"),
        (["--results", "toy.toml"], "toy.toml: not a result file: "),
    ],
)
def test_coverage_says_what_there_is_not(here, capsys, words, sentence):
    assert complaint(capsys, "coverage", *words).startswith(f"mailproof coverage: {sentence}")


def test_coverage_with_a_broken_catalogue(here, capsys):
    (here / "scenarios" / "catalogue" / "x.toml").write_text("[[case]]\n")
    assert "x.toml: entry 1 has no id\n" in complaint(capsys, "coverage")


# report


def test_report_makes_a_page_of_several_results(here, capsys):
    save(mixed(), "a.json")
    save(run(case("router/failed"), name="other"), "b.json")
    assert out(capsys, "report", "a.json", "b.json", "-o", "there/page.html") == "there/page.html\n"
    page = (here / "there" / "page.html").read_text()
    assert "mailproof: reference, other" in page


def test_report_takes_the_last_results(here, capsys):
    save(mixed(), ".mailproof/result.json")
    assert out(capsys, "report") == "report/index.html\n"
    assert (here / "report" / "index.html").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], ".mailproof/result.json: there is no such result file\n"),
        (["no.json"], "no.json: there is no such result file\n"),
        (["toy.toml"], "toy.toml: not a result file: "),
        (["scenarios"], "scenarios: cannot be read: "),
    ],
)
def test_report_says_what_it_cannot_read(here, capsys, words, sentence):
    assert complaint(capsys, "report", *words).startswith(f"mailproof report: {sentence}")


def test_report_says_what_it_cannot_write(here, capsys):
    save(mixed(), "a.json")
    assert complaint(capsys, "report", "a.json", "-o", "toy.toml/x.html") == (
        "mailproof report: toy.toml/x.html cannot be written: File exists\n"
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"format": "x"}', '{"format": 1, "cases": []}']
)
def test_what_is_no_result_file_is_one_sentence(here, capsys, text):
    (here / "bad.json").write_text(text)
    said = complaint(capsys, "report", "bad.json")
    assert said.startswith("mailproof report: bad.json: not a result file: ")
    assert said.count("\n") == 1

"""``mailproof run`` from end to end, against the toy server."""

import os
import xml.etree.ElementTree as ElementTree

import pytest
from command_kit import DYING, FAILING, PASSING, ROWS, outcomes, project, run
from engine_kit import toy_target, write_scenario

from conformance.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with a scenario that passes, one that fails, and rows; the current folder."""
    project(tmp_path, router__a=PASSING, router__b=FAILING, smtp__table=ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys):
    return capsys.readouterr().out


def test_a_run_says_where_the_server_stands(here, capsys):
    assert run() == 1
    out = said(capsys)
    assert "router              2 cases  1 bad\n" in out
    assert "smtp                2 cases  1 bad\n" in out
    assert "\nfailed router/b  A requirement\n" in out
    assert "expected SMTP  scenarios/router/b.yaml:5:" in out
    assert '    cli > Route "postmaster@mycompany.com"\n' in out
    assert '    cli < 201 (LOCAL,postmaster,"")\n' in out
    assert "CreateAccount" not in out
    assert "\nSlowest: " in out
    assert "\ntoy, loopback plan: 2 passed, 2 failed in " in out
    assert out.rstrip().endswith(" a second")
    assert outcomes() == {
        "router/a": "passed",
        "router/b": "failed",
        "smtp/table[bad]": "failed",
        "smtp/table[good]": "passed",
    }


def test_workers_do_the_same_and_rows_can_be_chosen(here, capsys):
    assert run("-n", "2", "router/a", "smtp/table[good]", "--slowest", "0") == 0
    out = said(capsys)
    assert "router              1 cases\n" in out
    assert "smtp                1 cases\n" in out
    assert "Slowest" not in out
    assert set(outcomes()) == {"router/a", "smtp/table[good]"}


def test_report_junit_and_results_are_left_where_told(here, capsys):
    words = ["--report", "out", "--junit", "junit/j.xml", "--results", "mine/r.json"]
    assert run(*words, "router/a", "-k", "ROUTE-001 or router/a") == 0
    assert "Report: out/index.html\n" in said(capsys)
    assert "router/a" in (here / "out" / "index.html").read_text()
    assert outcomes("out/result.json") == outcomes("mine/r.json") == {"router/a": "passed"}
    (one,) = ElementTree.parse("junit/j.xml").iter("testcase")
    assert one.get("name") == "router/a"
    assert one.get("classname") == "scenarios.router.a.yaml"


def test_a_report_beside_its_own_results_is_no_trouble(here):
    assert run("--report", "out", "--results", "out/result.json", "router/a") == 0
    assert outcomes("out/result.json") == {"router/a": "passed"}


def test_only_what_failed_last_time(here, capsys):
    assert run("router", "smtp") == 1
    said(capsys)
    assert run("--lf") == 1
    assert "run-last-failure: rerun previous 2 failures" in said(capsys)
    assert set(outcomes()) == {"router/b", "smtp/table[bad]"}
    write_scenario(here, PASSING, name="router/b")
    assert run("--lf", "router") == 0
    assert set(outcomes()) == {"router/b"}


def test_the_first_difference_can_end_the_run(here):
    write_scenario(here, FAILING, name="router/c")
    assert run("-x", "router") == 1
    assert outcomes() == {"router/a": "passed", "router/b": "failed"}


def test_with_workers_too(here, capsys):
    for number in range(8):
        write_scenario(here, FAILING, name=f"router/c{number}")
    assert run("-x", "-n", "1", "router") == 1
    assert "broken" not in said(capsys)
    assert len(outcomes()) < 6


def test_a_baseline_makes_failures_expected(here, capsys):
    (here / "known.yaml").write_text("router/b: a known bug\nsmtp/table[bad]: another\n")
    assert run("--baseline", "known.yaml") == 0
    assert "2 passed, 2 expected failure" in said(capsys)
    (here / "known.yaml").write_text("router/a: it was a bug\nrouter/b: a known bug\n")
    assert run("--baseline", "known.yaml", "router") == 1
    out = said(capsys)
    assert "unexpected pass router/a" in out
    assert "stale router/a: it passes now: take it out of the baseline\n" in out


def test_a_target_names_its_own_baseline(here, capsys):
    (here / "known.yaml").write_text("router/b: a known bug\nsmtp/table[bad]: another\n")
    (here / "none.yaml").write_text("{}\n")
    target = next(here.glob("*.toml"))
    target.write_text(f'baseline = "known.yaml"\n{target.read_text()}')
    assert run() == 0
    assert "2 passed, 2 expected failure" in said(capsys)
    assert run("--baseline", "none.yaml") == 1
    assert "2 passed, 2 failed" in said(capsys)


def test_strictness_reaches_the_scenarios(here, capsys):
    text = "steps:\n  - smtp: |\n      S: 220 ~ another greeting\n"
    write_scenario(here, text, name="router/strict")
    assert run("router/strict") == 0
    assert run("--strict", "router/strict") == 1
    assert " < 220 toy ready\n" in said(capsys)


def test_a_server_that_breaks_is_no_difference(here, capsys):
    write_scenario(here, DYING, name="router/dies")
    assert run("router/dies") == 2
    out = said(capsys)
    assert "\nerror router/dies  A requirement\n" in out
    assert "toy, loopback plan: 1 error in " in out


def test_scenarios_of_ones_own_can_be_anywhere(here, capsys):
    write_scenario(here / "mine", PASSING, name="extra/c")
    assert run("mine/scenarios", "router/a") == 0
    assert outcomes() == {"extra/c": "passed", "router/a": "passed"}


def test_the_environment_is_left_as_it_was(here, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    before = dict(os.environ)
    assert run("router/a") == 0
    assert dict(os.environ) == before


# Misuse: one sentence, status 2


def broken(capsys, *words, **changes):
    assert run(*words, **changes) == 2
    out, err = capsys.readouterr()
    return out, err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["router/aa"], "no scenario is called 'router/aa' (did you mean router/a"),
        (["--baseline", "none.yaml"], "none.yaml: there is no such baseline file"),
        (["-k", "nothing"], "nothing was selected; mailproof list shows what there is"),
        (["--results", "scenarios"], "scenarios cannot be written: Is a directory"),
        (["--report", "toy.toml"], "toy.toml/index.html cannot be written: "),
        (["--junit", "toy.toml/j.xml"], "toy.toml/j.xml cannot be written: "),
    ],
)
def test_misuse_is_one_sentence(here, capsys, words, sentence):
    out, err = broken(capsys, *words)
    assert out == ""
    assert err.startswith(f"mailproof run: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_wrong_expression_is_said_by_pytest(here, capsys, workers):
    out, err = broken(capsys, "-n", workers, "-k", "a b(")
    assert out == ""
    assert err.strip().count("\n") == 0
    assert err.startswith("ERROR: Wrong expression passed to '-k': a b(")


def test_a_wrong_target_file_is_one_sentence(here, capsys):
    assert broken(capsys, target="none.toml")[1] == (
        "mailproof run: none.toml: there is no such target file\n"
    )
    (here / "bad.toml").write_text('name = "x"\ncapabilties = []\n')
    assert broken(capsys, target="bad.toml")[1] == (
        'mailproof run: bad.toml:2: capabilties: unknown key (did you mean "capabilities"?)\n'
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_wrong_scenario_file_is_said_with_its_place(here, capsys, workers):
    write_scenario(here, "title: x\nsource: y\ncovers: [ROUTE-999]\nsteps: [rset]\n", name="x/y")
    write_scenario(here, "titel: x\n", name="x/z")
    out, err = broken(capsys, "-n", workers)
    assert err == ""
    assert "scenarios/x/y.yaml:3:10: the catalogue has no " in out
    assert "scenarios/x/y.yaml:4:9: " in out
    assert "scenarios/x/z.yaml:1:1: " in out
    assert out.count("x/y.yaml:3:10") == 1
    assert "interrupted" not in out
    assert "no cases in " in out


def test_a_wrong_scenario_file_is_said_before_anything_that_was_chosen_is_run(here, capsys):
    write_scenario(here, "title: x\nsource: y\ncovers: [ROUTE-999]\nsteps: [rest]\n", name="x/y")
    out, err = broken(capsys, "router/a")
    assert out == ""
    assert "scenarios/x/y.yaml:3:10: the catalogue has no " in err


def test_a_server_that_does_not_start_is_said_once(here, capsys):
    toy_target(here, name="exit", fault="exit")
    for number in range(5):
        write_scenario(here, PASSING, name=f"router/c{number}")
    out, err = broken(capsys, "router", target="exit.toml")
    assert err == ""
    reason = "the server ended at its start with status 7: toy: cannot start today"
    assert f"broken the run was interrupted: given up after 3 scenarios in a row: {reason}\n" in out
    assert out.count(reason) == 1
    assert "3 error in " in out


def test_a_busy_port_is_said_by_the_server(here, capsys):
    (here / "busy.toml").write_text(
        'name = "busy"\ncapabilities = ["smtp", "cli", "router", "route"]\n[start]\n'
        'command = ["sh", "-c", "echo port 25 is taken: {port_offset} >&2; exit 1"]\n'
    )
    out, _ = broken(capsys, "router/a", target="busy.toml")
    assert "the server ended at its start with status 1: port 25 is taken: " in out


def test_a_plan_that_is_not_to_be_had_is_said_once(here, capsys):
    text = (here / "toy.toml").read_text().replace('"--port-offset", "{port_offset}", ', "")
    (here / "here.toml").write_text(text)
    out, err = broken(capsys, "router", target="here.toml")
    assert err == ""
    assert out.count("toy does not support the loopback plan, only namespace") == 1


def test_a_run_that_cannot_be_accounted_for_is_broken(here, monkeypatch, capsys):
    def save(run, path):
        raise results.ResultsError(f"{path}: the disk is full")

    from conformance.run import results, session

    monkeypatch.setattr(session, "save", save)
    _, err = broken(capsys, "router/a")
    assert err.startswith("mailproof run: .mailproof/result.json: there is no such result file")


def test_a_report_that_cannot_be_written_is_said(here, monkeypatch, capsys):
    from conformance.cli import run as module

    def write_report(runs, path):
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "write_report", write_report)
    _, err = broken(capsys, "--report", "out", "router/a")
    assert err == "mailproof run: the report cannot be written: the disk is full\n"


def test_without_a_target_it_is_the_reference(here, monkeypatch):
    from conformance.cli import paths

    monkeypatch.setattr(paths, "reference_target", lambda: here / "toy.toml")
    assert main(["run", "--plan", "loopback", "router/a"]) == 0

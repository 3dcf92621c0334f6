"""The pytest plugin: collecting, outcomes, selection, baseline, exit statuses, xdist, results."""

import xml.etree.ElementTree as ElementTree

import pytest
from engine_kit import FIXTURES, toy_target, write_scenario

from conformance.plugin import loading_arguments
from conformance.run import results

pytest_plugins = ["pytester"]

PASSING = "steps:\n  - route: {postmaster@mycompany.com: LOCAL postmaster}\n"
FAILING = "steps:\n  - route: {postmaster@mycompany.com: SMTP}\n"
DYING = "steps:\n  - cli: Fault die\n  - mail: {to: postmaster@mycompany.com}\n"
WEB = "requires: [http]\n" + PASSING
ROWS = """\
title: The route of {who}
source: Guide 3.5.2 > Router
covers: [ROUTE-001]
rows:
  - {name: good, who: postmaster, covers: [ROUTE-002]}
  - {name: bad, who: nobody}
steps:
  - route: {"{who}@mycompany.com": LOCAL}
"""


@pytest.fixture
def tree(pytester):
    """A folder with a target file; ``tree(name=text)`` adds scenarios to it."""
    toy_target(pytester.path, warm=True)

    def add(**texts):
        for name, text in texts.items():
            write_scenario(pytester.path, text, name=f"router/{name}")

    return add


def run(pytester, *arguments, target="toy.toml"):
    named = ["--mailproof-target", target] if target else []
    return pytester.runpytest_inprocess(
        *loading_arguments(),
        "-p",
        "no:randomly",
        *named,
        "--mailproof-plan=loopback",
        f"--mailproof-fixtures={FIXTURES}",
        "--mailproof-results=result.json",
        *arguments,
    )


def outcomes(pytester):
    found = results.load(pytester.path / "result.json")
    return {case.id: case.result.outcome.value for case in found.cases}


def test_every_outcome_has_its_pytest_outcome(pytester, tree):
    tree(a=PASSING, b=FAILING, c=DYING, d=WEB, e=FAILING, f=PASSING)
    (pytester.path / "known.yaml").write_text("router/e: a known bug\nrouter/f: it is fixed\n")
    ran = run(pytester, "--mailproof-baseline=known.yaml", "--junit-xml=j.xml", "scenarios")
    ran.assert_outcomes(passed=1, failed=2, errors=1, skipped=1, xfailed=1)
    assert ran.ret == 2
    assert outcomes(pytester) == {
        "router/a": "passed",
        "router/b": "failed",
        "router/c": "error",
        "router/d": "not applicable",
        "router/e": "expected failure",
        "router/f": "unexpected pass",
    }
    cases = {
        case.get("name"): [child.tag for child in case]
        for case in ElementTree.parse(pytester.path / "j.xml").iter("testcase")
    }
    assert cases["router/a"] == []
    assert cases["router/b"] == ["failure"]
    assert cases["router/c"] == ["error"]
    assert cases["router/d"] == ["skipped"]


def test_a_failure_shows_the_wire_and_no_trace(pytester, tree):
    tree(b=FAILING)
    ran = run(pytester, "scenarios")
    assert ran.ret == 1
    ran.stdout.fnmatch_lines(
        [
            "*<postmaster@mycompany.com> is routed to LOCAL postmaster , expected SMTP",
            "*A requirement",
            ">> cli*< 201 (LOCAL,postmaster*",
        ]
    )
    ran.stdout.no_fnmatch_line("*Traceback*")
    ran.stdout.no_fnmatch_line("*items.py*")


def test_an_error_shows_the_servers_last_words_and_no_trace(pytester, tree):
    tree(c=DYING)
    ran = run(pytester, "scenarios")
    assert ran.ret == 2
    ran.stdout.fnmatch_lines(["*the server ended in the middle with status 3: toy: this is the*"])
    ran.stdout.no_fnmatch_line("*items.py:*")


def test_all_as_expected_is_status_0(pytester, tree):
    tree(a=PASSING, e=FAILING)
    (pytester.path / "known.yaml").write_text("router/e: a known bug\n")
    ran = run(pytester, "--mailproof-baseline=known.yaml", "scenarios")
    assert ran.ret == 0
    (expected,) = [
        case for case in results.load(pytester.path / "result.json").cases if case.id == "router/e"
    ]
    assert expected.result.reason.startswith("a known bug (<postmaster@mycompany.com> is routed")


def test_stale_entries_fail_the_run(pytester, tree):
    tree(a=PASSING, rows=ROWS)
    (pytester.path / "known.yaml").write_text(
        "router/gone: once\nrouter/rows[worse]: once\nrouter/rows[bad]: a known bug\n"
    )
    ran = run(pytester, "--mailproof-baseline=known.yaml", "scenarios/router/a.yaml")
    assert ran.ret == 1
    ran.stdout.fnmatch_lines(
        [
            "stale baseline entry router/gone: there is no such scenario",
            "stale baseline entry router/rows?worse?: there is no such scenario",
        ]
    )
    ran.stdout.no_fnmatch_line("*rows?bad?*")
    stale = results.load(pytester.path / "result.json").stale
    assert [entry.id for entry in stale] == ["router/gone", "router/rows[worse]"]


def test_rows_are_selected_by_id_and_by_what_they_cover(pytester, tree):
    tree(rows=ROWS)
    run(pytester, "-k", "rows[bad]", "scenarios").assert_outcomes(failed=1, deselected=1)
    run(pytester, "-k", "ROUTE-002", "scenarios").assert_outcomes(passed=1, deselected=1)
    node = "scenarios/router/rows.yaml::router/rows[good]"
    run(pytester, node).assert_outcomes(passed=1)
    assert outcomes(pytester) == {"router/rows[good]": "passed"}


def test_last_failed_and_first_failure(pytester, tree):
    tree(a=FAILING, b=FAILING, c=PASSING)
    run(pytester, "-x", "scenarios").assert_outcomes(failed=1)
    run(pytester, "scenarios").assert_outcomes(failed=2, passed=1)
    run(pytester, "--lf", "scenarios").assert_outcomes(failed=2)


def test_workers_of_xdist_give_the_same_result(pytester, tree):
    tree(a=PASSING, b=FAILING, c=DYING, d=WEB, rows=ROWS)
    assert run(pytester, "-n", "2", "scenarios").ret == 2
    parallel = results.load(pytester.path / "result.json")
    assert run(pytester, "scenarios").ret == 2
    alone = results.load(pytester.path / "result.json")
    assert [(c.id, c.result.outcome, c.result.reason) for c in parallel.cases] == [
        (c.id, c.result.outcome, c.result.reason) for c in alone.cases
    ]
    assert parallel.plan == alone.plan == "loopback"
    assert parallel.target["command"] == alone.target["command"]


def test_a_scenario_that_does_not_load_breaks_the_run(pytester, tree):
    tree(a=PASSING, b="stepss: []\n")
    ran = run(pytester, "scenarios")
    assert ran.ret == 2
    ran.stdout.fnmatch_lines(["*b.yaml:4:1*stepss*"])
    missing, unknown = results.load(pytester.path / "result.json").broken
    assert "“steps” is missing" in missing
    assert "b.yaml:4:1: unknown key “stepss”" in unknown


def test_a_run_without_a_server_is_given_up_after_a_few_cases(pytester, tree):
    tree(**dict.fromkeys("abcdef", PASSING))
    toy_target(pytester.path, fault="exit", warm=True)
    ran = run(pytester, "scenarios")
    assert ran.ret == 2
    assert len(outcomes(pytester)) == 3
    ran.stdout.fnmatch_lines(["*given up after 3 scenarios in a row: the server ended*"])


@pytest.mark.parametrize(
    ("arguments", "target", "complaint"),
    [
        ([], "no.toml", "*no.toml: there is no such target file"),
        (["--mailproof-baseline=no.yaml"], "toy.toml", "*no.yaml: there is no such baseline file"),
    ],
)
def test_bad_files_are_one_sentence(pytester, tree, arguments, target, complaint):
    tree(a=PASSING)
    ran = run(pytester, *arguments, "scenarios", target=target)
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: {complaint}"])
    assert not (pytester.path / "result.json").exists()


def test_a_session_without_a_target_is_left_alone(pytester, tree):
    tree(b=FAILING)
    pytester.makepyfile("def test_it(): pass")
    ran = run(pytester, target="")
    ran.assert_outcomes(passed=1)
    assert ran.ret == 0
    assert not (pytester.path / "result.json").exists()
    ran.stdout.no_fnmatch_line("mailproof:*")


def test_other_yaml_files_are_left_alone(pytester, tree):
    tree(a=PASSING)
    (pytester.path / "compose.yaml").write_text("services: {}\n")
    (pytester.path / "scenarios" / "catalogue").mkdir()
    (pytester.path / "scenarios" / "catalogue" / "notes.yaml").write_text("a: b\n")
    run(pytester).assert_outcomes(passed=1)


def test_the_ini_file_can_name_the_target(pytester, tree):
    tree(a=PASSING)
    pytester.makeini("[pytest]\nmailproof_target = toy.toml\n")
    run(pytester, "scenarios", target="").assert_outcomes(passed=1)

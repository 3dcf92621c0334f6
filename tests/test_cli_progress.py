"""The live picture: bars on a terminal, a line a chapter elsewhere, from pytest's reports."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from conformance.cli.progress import ChapterProgress, chapter_of

IDS = ["scenarios/router/a.yaml::router/a", "x.yaml::router/b[r]", "::smtp/c", "lone.yaml::lone"]


def report(node_id, outcome="passed", when="call"):
    return SimpleNamespace(
        nodeid=node_id, when=when, passed=outcome == "passed", failed=outcome == "failed"
    )


def console(*, terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, highlight=False)


def reported(where, *reports):
    """Return what is drawn for these reports, of a run with workers."""
    with ChapterProgress(where) as progress:
        progress.pytest_xdist_node_collection_finished(node=None, ids=IDS)
        progress.pytest_xdist_node_collection_finished(node=None, ids=IDS)
        for each in reports:
            progress.pytest_runtest_logreport(each)
    return where.file.getvalue()


@pytest.mark.parametrize(
    ("node_id", "chapter"), list(zip(IDS, ["router", "router", "smtp", "lone"], strict=True))
)
def test_a_chapter_is_what_an_id_begins_with(node_id, chapter):
    assert chapter_of(node_id) == chapter


def test_each_chapter_is_a_line_once_it_is_complete():
    out = reported(console(terminal=False), report(IDS[0]), report(IDS[2]))
    assert out == "smtp                1 cases\n"


def test_set_up_and_tear_down_are_no_cases():
    out = reported(
        console(terminal=False),
        report(IDS[0], when="setup"),
        report(IDS[0]),
        report(IDS[0], when="teardown"),
    )
    assert out == ""


def test_failures_and_errors_are_bad_and_skips_are_not():
    out = reported(
        console(terminal=False),
        report(IDS[0], "failed"),
        report(IDS[1], "failed", when="setup"),
        report(IDS[2], "skipped"),
    )
    assert out == "router              2 cases  2 bad\nsmtp                1 cases\n"


def test_a_terminal_sees_bars():
    where = console(terminal=True)
    out = reported(where, report(IDS[0], "failed"), report(IDS[1]))
    assert "router" in out
    assert "2/2" in out
    assert "1 bad" in out
    assert "0/1" in out
    assert "cases" not in out


def test_without_workers_the_session_says_what_there_is():
    where = console(terminal=False)
    said = SimpleNamespace(
        pytest_report_collectionfinish=lambda **_: ["run-last-failure: [x]", ["more", "lines"]]
    )
    session = SimpleNamespace(
        items=[SimpleNamespace(nodeid=each) for each in IDS],
        config=SimpleNamespace(hook=said),
        startpath=None,
    )
    with ChapterProgress(where) as progress:
        progress.pytest_collection_finish(session)
        progress.pytest_runtest_logreport(report(IDS[3]))
    assert where.file.getvalue() == (
        "run-last-failure: [x]\nmore\nlines\nlone                1 cases\n"
    )


def test_a_session_without_items_has_nothing_to_draw():
    where = console(terminal=False)
    with ChapterProgress(where) as progress:
        progress.pytest_collection_finish(SimpleNamespace(items=[]))
    assert where.file.getvalue() == ""


def test_what_cannot_be_read_ends_a_run_with_workers():
    with ChapterProgress(console(terminal=False)) as progress:
        progress.pytest_collectreport(SimpleNamespace(failed=False))
        progress.pytest_xdist_node_collection_finished(node=None, ids=IDS)
        progress.pytest_collectreport(SimpleNamespace(failed=True))
        progress.pytest_collectreport(SimpleNamespace(failed=False))
        with pytest.raises(pytest.Session.Interrupted):
            progress.pytest_xdist_node_collection_finished(node=None, ids=IDS)


def test_what_breaks_in_the_harness_goes_to_standard_error(capsys):
    ChapterProgress(console(terminal=False)).pytest_internalerror("Traceback: x")
    assert capsys.readouterr().err == "Traceback: x\n"

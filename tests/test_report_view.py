"""What the report shows: cells, rows, anchors, passages, cuts, replay commands."""

from collections import Counter

import pytest
from report_world import case, failing, line, mixed, run

from conformance.report import view
from conformance.run.outcome import Outcome


def finding(transcript, **changes):
    return view.Finding(run(**changes), case("router/a", transcript=transcript))


@pytest.mark.parametrize(
    ("counts", "text", "worst"),
    [
        ({Outcome.PASSED: 3}, "3 / 3", Outcome.PASSED),
        ({Outcome.PASSED: 3, Outcome.NOT_APPLICABLE: 2}, "3 / 3", Outcome.PASSED),
        ({Outcome.PASSED: 3, Outcome.FAILED: 1}, "3 / 4", Outcome.FAILED),
        ({Outcome.FAILED: 1, Outcome.ERROR: 1}, "0 / 2", Outcome.ERROR),
        ({Outcome.PASSED: 1, Outcome.EXPECTED_FAILURE: 1}, "1 / 2", Outcome.EXPECTED_FAILURE),
        ({Outcome.NOT_APPLICABLE: 2}, "–", Outcome.NOT_APPLICABLE),
        ({}, "–", Outcome.NOT_APPLICABLE),
    ],
)
def test_a_cell_counts_what_was_judged_and_has_the_gravest_colour(counts, text, worst):
    cell = view.Cell(Counter(counts))
    assert cell.text == text
    assert cell.worst is worst
    assert sum(float(share) for _, share in cell.bar) == pytest.approx(100 if counts else 0)


def test_a_cell_in_words():
    assert view.Cell(Counter({Outcome.FAILED: 1, Outcome.PASSED: 2})).words == "2 passed, 1 failed"


def test_the_matrix_has_a_row_a_chapter_and_a_column_a_run():
    other = run(case("forwarders/one", Outcome.FAILED, reason="no"), name="other")
    found = view.matrix([mixed(), other])
    assert list(found) == ["forwarders", "router", "smtp"]
    assert [cell.text for cell in found["forwarders"]] == ["1 / 1", "0 / 1"]
    assert [cell.text for cell in found["router"]] == ["1 / 4", "–"]
    assert [cell.text for cell in view.totals([mixed(), other])] == ["2 / 6", "0 / 1"]


def test_rows_join_the_runs_by_id():
    other = run(case("router/failed"), case("zeta/new"), name="other")
    rows = {row.case.id: row for row in view.rows([mixed(), other])}
    assert list(rows) == sorted(rows)
    assert [f.target for f in rows["router/failed"].found] == ["reference", "other"]
    assert rows["router/failed"].outcomes == ["failed", "passed"]
    assert rows["router/failed"].worst is Outcome.FAILED
    assert rows["zeta/new"].findings[0] is None
    assert [f.target for f in rows["zeta/new"].found] == ["other"]


def test_rows_stand_below_their_chapters():
    chapters = view.chapters(view.rows([mixed()]))
    assert [(name, len(rows)) for name, rows in chapters] == [
        ("forwarders", 1),
        ("router", 4),
        ("smtp", 2),
    ]


def test_anchors_are_readable_and_differ():
    ids = ["router/a-b", "router/a/b", "router/a[b]", "router/a[b c]", "[]"]
    rows = view.rows([run(*(case(each) for each in ids))])
    anchors = {row.case.id: row.anchor for row in rows}
    assert anchors["router/a[b c]"] == "router-a-b-c"
    assert anchors["[]"] == "case"
    assert sorted(anchors[each] for each in ids[:3]) == [
        "router-a-b",
        "router-a-b-2",
        "router-a-b-3",
    ]


def test_places_do_not_tell_of_the_machine():
    assert view.place("/home/me/scenarios/router/loop.yaml:3:5") == "scenarios/router/loop.yaml:3:5"
    assert view.place("loop.yaml:3:5") == "loop.yaml:3:5"


def test_the_transcript_is_split_into_steps_and_the_world_is_folded():
    passages = view.Finding(run(), failing()).passages
    assert [(p.label, p.is_open) for p in passages] == [
        ("building the world", False),
        ("step 1", True),
    ]
    assert passages[0].channels == "cli"
    assert passages[1].channels == "smtp from 192.0.2.1, harness"
    assert [li.text for li in passages[1].lines if li.bad] == ["← 250 ok"]


def test_a_failure_while_the_world_is_built_is_not_folded():
    (passage,) = finding([line("501 no", channel="cli", bad=True, step=-1)]).passages
    assert passage.is_open


def test_the_channel_is_named_where_it_changes():
    (passage,) = finding(
        [
            line("220", channel="a"),
            line("NOOP", channel="a", arrow=">"),
            line("x", channel="b", arrow="*"),
            line("250", channel="a"),
        ]
    ).passages
    assert [(li.channel, li.kind, li.text) for li in passage.lines] == [
        ("a", "s", "← 220"),
        ("", "", "→ NOOP"),
        ("b", "r", "· x"),
        ("a", "s", "← 250"),
    ]


def test_long_lines_are_cut_and_say_so():
    (passage,) = finding([line("x" * 1000), line("y" * view.LINE_LIMIT)]).passages
    long, fitting = passage.lines
    assert long.text == "← " + "x" * view.LINE_LIMIT
    assert long.cut == 1000 - view.LINE_LIMIT
    assert fitting.cut == 0


def test_of_a_long_transcript_the_offending_line_is_shown():
    lines = [line(str(number), bad=number == 5000) for number in range(9000)]
    found = finding(lines)
    (passage,) = found.passages
    assert len(passage.lines) == view.TRANSCRIPT_LIMIT
    assert [li.text for li in passage.lines if li.bad] == ["← 5000"]
    assert passage.lines[-1].text == "← 5019"
    assert found.omitted == 9000 - view.TRANSCRIPT_LIMIT


def test_of_a_long_transcript_without_one_the_end_is_shown():
    (passage,) = finding([line(str(number)) for number in range(9000)]).passages
    assert passage.lines[-1].text == "← 8999"
    assert len(passage.lines) == view.TRANSCRIPT_LIMIT


def test_an_early_offending_line_leaves_the_beginning():
    lines = [line(str(number), bad=number == 3) for number in range(9000)]
    (passage,) = finding(lines).passages
    assert passage.lines[0].text == "← 0"
    assert len(passage.lines) == view.TRANSCRIPT_LIMIT


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, ""),
        ({"name": "mine"}, " --target targets/mine.toml"),
        ({"target": {"name": "mine"}}, " --target mine.toml"),
        ({"plan": "loopback", "strict": True}, " --plan loopback --strict"),
    ],
)
def test_the_replay_command_repeats_the_run(changes, more):
    found = view.Finding(run(**changes), case("router/a[it's]"))
    assert found.replay == f"mailproof run 'router/a[it'\"'\"'s]'{more}"


def test_replay_of_a_plain_id_needs_no_quotes():
    assert view.Finding(run(), case("router/loop")).replay == "mailproof run router/loop"

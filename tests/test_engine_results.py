"""Result files, baselines, scratch folders and messages as judges see them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.run.account import Account
from conformance.run.baseline import Baseline, BaselineError
from conformance.run.failure_text import excerpt, failure_text
from conformance.run.mail import Mail, report_unmet, reported, unmet
from conformance.run.outcome import CaseResult, Outcome, TranscriptLine
from conformance.run.results import (
    Case,
    ResultsError,
    RunResult,
    Stale,
    case_from_json,
    case_to_json,
    load,
    save,
)
from conformance.scenario.patterns import Pattern
from conformance.scenario.steps import BouncedStep, HeaderCheck
from conformance.world.folders import ScratchFolder


def case(case_id="a/b", outcome=Outcome.PASSED, **changes):
    result = CaseResult(id=case_id, outcome=outcome, **changes)
    return Case(id=case_id, title="A title", source="Guide > A", result=result)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
transcripts = st.lists(
    st.builds(
        TranscriptLine,
        channel=texts,
        arrow=st.sampled_from("<>*"),
        text=texts,
        bad=st.booleans(),
        step=st.integers(-1, 9),
    ),
    max_size=4,
).map(tuple)
cases = st.builds(
    lambda case_id, title, covers, outcome, reason, transcript: Case(
        id=case_id,
        title=title,
        source="Guide",
        covers=tuple(covers),
        result=CaseResult(
            id=case_id, outcome=outcome, seconds=0.25, reason=reason, transcript=transcript
        ),
    ),
    texts,
    texts,
    st.lists(texts, max_size=3),
    st.sampled_from(Outcome),
    texts,
    transcripts,
)


@given(cases)
def test_a_case_survives_its_json(made):
    assert case_from_json(json.loads(json.dumps(case_to_json(made)))) == made


def test_a_run_survives_its_file(tmp_path):
    run = RunResult(
        target={"name": "toy"},
        plan="loopback",
        strict=True,
        started="2026-01-31T12:00:00Z",
        seconds=1.5,
        cases=(case("a/b"), case("a/c", Outcome.FAILED, reason="why", seconds=0.5)),
        stale=(Stale(id="x", reason="gone"),),
        broken=("a sentence",),
    )
    save(run, tmp_path / "new" / "result.json")
    assert load(tmp_path / "new" / "result.json") == run
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "result.json"]
    assert [each.id for each in run.slowest(1)] == ["a/c"]


def test_text_that_is_no_text_does_not_spoil_the_file(tmp_path):
    odd = case(transcript=(TranscriptLine("c", "<", "\udcff"),))
    save(RunResult(target={"name": "t"}, plan="p", cases=(odd,)), tmp_path / "r.json")
    assert load(tmp_path / "r.json").cases[0].result.transcript[0].text == "?"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no such result file"),
        ("{", "not a result file: Expecting"),
        ("[]", "not a result file"),
        ("{}", "not a result file: 'format' is missing"),
        ('{"format": "mailproof-result/9"}', "its format is 'mailproof-result/9'"),
    ],
)
def test_a_bad_result_file_is_one_sentence(tmp_path, text, complaint):
    path = tmp_path / "r.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ResultsError, match=complaint):
        load(path)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be written"):
        save(RunResult(target={"name": "t"}, plan="p"), tmp_path / "file" / "r.json")


@pytest.mark.parametrize(
    ("outcomes", "stale", "broken", "status"),
    [
        ([Outcome.PASSED, Outcome.EXPECTED_FAILURE, Outcome.NOT_APPLICABLE], (), (), 0),
        ([Outcome.PASSED, Outcome.FAILED], (), (), 1),
        ([Outcome.UNEXPECTED_PASS], (), (), 1),
        ([Outcome.PASSED], (Stale(id="x", reason="y"),), (), 1),
        ([Outcome.FAILED, Outcome.ERROR], (), (), 2),
        ([Outcome.PASSED], (), ("broken",), 2),
        ([], (), (), 0),
    ],
)
def test_the_exit_status_is_the_worst_that_happened(outcomes, stale, broken, status):
    made = tuple(case(f"a/{n}", outcome) for n, outcome in enumerate(outcomes))
    run = RunResult(target={"name": "t"}, plan="p", cases=made, stale=stale, broken=broken)
    assert run.exit_status == status


# Baselines


def baseline(tmp_path, text):
    path = tmp_path / "known.yaml"
    path.write_text(text)
    return Baseline.load(path)


@pytest.mark.parametrize(
    ("outcome", "judged"),
    [
        (Outcome.FAILED, Outcome.EXPECTED_FAILURE),
        (Outcome.PASSED, Outcome.UNEXPECTED_PASS),
        (Outcome.ERROR, Outcome.ERROR),
        (Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE),
    ],
)
def test_a_named_case_is_judged_by_the_baseline(tmp_path, outcome, judged):
    known = baseline(tmp_path, "a/b: a bug\n")
    assert known.judge(case("a/b", outcome)).result.outcome is judged
    assert known.judge(case("a/c", outcome)).result.outcome is outcome


def test_entries_are_stale_when_they_pass_or_name_nothing(tmp_path):
    known = baseline(tmp_path, "a/passes: x\na/gone: x\na/fails: x\na/not-run: x\n")
    outcomes = {"a/passes": Outcome.UNEXPECTED_PASS, "a/fails": Outcome.EXPECTED_FAILURE}
    stale = known.stale(outcomes, lambda case_id: {"a/not-run"})
    assert [entry.id for entry in stale] == ["a/passes", "a/gone"]


def test_an_empty_baseline_expects_nothing(tmp_path):
    assert baseline(tmp_path, "# nothing\n").reasons == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a\n", ":1: write lines of the form id: reason"),
        ("a: 1\nb:\n  c: d\n", ":2: write lines of the form id: reason"),
        ("a: x\na: y\n", ":2: a stands here twice"),
        ("a: x\nb:\n", ":2: b has no reason"),
        ("a: [\n", ":2: not YAML"),
    ],
)
def test_a_bad_baseline_is_one_sentence(tmp_path, text, complaint):
    with pytest.raises(BaselineError) as caught:
        baseline(tmp_path, text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_run_says_nothing_about_stale_entries(tmp_path):
    account = Account(target={"name": "t"}, plan="auto", strict=False)
    account.learn("loopback", {"command": "x"})
    account.add(case("b/a"))
    account.add(case("a/b"))
    account.broke("a sentence")
    account.broke("a sentence")
    run = account.close(baseline(tmp_path, "z: gone\n"), lambda case_id: ())
    assert (run.stale, run.broken, run.plan) == ((), ("a sentence",), "loopback")
    assert run.target == {"name": "t", "command": "x"}
    assert [each.id for each in run.cases] == ["a/b", "b/a"]


# Failures as text


def test_the_excerpt_stands_around_the_bad_line():
    lines = [TranscriptLine("c", "<", str(n), bad=n == 20) for n in range(40)]
    assert [line.text for line in excerpt(lines, before=2, after=1)] == ["18", "19", "20", "21"]
    whole = [TranscriptLine("c", "<", str(n)) for n in range(40)]
    assert [line.text for line in excerpt(whole, before=1, after=1)] == ["38", "39"]


def test_the_text_of_a_failure_begins_with_the_reason():
    text = failure_text(
        case(
            outcome=Outcome.FAILED,
            reason="RCPT got 250",
            transcript=(TranscriptLine("smtp", "<", "250 ok", bad=True),),
        )
    )
    assert text.splitlines()[0] == "RCPT got 250"
    assert text.splitlines()[-1] == ">> smtp < 250 ok"


# Scratch folders


def test_what_a_killed_process_left_is_removed_and_the_living_keep_theirs(tmp_path):
    first = ScratchFolder(tmp_path)
    abandoned = tmp_path / "mailproof-run-old"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    second = ScratchFolder(tmp_path)
    assert first.path.exists()
    assert not abandoned.exists()
    first.remove()
    second.remove()
    assert list(tmp_path.iterdir()) == []


# Mail


def test_fields_are_unfolded_and_bodies_end_with_their_last_line():
    mail = Mail.parse(b"Subject: a\r\n b\r\nX: 1\r\nx: 2\r\n\r\nbody\r\n\r\n")
    assert mail.values("subject") == ["a b"]
    assert mail.values("X") == ["1", "2"]
    assert mail.body == "body"


@given(st.binary(max_size=200))
def test_any_octets_are_a_message(content):
    Mail.parse(content).describe()
    reported(content)


def check(name, pattern=None):
    return HeaderCheck(name, Pattern.parse(pattern) if pattern else None)


@pytest.mark.parametrize(
    ("header", "no_header", "body", "complaint"),
    [
        ((check("Subject", "hel*"),), (check("X"),), (Pattern.parse("b*"),), ""),
        ((check("Subject", "bye"),), (), (), "no Subject that is “bye” (there is 'hello')"),
        ((check("X"),), (), (), "no X (there is none)"),
        ((), (check("Subject"),), (), "it has Subject: hello"),
        ((), (check("Subject", "bye"),), (), ""),
        ((), (), (Pattern.parse("x"),), "the body is not “x”: 'body'"),
    ],
)
def test_conditions_name_what_is_missing(header, no_header, body, complaint):
    assert unmet(Mail.parse(b"Subject: hello\n\nbody\n"), header, no_header, body) == complaint


REPORT = b"""Subject: failed
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

some words
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; toy

Final-Recipient: rfc822; a@b.c
Action: failed
Status: 5.1.2 (bad host)

Final-Recipient: rfc822;d@e.f
Action: delayed
Status: 4.0.0

--b--
"""


@pytest.mark.parametrize(
    ("conditions", "complaint"),
    [
        ({"recipient": "a@b.c", "status": "5.*", "action": "failed"}, ""),
        ({"recipient": "d@e.f", "action": "delayed"}, ""),
        ({"recipient": "a@b.c", "status": "4.*"}, "it reports a@b.c failed 5.1.2, d@e.f delayed"),
        ({"text": "some words"}, ""),
        ({"text": "other words"}, "it has no text that is “other words”"),
    ],
)
def test_a_report_is_read_recipient_by_recipient(conditions, complaint):
    values = {key: Pattern.parse(text) for key, text in conditions.items()}
    if "text" in values:
        values["text"] = (values["text"],)
    found = report_unmet(Mail.parse(REPORT), BouncedStep(to="x", **values))
    assert found.startswith(complaint) if complaint else found == ""


def test_an_ordinary_message_is_no_report():
    mail = Mail.parse(b"Subject: x\n\nfailed 5.1.2\n")
    assert report_unmet(mail, BouncedStep(to="x")) == "it is no delivery report"

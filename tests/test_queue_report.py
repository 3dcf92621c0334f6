"""Delivery status notifications: when they are made, what they say, who gets them."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_world import MESSAGE, FakeSettings, HeldThreads, World, envelope

from reference.queue import Outcome, Recipient, Result
from reference.queue.delivery import delivered, failed
from reference.queue.dequeuer import returns_whole
from reference.queue.message import QueuedMessage
from reference.queue.report import Ended, Report, after, before, full, line, subject_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def submit(world: World, *to: str | Recipient, **options: str) -> QueuedMessage:
    world.queue.submit(envelope(*to, **options), MESSAGE)
    return world.smtp.got[-1][0]


def reports(world: World, to: str = "sender") -> list[EmailMessage]:
    found = []
    for message, host, _ in world.local.got:
        if host == to:
            assert message.envelope.return_path == ""
            octets = b"".join(message.blocks())
            found.append(email.message_from_bytes(octets, policy=email.policy.default))
    return found  # type: ignore[return-value]


def fields(report: EmailMessage) -> list[dict[str, str]]:
    status = report.get_payload()[1]  # type: ignore[index]
    return [dict(part.items()) for part in status.get_payload()]  # type: ignore[union-attr]


GONE = failed("unknown user", "5.1.1", remote="mx.one.example", diagnostic="smtp; 550 no such user")


def test_a_failure_is_reported_to_the_return_path(world: World) -> None:
    message = submit(world, "nobody@one.example")
    world.queue.dequeuer.report(message, [0], GONE)
    (report,) = reports(world)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert report["To"] == "sender@here.example"
    assert "MAILER-DAEMON@here.example" in report["From"]
    assert report["Subject"] == "Undeliverable mail: hello"
    whole, recipient = fields(report)
    assert whole["Reporting-MTA"] == "dns; here.example"
    assert recipient == {
        "Final-Recipient": "rfc822; nobody@one.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.one.example",
        "Diagnostic-Code": "smtp; 550 no such user",
    }
    text = report.get_payload()[0].get_content()  # type: ignore[index, union-attr]
    assert "nobody@one.example" in text
    assert "unknown user" in text
    assert "550 no such user" in text


def test_the_file_goes_only_after_the_report_is_durable(world: World) -> None:
    message = submit(world, "nobody@one.example")
    world.queue.dequeuer.report(message, [0], GONE)
    assert [name for name in world.files() if name.startswith(message.name)] == []
    assert len(world.files()) == 1, "the report itself"


def test_a_report_returns_the_header_by_default(world: World) -> None:
    message = submit(world, "nobody@one.example")
    world.queue.dequeuer.report(message, [0], GONE)
    original = reports(world)[0].get_payload()[2]  # type: ignore[index]
    assert original.get_content_type() == "text/rfc822-headers"  # type: ignore[union-attr]
    assert "Subject: hello" in original.get_content()  # type: ignore[union-attr]
    assert "first line" not in original.get_content()  # type: ignore[union-attr]


def test_a_report_returns_the_message_when_the_sender_asked_for_it(world: World) -> None:
    message = submit(world, "nobody@one.example", ret="FULL")
    world.queue.dequeuer.report(message, [0], GONE)
    original = reports(world)[0].get_payload()[2]  # type: ignore[index]
    assert original.get_content_type() == "message/rfc822"  # type: ignore[union-attr]
    assert "first line" in original.as_string()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "ret", "whole"),
    [
        ("headers by default", "", False),
        ("headers by default", "FULL", True),
        ("headers by default", "HDRS", False),
        ("body by default", "", True),
        ("body by default", "FULL", True),
        ("body by default", "HDRS", False),
        ("always headers", "", False),
        ("always headers", "FULL", False),
        ("always body", "", True),
        ("always body", "HDRS", True),
        ("Always Body", "hdrs", True),
    ],
)
def test_on_failure_return(setting: str, ret: str, whole: bool) -> None:
    assert returns_whole(setting, ret) is whole


def test_no_report_to_the_null_return_path(world: World) -> None:
    message = submit(world, Recipient("nobody@one.example", notify="FAILURE"), sender="")
    world.queue.dequeuer.report(message, [0], GONE)
    assert world.local.got == []
    assert world.files() == []


@pytest.mark.parametrize(
    ("notify", "outcome", "count"),
    [
        ("", delivered("ok"), 0),
        ("", GONE, 1),
        ("NEVER", GONE, 0),
        ("NEVER", delivered("ok"), 0),
        ("SUCCESS", delivered("ok"), 1),
        ("SUCCESS", Outcome(Result.RELAYED, "ok", "2.0.0"), 1),
        ("success,failure", delivered("ok"), 1),
        ("SUCCESS", GONE, 0),
        ("FAILURE", delivered("ok"), 0),
        ("FAILURE,DELAY", GONE, 1),
    ],
)
def test_notify_decides(world: World, notify: str, outcome: Outcome, count: int) -> None:
    message = submit(world, Recipient("a@one.example", notify=notify))
    world.queue.dequeuer.report(message, [0], outcome)
    assert len(reports(world)) == count
    assert len(world.files()) == count


def test_several_recipients_share_a_report_when_the_last_is_done(world: World) -> None:
    message = submit(world, "a@one.example", "b@one.example", "c@one.example")
    for index in range(3):
        assert reports(world) == []
        world.queue.dequeuer.report(message, [index], GONE)
    (report,) = reports(world)
    assert [part["Final-Recipient"] for part in fields(report)[1:]] == [
        "rfc822; a@one.example",
        "rfc822; b@one.example",
        "rfc822; c@one.example",
    ]


def test_the_reporting_delay_bounds_the_wait_for_others(world: World) -> None:
    message = submit(world, "a@one.example", "b@one.example", "c@one.example")
    world.queue.dequeuer.report(message, [0], GONE)
    world.clock.advance(14)
    world.queue.dequeuer.report(message, [1], GONE)
    assert reports(world) == []
    world.clock.advance(1)
    assert len(fields(reports(world)[0])) == 3
    world.queue.dequeuer.report(message, [2], GONE)
    assert len(reports(world)) == 2
    assert [name for name in world.files() if name.startswith(message.name)] == []


def test_a_failure_is_reported_again_only_if_the_report_was_not_made(world: World) -> None:
    message = submit(world, "a@one.example", "b@one.example")
    world.queue.dequeuer.report(message, [0], GONE)
    killed = world.again()
    killed.queue.recover()
    assert [entry.index for entry in killed.smtp.got[0][2]] == [0, 1], "it fails again"
    world.clock.advance(15)
    after_report = world.again()
    after_report.queue.recover()
    assert [entry.index for entry in after_report.smtp.got[0][2]] == [1]


def test_a_success_report_that_was_owed_is_made_after_a_restart(world: World) -> None:
    message = submit(world, Recipient("a@one.example", notify="SUCCESS"), "b@one.example")
    world.queue.dequeuer.report(message, [0], delivered("ok"))
    restarted = world.again()
    restarted.queue.recover()
    assert [entry.index for entry in restarted.smtp.got[0][2]] == [1]
    restarted.clock.advance(15)
    (report,) = reports(restarted)
    assert fields(report)[1]["Action"] == "delivered"


def test_a_warning_is_sent_once_and_the_recipient_stays(world: World) -> None:
    message = submit(world, "a@one.example")
    late = Outcome(Result.DELAYED, "host is unavailable", "4.4.1")
    world.queue.dequeuer.report(message, [0], late)
    world.queue.dequeuer.report(message, [0], late)
    (report,) = reports(world)
    assert fields(report)[1]["Action"] == "delayed"
    assert report["Subject"].startswith("Delayed mail")
    restarted = world.again()
    restarted.queue.recover()
    kept = next(m for m, _, _ in restarted.smtp.got if m.name == message.name)
    assert kept.warned == [True]
    restarted.queue.dequeuer.report(kept, [0], GONE)
    assert len(reports(restarted)) == 2, "the warning of the last run, and the failure"


def test_copies_of_failure_reports(tmp_path: Path) -> None:
    settings = FakeSettings(more={("Queue", "CopyFailuresTo"): "postmaster"})
    world = World(tmp_path, settings=settings)
    message = submit(world, "a@one.example", Recipient("b@two.example", notify="SUCCESS"))
    world.queue.dequeuer.report(message, [0], GONE)
    world.queue.dequeuer.report(message, [1], delivered("ok"))
    assert len(reports(world)) == len(reports(world, "postmaster")) == 1


def test_success_reports_are_not_copied(tmp_path: Path) -> None:
    settings = FakeSettings(more={("Queue", "CopyFailuresTo"): "postmaster"})
    world = World(tmp_path, settings=settings)
    message = submit(world, Recipient("a@one.example", notify="SUCCESS"))
    world.queue.dequeuer.report(message, [0], delivered("ok"))
    assert len(reports(world)) == 1
    assert reports(world, "postmaster") == []


def test_a_report_that_cannot_be_stored_is_made_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = submit(world, "a@one.example")

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(world.queue._directory, "new", full)
        world.queue.dequeuer.report(message, [0], GONE)
    assert world.files() == [f"{message.name}.msg"]
    assert world.work.tasks == 0
    world.clock.advance(60)
    assert len(reports(world)) == 1
    assert [name for name in world.files() if name.startswith(message.name)] == []


def test_original_recipient_and_envelope_id(world: World) -> None:
    message = submit(world, Recipient("a@one.example", orcpt="rfc822;x@y.example"), envid="id-7")
    world.queue.dequeuer.report(message, [0], GONE)
    whole, recipient = fields(reports(world)[0])
    assert whole["Original-Envelope-Id"] == "id-7"
    assert recipient["Original-Recipient"] == "rfc822;x@y.example"


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), min_size=1, max_size=4),
    st.text(max_size=30),
)
def test_no_text_of_others_makes_a_line_of_its_own(
    recipients: list[tuple[str, str]], envid: str
) -> None:
    clean = [
        (a.encode("utf-8", "replace").decode(), t.encode("utf-8", "replace").decode())
        for a, t in recipients
    ]
    report = Report(
        host="here.example",
        name="1.a",
        to="x@y",
        envelope=envelope("a@b", envid=envid.encode("utf-8", "replace").decode()),
        submitted=0,
        now=0,
        subject="",
        recipients=[Ended(Recipient(address), failed(text, "5.0.0")) for address, text in clean],
        whole=False,
    )
    octets = before(report) + b"Subject: x\r\n" + after(report)
    assert (
        octets.replace(b"\r\n", b"").count(b"\n") == octets.replace(b"\r\n", b"").count(b"\r") == 0
    )
    parsed = email.message_from_bytes(octets)
    assert len(parsed.get_payload()) == 3
    status = parsed.get_payload()[1]
    assert len(status.get_payload()) == 1 + len(recipients)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: a\r\n b\r\nTo: x\r\n", "a b"),
        (b"To: x\r\nSUBJECT:c\r\n", "c"),
        (b"To: x\r\n", ""),
        (b"X-Subject: y\r\n", ""),
        ("Subject: grün\r\n".encode(), ""),
    ],
)
def test_subject_of(header: bytes, subject: str) -> None:
    assert subject_of(header) == subject


def test_a_local_name_is_reported_with_the_main_domain() -> None:
    assert full("john", "here.example") == "john@here.example"
    assert full("john@x", "here.example") == "john@x"


def test_what_another_host_reports_is_not_reported(world: World) -> None:
    message = submit(world, Recipient("a@one.example", notify="SUCCESS"))
    world.queue.dequeuer.report(message, [0], Outcome(Result.PASSED, "ok", "2.0.0"))
    assert reports(world) == []
    assert world.files() == []


def test_line() -> None:
    assert line("a\r\n\tb\x00c") == "a b c"


@pytest.mark.parametrize("processors", [1, 2])
def test_as_many_reports_are_made_at_a_time_as_there_are_processors(
    tmp_path: Path, processors: int
) -> None:
    readers = HeldThreads()
    settings = FakeSettings(more={("Queue", "DequeuerProcessors"): processors})
    world = World(tmp_path, settings=settings, readers=readers)
    for name in ("a", "b", "c"):
        message = submit(world, f"{name}@one.example")
        world.queue.dequeuer.report(message, [0], GONE)
    under_way = []
    while readers.calls:
        under_way.append(len(readers.calls))
        readers.go()
    assert under_way[0] == processors
    told = [fields(report)[1]["Final-Recipient"] for report in reports(world)]
    assert told == [f"rfc822; {name}@one.example" for name in ("a", "b", "c")]
    assert world.files() == [f"{each[0].name}.msg" for each in world.local.got]
    assert world.work.tasks == 0

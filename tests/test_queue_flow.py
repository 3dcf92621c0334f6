"""Messages on their way through the queue: files, group commit, recovery, removal."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from queue_world import MESSAGE, FakeRouter, HeldThreads, World, envelope
from twisted.internet.defer import Deferred

from reference.kernel.routes import UnknownAccount
from reference.queue import Entry, Envelope, Outcome, QueueError, Recipient, Result, Source
from reference.queue import changes as changes_module
from reference.queue.delivery import delivered, failed
from reference.queue.message import QueuedMessage


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def submit(world: World, wanted: Envelope, content: bytes = MESSAGE) -> str:
    got: list[str] = []
    world.queue.submit(wanted, content).addCallback(got.append)
    (name,) = got
    return name


def only(world: World, module: str = "smtp") -> QueuedMessage:
    ((message, _, _),) = getattr(world, module).got
    return message


def test_a_message_being_composed_is_a_tmp_file(world: World) -> None:
    draft = world.queue.new(envelope("a@one.example"))
    draft.write(b"Subject: x\r\n")
    assert world.files("tmp") == [], "a message that has all its content at once needs none"
    draft.keep()
    assert world.files("tmp") == [f"{draft.name}.tmp"]
    assert world.files() == []
    assert world.work.tasks == 0


def test_a_committed_message_is_a_msg_file_with_its_content(world: World) -> None:
    draft = world.queue.new(envelope("a@one.example"))
    draft.write(MESSAGE[:10])
    draft.write(MESSAGE[10:])
    names: list[str] = []
    draft.commit().addCallback(names.append)
    assert names == [draft.name]
    assert world.files() == [f"{draft.name}.msg"]
    assert world.files("tmp") == []
    message = only(world)
    assert b"".join(message.blocks()) == MESSAGE
    assert message.size == len(MESSAGE) == draft.size
    assert message.header() == b"Subject: hello\r\nFrom: a@b.example\r\n"


def test_an_aborted_message_leaves_nothing(world: World) -> None:
    draft = world.queue.new(envelope("a@one.example"))
    draft.write(MESSAGE)
    draft.abort()
    assert world.files("*") == []
    assert world.smtp.got == []


def test_large_content_goes_to_the_disk_in_blocks(world: World) -> None:
    content = b"x" * 998 + b"\r\n"
    draft = world.queue.new(envelope("a@one.example"))
    for _ in range(300):
        draft.write(content)
    size = (world.folder / "Queue" / f"{draft.name}.tmp").stat().st_size
    assert size > 200_000
    draft.commit()
    assert b"".join(only(world).blocks()) == content * 300


def test_recipients_are_grouped_by_module_and_queue(world: World) -> None:
    submit(world, envelope("a@one.example", "john", "b@two.example", "c@one.example", "x@null"))
    assert [(host, [e.address for e in entries]) for _, host, entries in world.smtp.got] == [
        ("one.example", ["a@one.example", "c@one.example"]),
        ("two.example", ["b@two.example"]),
    ]
    assert [host for _, host, _ in world.local.got] == ["john"]
    assert len(world.files()) == 1


def test_a_message_for_null_alone_is_gone_at_once_without_a_report(world: World) -> None:
    submit(world, envelope("x@null"))
    assert world.files("*") == []
    assert world.local.got == []
    assert world.work.tasks == 0


def test_a_recipient_without_route_is_reported_and_the_others_are_served(world: World) -> None:
    world.router.errors["nobody"] = UnknownAccount("unknown account")
    submit(world, envelope("nobody", "john"))
    world.clock.advance(15)
    hosts = [host for _, host, _ in world.local.got]
    assert hosts == ["john", "sender"]
    report = b"".join(world.local.got[1][0].blocks())
    assert b"Status: 5.1.1" in report
    assert b"unknown account" in report


def test_a_route_to_a_module_that_is_not_there_fails(world: World) -> None:
    class Uucp(FakeRouter):
        def route(self, address: str, /):  # type: ignore[no-untyped-def]
            route = super().route(address)
            if address.endswith(".uucp"):
                return type(route)("UUCP", "host", address, route.original)
            return route

    other = World(world.folder, router=Uucp())
    submit(other, envelope("a@b.uucp"))
    report = b"".join(only(other, "local").blocks())
    assert b"Action: failed" in report


def test_commits_that_wait_share_one_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, threads=HeldThreads())
    folders: list[str] = []
    sync = changes_module.sync_folder
    monkeypatch.setattr(changes_module, "sync_folder", lambda at: (folders.append(at), sync(at)))
    accepted: list[str] = []
    for number in range(20):
        draft = world.queue.new(envelope(f"a{number}@one.example"))
        draft.write(MESSAGE)
        draft.commit().addCallback(accepted.append)
    assert world.files() == []
    assert world.work.tasks == 20
    world.threads.go()
    assert len(accepted) == 1, "the first commit did not wait for others"
    world.threads.go()
    assert len(accepted) == 20
    assert len(folders) == 2
    assert world.work.tasks == 0
    assert accepted == sorted(accepted, key=int)


def test_a_message_is_not_accepted_before_file_and_folder_are_synced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        seen.append(Path(f"/proc/self/fd/{fd}").readlink().suffix)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    draft = world.queue.new(envelope("a@one.example"))
    draft.write(MESSAGE)
    draft.commit().addCallback(lambda _: seen.append("accepted"))
    assert seen == [".tmp", "", "accepted"]


def test_a_failed_sync_refuses_that_message_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.threads = HeldThreads()
    world.__post_init__()
    real = os.fsync
    drafts = [world.queue.new(envelope(f"a{n}@one.example")) for n in range(6)]
    drafts[0].commit()
    drafts[3].keep()
    bad = os.fstat(drafts[3]._file._fd).st_ino

    def fsync(fd: int) -> None:
        if os.fstat(fd).st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    results: list[object] = []
    for draft in drafts[1:]:
        draft.commit().addBoth(results.append)
    world.threads.go()
    world.threads.go()
    assert [isinstance(result, str) for result in results] == [True, True, False, True, True]
    assert results[2].check(QueueError)  # type: ignore[attr-defined]
    assert len(world.files()) == 5
    assert world.files("tmp") == []
    assert world.work.tasks == 0


def test_a_full_disk_shows_at_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = world.queue.new(envelope("a@one.example"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        draft.write(b"x" * 100_000)
        draft.write(b"y" * 100_000)
    errors: list[object] = []
    draft.commit().addErrback(lambda failure: errors.append(failure.value))
    assert isinstance(errors[0], QueueError)
    assert world.files("*") == []
    assert world.log.has("TEMPFILE", "No space left")


def test_no_draft_without_a_recipient(world: World) -> None:
    with pytest.raises(ValueError, match="recipient"):
        world.queue.new(Envelope("a@b", [], Source("SMTP")))


def test_the_file_goes_when_the_last_recipient_is_done(world: World) -> None:
    submit(world, envelope("john", "a@one.example"))
    message = only(world)
    world.queue.dequeuer.report(message, [0], delivered("stored"))
    assert len(world.files()) == 1
    world.queue.dequeuer.report(message, [1], delivered("sent"))
    assert world.files() == []
    assert world.work.tasks == 0


def test_a_second_report_about_a_recipient_is_ignored(world: World) -> None:
    submit(world, envelope("john", "a@one.example"))
    message = only(world)
    world.queue.dequeuer.report(message, [0], delivered("stored"))
    world.queue.dequeuer.report(message, [0], failed("lost", "5.0.0"))
    world.clock.advance(20)
    assert [host for _, host, _ in world.local.got] == ["john"]


def test_a_restart_resubmits_every_message_once(world: World) -> None:
    names = [submit(world, envelope(f"a@{word}.example")) for word in ("one", "two")]
    after = world.again()
    found: list[int] = []
    after.queue.recover().addCallback(found.append)
    assert found == [2]
    assert [message.name for message, _, _ in after.smtp.got] == names
    assert b"".join(after.smtp.got[0][0].blocks()) == MESSAGE
    assert after.work.tasks == 0


def test_a_restart_serves_only_the_recipients_that_are_left(world: World) -> None:
    submit(world, envelope("john", "a@one.example"))
    world.queue.dequeuer.report(only(world), [0], delivered("stored"))
    after = world.again()
    after.queue.recover()
    assert after.local.got == []
    assert [host for _, host, _ in after.smtp.got] == ["one.example"]
    after.queue.dequeuer.report(only(after), [1], delivered("sent"))
    assert after.files() == []


def test_a_killed_server_knows_what_it_was_just_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    submit(world, envelope("john", "a@one.example"))
    world.queue._directory._rounds._threads = HeldThreads()
    world.queue.dequeuer.report(only(world), [0], delivered("stored"))
    after = world.again()
    after.queue.recover()
    assert after.local.got == []
    assert [host for _, host, _ in after.smtp.got] == ["one.example"]


def test_a_state_that_cannot_be_written_at_once_is_written_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    submit(world, envelope("john", "a@one.example"))
    monkeypatch.setattr(QueuedMessage, "write_down", broken)
    world.queue.dequeuer.report(only(world), [0], delivered("stored"))
    assert world.log.has("DEQUEUER", "Input/output error")
    after = world.again()
    after.queue.recover()
    assert after.local.got == []


def test_a_restart_keeps_envelope_options_and_age(world: World) -> None:
    wanted = Recipient("a@one.example", notify="SUCCESS,DELAY", orcpt="rfc822;x@y")
    submit(world, envelope(wanted, ret="FULL", envid="id-1", body="8BITMIME"))
    world.clock.advance(500)
    after = world.again()
    after.queue.recover()
    message = only(after)
    assert list(message.envelope.recipients) == [wanted]
    assert (message.envelope.ret, message.envelope.envid) == ("FULL", "id-1")
    assert after.clock.time() - message.submitted == pytest.approx(500, abs=0.01)


def test_a_restart_removes_incomplete_messages(world: World) -> None:
    draft = world.queue.new(envelope("a@one.example"))
    draft.write(MESSAGE)
    draft.keep()
    assert world.files("tmp") != []
    after = world.again()
    after.queue.recover()
    assert after.files("tmp") == []
    assert after.smtp.got == []


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "longer"])
def test_a_torn_file_is_set_aside_and_logged(world: World, damage: str) -> None:
    name = submit(world, envelope("a@one.example"))
    submit(world, envelope("b@two.example"))
    path = world.folder / "Queue" / f"{name}.msg"
    octets = path.read_bytes()
    damaged = {
        "cut": octets[:-1],
        "empty": b"",
        "garbage": b"\0" * len(octets),
        "longer": octets + b"x",
    }[damage]
    path.write_bytes(damaged)
    after = world.again()
    after.queue.recover()
    assert [host for _, host, _ in after.smtp.got] == ["two.example"]
    assert after.files("bad") == [f"{name}.bad"]
    assert (after.folder / "Queue" / f"{name}.bad").read_bytes() == damaged
    assert after.log.has("QUEUE", f"[{name}] set aside")


def test_a_foreign_file_stays_where_it_is(world: World) -> None:
    for foreign in ("README", "abc.msg", "12.txt", "１２.msg"):
        (world.folder / "Queue" / foreign).write_text("mine")
    world.queue.recover()
    assert world.files("*") == ["12.txt", "abc.msg", "１２.msg"]
    assert world.log.has("QUEUE", "'abc.msg' is left alone")
    assert world.smtp.got == []


def test_names_are_never_given_twice(world: World) -> None:
    names = {submit(world, envelope("a@one.example")) for _ in range(50)}
    after = world.again()
    after.queue.recover()
    names |= {submit(after, envelope("a@one.example")) for _ in range(50)}
    assert len(names) == 100


def test_release_asks_the_modules(world: World) -> None:
    submit(world, envelope("a@one.example"))
    assert world.queue.release("one.example")
    assert not world.queue.release("two.example")


def test_a_message_whose_routing_breaks_stays_for_the_next_start(world: World) -> None:
    class Broken(FakeRouter):
        def route(self, address: str, /):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    world.router = Broken()
    world.__post_init__()
    submit(world, envelope("a@one.example"))
    assert len(world.files()) == 1
    assert world.log.has("ENQUEUER", "ZeroDivisionError")
    assert world.work.tasks == 0


def test_content_from_a_call_is_read_in_a_thread(tmp_path: Path) -> None:
    world = World(tmp_path, readers=HeldThreads())
    done: Deferred[str] = world.queue.submit(
        envelope("a@one.example"), lambda: [b"A: b\r\n", b"\r\nx"]
    )
    assert world.work.tasks == 1
    world.readers.go()
    assert done.called
    assert b"".join(only(world).blocks()) == b"A: b\r\n\r\nx"
    assert world.work.tasks == 0


def test_content_that_cannot_be_read_leaves_nothing(world: World) -> None:
    def unreadable() -> list[bytes]:
        raise OSError(errno.EIO, "Input/output error")

    errors: list[object] = []
    world.queue.submit(envelope("a@one.example"), unreadable).addErrback(
        lambda failure: errors.append(failure.value)
    )
    assert isinstance(errors[0], QueueError)
    assert world.files("*") == []
    assert world.work.tasks == 0


def test_results_have_the_words_of_rfc_3464() -> None:
    words = {result.value for result in Result if result is not Result.PASSED}
    assert words == {"delivered", "relayed", "failed", "delayed"}


class HeldRules:
    """Server-Wide Rules that end when the test says so."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], Deferred[Outcome | None]]] = []

    def in_force(self) -> bool:
        return True

    async def apply(
        self, message: QueuedMessage, entries: Sequence[Entry], routes: Sequence[str]
    ) -> Outcome | None:
        done: Deferred[Outcome | None] = Deferred()
        self.got.append((message.name, list(routes), done))
        return await done


@pytest.mark.parametrize("processors", [1, 2])
def test_as_many_messages_are_under_rules_as_there_are_processors(
    world: World, processors: int
) -> None:
    world.settings.values["Queue", "EnqueuerProcessors"] = processors
    rules = HeldRules()
    world.queue.attach_rules(rules)
    first = submit(world, envelope("a@one.example", "john"))
    second = submit(world, envelope("b@two.example"))
    assert [name for name, _, _ in rules.got] == [first, second][:processors]
    assert world.work.tasks == 2
    assert rules.got[0][1] == ["a", "john"]
    assert world.smtp.got == world.local.got == []
    rules.got[0][2].callback(None)
    assert len(world.smtp.got) == len(world.local.got) == 1
    assert [name for name, _, _ in rules.got] == [first, second]
    rules.got[1][2].callback(failed("no", "5.7.1"))
    assert len(world.smtp.got) == 1
    assert world.work.tasks == 0


def test_reports_are_not_under_rules(world: World) -> None:
    rules = HeldRules()
    world.queue.attach_rules(rules)
    submit(world, Envelope("", [Recipient("john")], Source("DEQUEUER")))
    assert rules.got == []
    assert len(world.local.got) == 1

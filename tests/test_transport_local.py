"""Local delivery and mailing lists: what is stored, once, and what waits."""

from __future__ import annotations

import email
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from queue_world import (
    MESSAGE,
    FakeClock,
    FakeLog,
    FakeReports,
    FakeSettings,
    HeldThreads,
    InlineThreads,
    World,
    envelope,
)
from transport_world import make_domains, message_file
from twisted.internet.defer import Deferred, succeed

from reference.kernel.routes import Address, Route
from reference.kernel.work import Work
from reference.queue.delivery import Entry, Result
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.head import State, parse
from reference.queue.message import QueuedMessage
from reference.storage.domains import Account
from reference.storage.errors import FileError
from reference.transport.list_distribution import ListDistribution
from reference.transport.local_delivery import LocalDelivery
from reference.transport.local_store import added_fields

SETTINGS = {
    ("LOCAL", "EnvelopeRecipientsField"): "X-Real-To",
    ("LOCAL", "FullPercent"): 100,
    ("LOCAL", "KeepIfFull"): 86400.0,
    ("LOCAL", "KeepIfDisabled"): 7200.0,
    ("LOCAL", "WarnAfter"): float("inf"),
    ("LOCAL", "Processes"): 3,
    ("LOCAL", "FlowLimit"): 0,
    ("LOCAL", "FlowPeriod"): 300.0,
}


class LocalWorld:
    """A Local Delivery module over real accounts."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.work = Work()
        self.log = FakeLog()
        self.reports = FakeReports()
        self.threads: InlineThreads | HeldThreads = InlineThreads()
        self.domains = make_domains(folder, "here.example", "client.com")
        self.john = self.domains.main.create_account("john")
        client = self.domains.get("client.com")
        assert client is not None
        self.client = client
        self.info = client.create_account("info")
        values = {**SETTINGS, **{("LOCAL", key): value for key, value in more.items()}}
        self.settings = FakeSettings(more=values)
        self.sent: list[tuple[Envelope, bytes]] = []
        self.clients = {"192.0.2.1"}
        self.module = self.make()

    def submit(self, wanted: Envelope, content: Callable[[], Iterable[bytes]]) -> Deferred[str]:
        self.sent.append((wanted, b"".join(content())))
        return succeed("9000")

    async def is_client(self, ip: str) -> bool:
        return ip in self.clients

    def make(self) -> LocalDelivery:
        return LocalDelivery(
            domains=self.domains,
            clock=self.clock,
            work=self.work,
            log=self.log,
            settings=self.settings,
            reports=self.reports,
            threads=self.threads,
            submit=self.submit,
            is_client=self.is_client,
        )

    def message(self, wanted: Envelope, content: bytes = MESSAGE) -> QueuedMessage:
        return message_file(self.folder / "Queue", wanted, content, self.clock.time())

    def deliver(
        self, *to: str, queue: str = "john", real_to: tuple[str, ...] = ("",), **options: object
    ) -> QueuedMessage:
        names = [f"{name}@x" for name in real_to] if any(real_to) else list(to) or ["john"]
        sent = self.message(envelope(*names, **options))  # type: ignore[arg-type]
        entries = [Entry(index, name) for index, name in enumerate(real_to)]
        self.module.enqueue(sent, queue, entries)
        return sent

    def outcomes(self) -> list[Result]:
        return [outcome.result for _, outcome in self.reports.outcomes]


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


def inbox(account: Account) -> list[bytes]:
    mailbox = account.mailbox()
    return [mailbox.read(message) for message in mailbox.messages()]


def test_a_message_is_stored_with_its_return_path(world: LocalWorld) -> None:
    world.deliver()
    assert inbox(world.john) == [b"Return-Path: <sender@here.example>\r\n" + MESSAGE]
    (stored,) = world.john.mailbox().messages()
    assert stored.return_path == "sender@here.example"
    assert stored.time == pytest.approx(world.clock.time(), abs=1)
    assert world.outcomes() == [Result.DELIVERED]
    assert world.log.has("LOCAL(john)", "stored in INBOX")
    assert world.work.tasks == 0


def test_the_null_return_path(world: LocalWorld) -> None:
    world.deliver(sender="")
    assert inbox(world.john)[0].startswith(b"Return-Path: <>\r\n")


def test_an_account_of_a_secondary_domain(world: LocalWorld) -> None:
    world.deliver(queue="info@client.com")
    assert len(inbox(world.info)) == 1
    assert inbox(world.john) == []


def test_a_unified_account_gets_one_copy_with_all_names(world: LocalWorld) -> None:
    world.deliver(real_to=("abcdef", "xyz", "abcdef"))
    (stored,) = inbox(world.john)
    assert email.message_from_bytes(stored)["X-Real-To"] == "abcdef, xyz"
    assert world.outcomes() == [Result.DELIVERED] * 3


def test_an_ordinary_account_gets_no_such_field(world: LocalWorld) -> None:
    world.deliver("john", "jo", real_to=("", ""))
    (stored,) = inbox(world.john)
    assert b"X-Real-To" not in stored


@pytest.mark.parametrize("field", ["X-My-Field", ""])
def test_the_field_has_the_name_that_is_set(tmp_path: Path, field: str) -> None:
    world = LocalWorld(tmp_path, EnvelopeRecipientsField=field)
    world.deliver(real_to=("abcdef",))
    (stored,) = inbox(world.john)
    assert b"X-Real-To" not in stored
    assert (b"X-My-Field: abcdef\r\n" in stored) == bool(field)


def test_a_long_field_is_folded(world: LocalWorld) -> None:
    names = [f"name{number}" for number in range(500)]
    sent = world.message(envelope("a"))
    octets = added_fields(sent, [Entry(0, name) for name in names], "X-Real-To")
    assert max(len(line) for line in octets.split(b"\r\n")) < 998
    value = email.message_from_bytes(octets)["X-Real-To"]
    assert [name.strip() for name in value.split(",")] == names


def test_no_name_makes_a_line_of_its_own(world: LocalWorld) -> None:
    sent = world.message(envelope("a", sender="b\r\nEvil: 1"))
    octets = added_fields(sent, [Entry(0, "c\r\nEvil: 2")], "X-Real-To")
    assert b"\nEvil" not in octets


def test_a_name_without_account_fails(world: LocalWorld) -> None:
    for queue in ("nosuch", "nosuch@client.com", "x@nosuch.com"):
        world.deliver(queue=queue)
    assert world.outcomes() == [Result.FAILED] * 3
    assert {outcome.text for _, outcome in world.reports.outcomes} == {"unknown account"}


def test_a_stored_message_is_marked_before_anybody_is_told(world: LocalWorld) -> None:
    wanted = Recipient("b", notify="SUCCESS")
    sent = world.message(envelope("a", wanted, "c"))
    world.module.enqueue(sent, "john", [Entry(0, ""), Entry(1, "")])
    head = parse(sent.path.read_bytes().partition(b"\n\n")[0] + b"\n\n")
    assert head.states == (State.DONE, State.REPORT_OWED, State.WAITING)
    assert sent.states == [State.WAITING] * 3, "that is the Dequeuer's to say"


def test_a_message_that_cannot_be_marked_is_stored_once(
    world: LocalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(QueuedMessage, "write_down", broken)
    world.deliver()
    world.clock.advance(1200)
    assert len(inbox(world.john)) == 1
    assert world.outcomes() == [Result.DELIVERED]


def test_one_delivery_at_a_time_for_an_account(world: LocalWorld) -> None:
    world.threads = held = HeldThreads()
    world.module = world.make()
    world.deliver()
    world.deliver(queue="info@client.com")
    for _ in range(5):
        world.deliver()
    assert world.work.tasks == 2
    assert world.john.sessions == 1
    assert inbox(world.john) == []
    held.go()
    assert len(inbox(world.john)) == 1
    seen = set()
    while held.calls:
        held.go()
        seen.add(len(inbox(world.john)))
    assert len(inbox(world.info)) == 1
    assert seen <= {1, 6}, "those that came meanwhile go together"
    assert len(inbox(world.john)) == 6
    assert world.work.tasks == 0
    assert world.john.sessions == 0


def test_disabled_mail_service_keeps_the_mail(world: LocalWorld) -> None:
    world.john.update({"AccessModes": ["POP"]})
    world.deliver()
    world.deliver(queue="info@client.com")
    assert inbox(world.john) == []
    assert len(inbox(world.info)) == 1
    world.john.update({"AccessModes": "default"})
    world.clock.advance(600)
    assert len(inbox(world.john)) == 1


def test_disabled_mail_service_of_the_domain(world: LocalWorld) -> None:
    world.client.update({"DomainAccessModes": ["POP"]})
    world.deliver(queue="info@client.com")
    assert inbox(world.info) == []
    world.client.update({"DomainAccessModes": "default"})
    assert world.module.release("info@client.com")
    assert len(inbox(world.info)) == 1
    assert not world.module.release("info@client.com")


def test_mail_for_a_disabled_account_comes_back_after_the_period(world: LocalWorld) -> None:
    world.john.update({"AccessModes": ["POP"]})
    world.deliver()
    world.clock.pump([60.0] * 119)
    assert world.outcomes() == []
    world.clock.advance(60)
    assert world.outcomes() == [Result.FAILED]


def test_mail_for_a_disabled_account_comes_back_at_once_without_a_period(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, KeepIfDisabled=0.0)
    world.john.update({"AccessModes": ["POP"]})
    world.deliver()
    assert world.outcomes() == [Result.FAILED]
    assert world.reports.outcomes[0][1].status == "5.2.1"


def test_a_message_that_exceeds_the_storage_limit_fails(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, KeepIfFull=0.0)
    world.john.update({"MaxAccountSize": "1K"})
    sent = world.message(envelope("john"), b"Subject: x\r\n\r\n" + b"y" * 2000 + b"\r\n")
    world.module.enqueue(sent, "john", [Entry(0, "")])
    world.deliver()
    assert world.outcomes() == [Result.FAILED, Result.DELIVERED]
    assert world.reports.outcomes[0][1].text == "account is full"


def test_mail_for_a_full_account_waits(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, FullPercent=10)
    world.deliver()
    world.john.update({"MaxAccountSize": "1K"})
    world.deliver()
    assert len(inbox(world.john)) == 1
    world.john.update({"MaxAccountSize": "unlimited"})
    world.clock.advance(600)
    assert len(inbox(world.john)) == 2


def test_a_warning_about_waiting_mail(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, WarnAfter=3600.0)
    world.john.update({"AccessModes": ["POP"]})
    world.deliver()
    world.clock.pump([60.0] * 100)
    assert world.outcomes() == [Result.DELAYED]
    assert world.reports.outcomes[0][1].status == "4.2.1"


def test_a_broken_mailbox_delays_and_loses_nothing(
    world: LocalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise FileError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("reference.storage.mbox.Mailbox.append", full)
        world.deliver()
        world.deliver(queue="info@client.com")
    assert world.outcomes() == []
    assert world.log.has("LOCAL(john)", "No space left")
    assert world.work.tasks == 0
    world.clock.advance(600)
    assert len(inbox(world.john)) == len(inbox(world.info)) == 1


def test_a_message_that_cannot_be_read_does_not_hold_up_others(world: LocalWorld) -> None:
    world.threads = held = HeldThreads()
    world.module = world.make()
    world.deliver(queue="info@client.com")
    bad = world.deliver(queue="info@client.com")
    world.deliver(queue="info@client.com")
    held.go()
    bad.path.unlink()
    held.go()
    assert len(inbox(world.info)) == 2


# Lists -----------------------------------------------------------------------------------------


class ListRouter:
    """Routes the list to LIST and everybody else to SMTP."""

    def route(self, address: str, /) -> Route:
        local, _, domain = address.partition("@")
        if local == "sports":
            return Route("LIST", "sports@client.com", "", Address(local, domain))
        module = "LOCAL" if domain == "client.com" else "SMTP"
        return Route(module, address, address, Address(local, domain))


class ListWorld(World):
    """A queue with the LIST module and a list of two."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, router=ListRouter())
        self.domains = make_domains(folder, "here.example", "client.com")
        client = self.domains.get("client.com")
        assert client is not None
        client.create_account("owner")
        self.list = client.create_list("sports", "owner")
        self.list.subscribe("a@one.example")
        self.list.subscribe("b@two.example", mode="digest")
        self.module = ListDistribution(
            domains=self.domains, clock=self.clock, log=self.log, queue=self.queue
        )
        self.queue.attach(self.module)

    def post(self, content: bytes) -> None:
        wanted = Envelope("author@x", [Recipient("sports@client.com")], Source("SMTP"))
        self.queue.submit(wanted, content)

    def posted(self) -> bytes:
        return b"".join(self.smtp.got[0][0].blocks())


@pytest.fixture
def lists(tmp_path: Path) -> ListWorld:
    return ListWorld(tmp_path)


POSTING = (
    b"Received: from x\r\nFrom: Author <author@x>\r\nTo: sports@client.com\r\n"
    b"Subject: news\r\n of today\r\nX-Other: 1\r\nMessage-ID: <1@x>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
)


def test_a_posting_goes_to_all_subscribers(lists: ListWorld) -> None:
    lists.post(POSTING)
    assert [host for _, host, _ in lists.smtp.got] == ["a@one.example", "b@two.example"]
    sent = lists.smtp.got[0][0]
    assert sent.envelope.return_path == "sports-admin@client.com"
    assert len(lists.files()) == 1, "the posting itself is done"
    assert lists.work.tasks == 0


def test_a_distributed_message_has_the_author_s_header_and_the_list_s(lists: ListWorld) -> None:
    lists.list.update({"Description": 'All "Sports"'})
    lists.post(POSTING)
    parsed = email.message_from_bytes(lists.posted())
    assert parsed["From"] == "Author <author@x>"
    assert parsed["Subject"] == "news\r\n of today"
    assert parsed["Message-ID"] == "<1@x>"
    assert parsed["Content-Type"] == "text/plain"
    assert parsed["To"] == '"All \\"Sports\\"" <sports@client.com>'
    assert parsed["Sender"] == "<sports-admin@client.com>"
    assert parsed["List-Id"] == "<sports.client.com>"
    assert parsed["X-Other"] is None
    assert parsed["Received"] is None
    assert parsed.get_payload() == "body\r\n"


@pytest.mark.parametrize("size", [10, 65_000, 65_536, 70_000, 200_000])
def test_the_body_is_copied_whole(lists: ListWorld, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    lists.post(b"Subject: x\r\n\r\n" + body)
    assert lists.posted().partition(b"\r\n\r\n")[2] == body


def test_a_posting_without_header_is_distributed(lists: ListWorld) -> None:
    lists.post(b"\r\nbody\r\n")
    assert lists.posted().endswith(b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize("mode", ["null", "banned"])
def test_silent_subscribers_get_nothing(lists: ListWorld, mode: str) -> None:
    lists.list.subscribe("a@one.example", mode=mode)
    lists.post(POSTING)
    assert [host for _, host, _ in lists.smtp.got] == ["b@two.example"]


def test_a_list_without_subscribers_swallows_the_posting(lists: ListWorld) -> None:
    lists.list.unsubscribe("a@one.example")
    lists.list.unsubscribe("b@two.example")
    lists.post(POSTING)
    assert lists.files() == []


def test_a_list_does_not_distribute_its_own_messages(lists: ListWorld) -> None:
    lists.list.subscribe("sports@client.com")
    lists.post(POSTING)
    assert len(lists.smtp.got) == 2
    lists.clock.advance(15)
    report = next(m for m, _, _ in lists.local.got)
    assert report.envelope.recipients[0].address == "sports-admin@client.com"
    assert b"mail loop" in b"".join(report.blocks())


def test_a_header_without_end_is_refused(lists: ListWorld) -> None:
    lists.post(b"X: y\r\n" * 20_000)
    assert all(host == "author@x" for _, host, _ in lists.smtp.got)


def test_a_list_that_is_gone_fails(lists: ListWorld) -> None:
    client = lists.domains.get("client.com")
    assert client is not None
    client.delete_list(lists.list)
    lists.post(POSTING)
    ((report, host, _),) = lists.smtp.got
    assert host == "author@x"
    assert b"unknown mailing list" in b"".join(report.blocks())


def test_a_posting_that_cannot_be_stored_is_tried_again(
    lists: ListWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = message_file(
        lists.folder / "Other",
        Envelope("author@x", [Recipient("sports@client.com")], Source("SMTP")),
        POSTING,
        lists.clock.time(),
    )

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(lists.queue._directory, "new", full)
        lists.module.enqueue(sent, "sports@client.com", [Entry(0, "")])
    assert lists.smtp.got == []
    assert lists.work.tasks == 0
    lists.clock.advance(600)
    assert len(lists.smtp.got) == 2

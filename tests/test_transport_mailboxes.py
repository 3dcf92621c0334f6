"""Local delivery beyond INBOX: named mailboxes, Rules, flow control, processes, mail to all."""

from __future__ import annotations

from pathlib import Path

import pytest
from queue_world import MESSAGE, FakeSettings, HeldThreads, envelope
from test_transport_local import LocalWorld, inbox

from reference.kernel.routes import Accept, Address, Rewrite, UnknownAccount
from reference.queue.delivery import Entry, Result
from reference.queue.envelope import Envelope, Recipient, Source
from reference.storage.mbox_format import Flag
from reference.transport.all_domain_aliases import AllDomainAliases
from reference.transport.local import LocalRouting


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


def box(world: LocalWorld, name: str) -> list[bytes]:
    mailbox = world.john.mailbox(name)
    return [mailbox.read(message) for message in mailbox.messages()]


# Routing -----------------------------------------------------------------------------------------


def routing(world: LocalWorld, **values: object) -> LocalRouting:
    usual = {"DirectMailbox": True, "AccountDetail": "Disabled", **values}
    settings = FakeSettings(more={("LOCAL", key): value for key, value in usual.items()})
    return LocalRouting(domains=world.domains, settings=settings)


@pytest.mark.parametrize(
    ("local", "mailbox"),
    [
        ("box#john", "box"),
        ("Box#JOHN", "Box"),
        ("a#b#john", "a#b"),
        ('"my box#john"', "my box"),
        ('"a\\"b#john"', 'a"b'),
    ],
)
def test_direct_mailbox_addressing(world: LocalWorld, local: str, mailbox: str) -> None:
    address = Address(local, "")
    assert routing(world).route(address, final=True) == Accept("john", "", mailbox=mailbox)
    with pytest.raises(UnknownAccount):
        routing(world, DirectMailbox=False).route(address, final=True)


@pytest.mark.parametrize("local", ["#john", "box#", "box#nosuch", "#"])
def test_what_is_no_mailbox_address(world: LocalWorld, local: str) -> None:
    with pytest.raises(UnknownAccount):
        routing(world).route(Address(local, ""), final=True)


@pytest.mark.parametrize(
    ("how", "local", "domain", "rewritten"),
    [
        ("Enabled", "john+x", "", "john@here.example"),
        ("Enabled", "info+a+b", "client.com", "info@client.com"),
        ("Enabled", "box#john+x", "", "box#john@here.example"),
        ("Enabled", '"j n+x"', "", '"j n"@here.example'),
        ("Direct Mailbox", "john+x", "", "x#john@here.example"),
        ("Direct Mailbox", "john+", "", "john@here.example"),
    ],
)
def test_account_detail(
    world: LocalWorld, how: str, local: str, domain: str, rewritten: str
) -> None:
    found = routing(world, AccountDetail=how).route(Address(local, domain), final=True)
    assert isinstance(found, Rewrite)
    assert found.address == rewritten
    assert not found.relay


@pytest.mark.parametrize("local", ["+x", "nosuch", "a+b#nosuch"])
def test_what_is_no_account_detail(world: LocalWorld, local: str) -> None:
    with pytest.raises(UnknownAccount):
        routing(world, AccountDetail="Enabled").route(Address(local, ""), final=True)


def test_account_detail_in_a_unified_account(world: LocalWorld) -> None:
    found = routing(world, AccountDetail="Enabled").route(
        Address("abc%info+x", "client.com.domain"), final=False
    )
    assert found == Accept("info@client.com", "abc")


def test_all_domain_aliases(world: LocalWorld) -> None:
    settings = FakeSettings(more={("LOCAL", "AllDomainAliases"): {"Abuse": "john"}})
    aliases = AllDomainAliases(domains=world.domains, settings=settings)
    found = aliases.route(Address("aBuse", "client.com"), final=False)
    assert found == Rewrite("john", "all-domain alias aBuse", relay=True)
    assert aliases.route(Address("abuse", "client.com"), final=True) is None
    assert aliases.route(Address("abuse", "faraway.net"), final=False) is None
    assert aliases.route(Address("john", ""), final=False) is None
    settings.values["LOCAL", "AllDomainAliases"] = {}
    assert aliases.route(Address("abuse", ""), final=False) is None


# Mailboxes and Rules -----------------------------------------------------------------------------


def deliver(world: LocalWorld, *entries: Entry, content: bytes = MESSAGE) -> None:
    names = [f"name{entry.index}@here.example" for entry in entries]
    world.module.enqueue(world.message(envelope(*names), content), "john", entries)


def test_a_mailbox_that_the_address_names(world: LocalWorld) -> None:
    world.john.create_mailbox("box")
    deliver(world, Entry(0, "", "box"), Entry(1, ""), Entry(2, "", "nobox"))
    assert len(box(world, "box")) == len(inbox(world.john)) == 1
    texts = dict(world.reports.outcomes)
    assert texts["name2@here.example"].result is Result.FAILED
    assert "nobox does not exist" in texts["name2@here.example"].text


def rules(world: LocalWorld, *actions: list[str], condition: list[str] | None = None) -> None:
    conditions = [condition] if condition else []
    world.john.update({"Rules": [["5", "a rule", conditions, list(actions)]]})


def test_rules_are_for_the_inbox_only(world: LocalWorld) -> None:
    world.john.create_mailbox("box")
    rules(world, ["Discard"])
    deliver(world, Entry(0, "", "box"), Entry(1, ""))
    assert (len(box(world, "box")), inbox(world.john)) == (1, [])
    assert world.outcomes() == [Result.DELIVERED, Result.DELIVERED]


def test_a_copy_with_flags_and_fields(world: LocalWorld) -> None:
    world.john.create_mailbox("box")
    rules(world, ["Mark", "Flagged"], ["Add Headers", "X-A: 1"], ["Store in", "box"])
    deliver(world, Entry(0, ""))
    for name in ("box", "INBOX"):
        (stored,) = world.john.mailbox(name).messages()
        assert stored.flags == Flag.FLAGGED
        assert b"X-A: 1\r\n" in box(world, name)[0]


def test_nothing_is_lost_when_a_copy_cannot_be_stored(world: LocalWorld) -> None:
    rules(world, ["Store in", "nobox"], ["Discard"])
    deliver(world, Entry(0, ""))
    assert len(inbox(world.john)) == 1
    assert world.log.has("LOCAL(john)", "nobox does not exist")


def test_a_rejection_is_reported(world: LocalWorld) -> None:
    rules(world, ["Reject", "go away"])
    deliver(world, Entry(0, ""))
    assert inbox(world.john) == []
    ((_, outcome),) = world.reports.outcomes
    assert (outcome.result, outcome.text) == (Result.FAILED, "go away")


def test_damaged_rules_are_not_applied(world: LocalWorld) -> None:
    world.john.update({"Rules": [["x"]]})
    deliver(world, Entry(0, ""))
    assert len(inbox(world.john)) == 1


@pytest.mark.parametrize(
    ("action", "has", "lacks"),
    [
        ("Redirect to", [b"From: a@b.example", b"X-Autogenerated: Redirect"], [b"To: old"]),
        ("Forward to", [b"From: <john@here.example>"], [b"From: a@b.example", b"To: old"]),
        ("Mirror to", [b"From: a@b.example", b"To: old", b"X-Mirrored-by: "], [b"Errors-To"]),
    ],
)
def test_messages_that_are_passed_on(
    world: LocalWorld, action: str, has: list[bytes], lacks: list[bytes]
) -> None:
    rules(world, [action, "x@one.example, y"])
    deliver(world, Entry(0, ""), content=b"Errors-To: z\r\nTo: old\r\n" + MESSAGE)
    ((wanted, content),) = world.sent
    assert [each.address for each in wanted.recipients] == ["x@one.example", "y@here.example"]
    assert all(each.notify == "NEVER" for each in wanted.recipients)
    assert wanted.return_path == "john@here.example"
    header, _, body = content.partition(b"\r\n\r\n")
    assert all(part in header for part in has)
    assert not any(part in header for part in lacks)
    assert body == MESSAGE.partition(b"\r\n\r\n")[2]
    assert len(inbox(world.john)) == 1


def test_a_message_is_not_passed_on_twice(world: LocalWorld) -> None:
    rules(world, ["Redirect to", "x@one.example"])
    deliver(world, Entry(0, ""))
    deliver(world, Entry(0, ""), content=world.sent[0][1])
    deliver(world, Entry(0, ""), content=b"Received: x\r\n" * 31 + MESSAGE)
    assert len(world.sent) == 1
    assert len(inbox(world.john)) == 3


def test_a_reply(world: LocalWorld) -> None:
    rules(world, ["Reply with", "On ^S: away.\nSee you, ^F"])
    content = b"Reply-To: c@d.example\r\nMessage-ID: <1@x>\r\n" + MESSAGE
    deliver(world, Entry(0, ""), content=content)
    ((wanted, sent),) = world.sent
    assert [each.address for each in wanted.recipients] == ["c@d.example"]
    assert b"\r\nSubject: Re: hello\r\n" in sent
    assert b"\r\nIn-Reply-To: <1@x>\r\n" in sent
    assert sent.endswith(b"\r\n\r\nOn hello: away.\r\nSee you, c@d.example\r\n")


def test_automatic_messages_are_not_replied_to(world: LocalWorld) -> None:
    rules(world, ["Reply with", "away"])
    world.deliver(sender="")
    deliver(world, Entry(0, ""), content=b"X-Autogenerated: Reply\r\n" + MESSAGE)
    deliver(world, Entry(0, ""), content=b"Subject: no author\r\n\r\n")
    assert world.sent == []
    assert len(inbox(world.john)) == 3


# When --------------------------------------------------------------------------------------------


def test_flow_control_holds_messages_back(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, FlowLimit=2)
    for _ in range(5):
        world.deliver()
    world.deliver(queue="info@client.com")
    assert (len(inbox(world.john)), len(inbox(world.info))) == (2, 1)
    world.clock.advance(299)
    assert len(inbox(world.john)) == 2
    world.clock.advance(2)
    assert len(inbox(world.john)) == 4
    world.clock.advance(301)
    assert len(inbox(world.john)) == 5
    assert world.outcomes() == [Result.DELIVERED] * 6


def test_flow_control_gives_nothing_up_and_warns_nobody(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, FlowLimit=1, FlowPeriod=20 * 86400.0, WarnAfter=3600.0)
    world.deliver()
    world.deliver()
    for _ in range(19):
        world.clock.advance(86400)
    assert world.outcomes() == [Result.DELIVERED]
    world.clock.advance(86401)
    assert world.outcomes() == [Result.DELIVERED] * 2


def test_processes_limit_the_accounts_at_a_time(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, Processes=1)
    world.threads = held = HeldThreads()
    world.module = world.make()
    world.deliver()
    world.deliver(queue="info@client.com")
    assert len(held.calls) == world.work.tasks == 1
    held.go()
    assert (len(inbox(world.john)), len(inbox(world.info))) == (1, 0)
    held.go()
    assert len(inbox(world.info)) == 1
    assert world.work.tasks == 0


def test_no_processes(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, Processes=0)
    world.deliver()
    world.clock.advance(86400)
    assert inbox(world.john) == []
    assert world.work.tasks == 0
    world.settings.values["LOCAL", "Processes"] = 1
    world.module.settings_changed()
    assert len(inbox(world.john)) == 1


def test_many_queues_that_end_at_once(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, Processes=0)
    sent = world.message(envelope("nosuch"))
    for number in range(3000):
        world.module.enqueue(sent, f"nosuch{number}", [Entry(0, "")])
    world.settings.values["LOCAL", "Processes"] = 1
    world.module.settings_changed()
    assert world.outcomes() == [Result.FAILED] * 3000


# Mail to all -------------------------------------------------------------------------------------


def to_all(world: LocalWorld, queue: str = "all@client.com", source: Source | None = None) -> None:
    wanted = Envelope("a@b.example", [Recipient("all")], source or Source("SMTP", ip="192.0.2.9"))
    world.module.enqueue(world.message(wanted), queue, [Entry(0, "")])


@pytest.mark.parametrize(
    ("access", "source", "allowed"),
    [
        ("anybody", Source("SMTP", "192.0.2.9"), True),
        ("Clients", Source("SMTP", "192.0.2.9"), False),
        ("Clients", Source("SMTP", "192.0.2.1"), True),
        ("Clients", Source("SMTP", "192.0.2.9", "john@here.example"), True),
        ("Clients", Source("RPOP"), True),
        ("Authenticated Users", Source("SMTP", "192.0.2.1"), False),
        ("Authenticated Users", Source("SMTP", "192.0.2.9", "john@here.example"), True),
        ("Authenticated Users", Source("SMTP", "192.0.2.9", "x@nosuch.com"), False),
        ("Authenticated Domain Users", Source("POP", "", "john@here.example"), False),
        ("Authenticated Domain Users", Source("POP", "", "info@client.com"), True),
        ("Authenticated Administrator", Source("POP", "", "info@client.com"), False),
    ],
)
def test_who_may_send_to_all(world: LocalWorld, access: str, source: Source, allowed: bool) -> None:
    world.client.update({"MailToAllAction": access})
    to_all(world, source=source)
    assert len(inbox(world.info)) == allowed
    assert world.outcomes() == [Result.DELIVERED if allowed else Result.FAILED]


def test_administrators_may_send_to_all(world: LocalWorld) -> None:
    world.client.update({"MailToAllAction": "Authenticated Administrator"})
    world.john.set_rights(["Master"])
    to_all(world, source=Source("SMTP", "192.0.2.9", "john@here.example"))
    assert len(inbox(world.info)) == 1


def test_who_gets_mail_to_all(world: LocalWorld) -> None:
    world.client.update({"MailToAllAction": "anybody"})
    world.client.create_account("deaf", {"MailToAll": "NO"})
    full = world.client.create_account("full", {"MaxAccountSize": "10"})
    to_all(world)
    assert [len(inbox(account)) for account in world.client.accounts.values()].count(1) == 1
    assert inbox(full) == []
    ((_, outcome),) = world.reports.outcomes
    assert outcome.result is Result.FAILED
    assert "full@client.com (account is full)" in outcome.text
    assert all(account.sessions == 0 for account in world.client.accounts.values())


def test_all_domains(world: LocalWorld) -> None:
    world.domains.main.update({"MailToAllAction": "anybody"})
    to_all(world, queue="alldomains")
    assert (len(inbox(world.john)), len(inbox(world.info))) == (1, 0)
    world.client.update({"MailToAllAction": "anybody"})
    to_all(world, queue="alldomains")
    assert (len(inbox(world.john)), len(inbox(world.info))) == (2, 1)


def test_copies_for_forwarders_are_made_once(world: LocalWorld) -> None:
    world.client.update({"MailToAllAction": "anybody", "AllWithForwarders": "YES"})
    world.client.create_forwarder("f", "x@one.example")
    world.client.create_forwarder("g", "all")
    to_all(world)
    ((wanted, content),) = world.sent
    assert [each.address for each in wanted.recipients] == ["x@one.example", "all@client.com"]
    assert content == MESSAGE
    to_all(world, source=wanted.source)
    assert len(world.sent) == 1

"""Sending by SMTP: transactions, relays, delays, retries, limits, and the count of waits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_world import MESSAGE, envelope
from transport_world import Remote, SendingWorld, message_file
from twisted.internet.defer import Deferred

from reference.queue.delivery import Entry, Outcome, Result
from reference.queue.envelope import Envelope, Recipient
from reference.queue.message import QueuedMessage
from reference.transport.dnr import DNSFailure
from reference.transport.smtp_data import DotStuffing
from reference.transport.smtp_reply import Reply, ReplyReader, ReplySyntaxError


@pytest.fixture
def world(tmp_path: Path) -> SendingWorld:
    return SendingWorld(tmp_path)


def message(
    world: SendingWorld, *to: str | Recipient, content: bytes = MESSAGE, **options: str
) -> QueuedMessage:
    wanted: Envelope = envelope(*to, **options)
    return message_file(world.folder / "Queue", wanted, content, world.clock.time())


def send(
    world: SendingWorld,
    *to: str,
    host: str = "",
    content: bytes = MESSAGE,
    **options: str,
) -> QueuedMessage:
    sent = message(world, *to, content=content, **options)
    entries = [Entry(index, address) for index, address in enumerate(to)]
    world.sender.enqueue(sent, host or to[0].partition("@")[2], entries)
    return sent


def only(world: SendingWorld, address: str) -> Outcome:
    (outcome,) = world.reports.of(address)
    return outcome


# A transaction ---------------------------------------------------------------------------------


def test_a_message_goes_to_the_mx_host(world: SendingWorld) -> None:
    remote = world.host("mail.company.com", "11.0.0.1")
    world.dns.mx_records["company.com"] = [(10, "mail.company.com")]
    send(world, "user@company.com")
    assert world.dns.asked == ["MX company.com", "A mail.company.com"]
    assert remote.lines == [
        "EHLO here.example",
        f"MAIL FROM:<sender@here.example> SIZE={len(MESSAGE)}",
        "RCPT TO:<user@company.com>",
        "DATA",
        "QUIT",
    ]
    assert remote.messages == [MESSAGE]
    outcome = only(world, "user@company.com")
    assert (outcome.result, outcome.remote) == (Result.RELAYED, "mail.company.com")
    assert not remote.connections[0].open
    assert world.work.tasks == 0
    assert not world.work.waits
    assert world.log.has("SMTPO(company.com)", "sent for 1")


def test_a_domain_without_mx_is_a_host(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    send(world, "user@company.com")
    assert world.dns.asked == ["MX company.com", "A company.com"]
    assert len(remote.messages) == 1


def test_several_recipients_share_a_transaction(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    send(world, "a@company.com", "b@company.com", "c@company.com")
    assert remote.transactions[1:] == [
        "RCPT TO:<a@company.com>",
        "RCPT TO:<b@company.com>",
        "RCPT TO:<c@company.com>",
    ]
    assert len(remote.messages) == 1


def test_many_recipients_go_in_portions(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    addresses = [f"u{number}@company.com" for number in range(250)]
    send(world, *addresses)
    assert len(remote.messages) == 3
    assert len(remote.connections) == 1
    heard = [line[9:-1] for line in remote.lines if line.startswith("RCPT")]
    assert heard == addresses


def test_a_host_that_takes_few_recipients_gets_the_rest_at_once(world: SendingWorld) -> None:
    remote = world.host(
        "company.com", "11.0.0.1", rcpt=["250 ok", "250 ok", "452 too many", "250 ok"]
    )
    send(world, "a@company.com", "b@company.com", "c@company.com")
    assert len(remote.messages) == 2
    assert [len(world.reports.of(f"{name}@company.com")) for name in "abc"] == [1, 1, 1]


def test_helo_for_hosts_that_know_no_ehlo(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1", ehlo="502 what?")
    send(world, "user@company.com")
    assert remote.lines[:3] == [
        "EHLO here.example",
        "HELO here.example",
        "MAIL FROM:<sender@here.example>",
    ]
    assert len(remote.messages) == 1


def test_options_go_to_hosts_that_know_them(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1", extensions=("DSN", "8BITMIME"))
    sent = message(
        world,
        Recipient("user@company.com", notify="SUCCESS", orcpt="rfc822;a+b@c"),
        ret="HDRS",
        envid="id=1",
        body="8BITMIME",
    )
    world.sender.enqueue(sent, "company.com", [Entry(0, "user@company.com")])
    assert remote.transactions == [
        "MAIL FROM:<sender@here.example> BODY=8BITMIME RET=HDRS ENVID=id+3D1",
        "RCPT TO:<user@company.com> NOTIFY=SUCCESS ORCPT=rfc822;a+2Bb@c",
    ]
    assert only(world, "user@company.com").result is Result.PASSED


def test_the_null_return_path(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1", extensions=())
    send(world, "user@company.com", sender="")
    assert remote.transactions[0] == "MAIL FROM:<>"


def test_a_message_larger_than_the_host_takes_is_refused(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1", extensions=("SIZE 10",))
    send(world, "user@company.com")
    outcome = only(world, "user@company.com")
    assert (outcome.result, outcome.status) == (Result.FAILED, "5.3.4")
    assert remote.transactions == []


def test_no_address_makes_a_command_of_its_own(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    send(world, "user@company.com>\r\nRSET\r\nX", host="company.com")
    assert remote.lines == ["EHLO here.example", "QUIT"]
    assert world.reports.outcomes[0][1].status == "5.1.3"


def test_large_content_is_sent_in_blocks(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    content = b"Subject: x\r\n\r\n" + b".line\r\n" * 50_000
    send(world, "user@company.com", content=content)
    assert remote.messages == [content]


def test_a_full_transport_is_awaited(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    content = b"Subject: x\r\n\r\n" + b"line\r\n" * 50_000
    sent = message(world, "user@company.com", content=content)
    remote.script("data", "354 go on")
    original = Remote.next

    def pausing(self: Remote, key: str, usual: str) -> str:
        if key == "data":
            self.connections[-1].producer.pauseProducing()
        return original(self, key, usual)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Remote, "next", pausing)
        world.sender.enqueue(sent, "company.com", [Entry(0, "user@company.com")])
    assert remote.messages == []
    assert world.work.tasks == 0
    assert dict(world.work.waits) == {"smtp:11.0.0.1:25": 1}
    remote.connections[-1].producer.resumeProducing()
    assert remote.messages == [content]
    assert world.work.tasks == 0


# Refusals --------------------------------------------------------------------------------------


def test_a_refused_recipient_fails_alone(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    remote.script("bad@company.com", "550 5.1.1 no such user")
    send(world, "bad@company.com", "ok@company.com")
    assert remote.messages == [MESSAGE]
    outcome = only(world, "bad@company.com")
    assert (outcome.result, outcome.status) == (Result.FAILED, "5.1.1")
    assert outcome.diagnostic == "smtp; 550 5.1.1 no such user"
    assert only(world, "ok@company.com").result is Result.RELAYED


def test_a_delayed_recipient_is_tried_alone_later(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    remote.script("busy@company.com", "450 busy", "250 ok")
    send(world, "busy@company.com", "ok@company.com")
    assert world.reports.of("busy@company.com") == []
    assert only(world, "ok@company.com").result is Result.RELAYED
    world.clock.advance(1799)
    assert len(remote.messages) == 1
    world.clock.advance(1)
    assert len(remote.messages) == 2
    assert remote.lines[-4:-2] == [
        f"MAIL FROM:<sender@here.example> SIZE={len(MESSAGE)}",
        "RCPT TO:<busy@company.com>",
    ]
    assert only(world, "busy@company.com").result is Result.RELAYED


@pytest.mark.parametrize("verb", ["mail", "data", "message"])
def test_a_delayed_message_does_not_hold_up_others(world: SendingWorld, verb: str) -> None:
    remote = world.host("company.com", "11.0.0.1", **{verb: ["451 later", "250 ok"]})
    if verb == "data":
        remote.script("data", "451 later", "354 go on")
    send(world, "a@company.com")
    assert world.reports.outcomes == []
    send(world, "b@company.com")
    assert [at for at, _ in world.reports.outcomes] == ["b@company.com"]
    world.clock.advance(1800)
    assert only(world, "a@company.com").result is Result.RELAYED


@pytest.mark.parametrize("verb", ["mail", "data", "message"])
def test_a_message_refused_for_good_fails(world: SendingWorld, verb: str) -> None:
    remote = world.host("company.com", "11.0.0.1", **{verb: "554 no"})
    send(world, "a@company.com", "b@company.com")
    assert [outcome.result for _, outcome in world.reports.outcomes] == [Result.FAILED] * 2
    world.clock.advance(432000)
    assert len(remote.connections) == 1


def test_a_nonsense_reply_to_data_is_no_success(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    remote.script("data", "250 sure")
    send(world, "a@company.com")
    assert world.reports.outcomes == []
    assert not remote.connections[0].open


# Relays ----------------------------------------------------------------------------------------


def test_relays_are_tried_in_the_order_of_preference(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(10, "one"), (20, "two"), (30, "three")]
    world.dns.a_records.update(one=["11.0.0.1"], two=["11.0.0.2"])
    third = world.host("three", "11.0.0.3")
    send(world, "user@company.com")
    assert world.network.tried == ["11.0.0.1:25", "11.0.0.2:25", "11.0.0.3:25"]
    assert len(third.messages) == 1


def test_a_relay_that_answers_spares_the_others(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(10, "one"), (20, "two")]
    world.host("one", "11.0.0.1")
    backup = world.host("two", "11.0.0.2")
    send(world, "user@company.com")
    assert backup.connections == []
    assert "A two" not in world.dns.asked


def test_all_addresses_of_a_host_are_tried(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.2")
    world.dns.a_records["company.com"] = ["11.0.0.1", "11.0.0.2"]
    send(world, "user@company.com")
    assert len(remote.messages) == 1


@pytest.mark.parametrize("greeting", ["421 busy", "554 go away", "drop", "what is this"])
def test_a_relay_that_does_not_take_the_session_is_passed_over(
    world: SendingWorld, greeting: str
) -> None:
    world.dns.mx_records["company.com"] = [(10, "one"), (20, "two")]
    world.host("one", "11.0.0.1", connect=greeting)
    backup = world.host("two", "11.0.0.2")
    send(world, "user@company.com")
    assert len(backup.messages) == 1
    assert world.work.tasks == 0


def test_a_silent_relay_is_passed_over_in_time(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(10, "one"), (20, "two")]
    world.host("one", "11.0.0.1", connect="hang")
    backup = world.host("two", "11.0.0.2")
    send(world, "user@company.com")
    assert world.work.tasks == 0
    assert dict(world.work.waits) == {"smtp:11.0.0.1:25": 1}
    world.clock.advance(300)
    assert len(backup.messages) == 1
    assert not world.work.waits


def test_an_unknown_domain_fails_at_once(world: SendingWorld) -> None:
    send(world, "user@nosuch.example")
    outcome = only(world, "user@nosuch.example")
    assert (outcome.result, outcome.status) == (Result.FAILED, "5.1.2")


def test_a_domain_whose_relays_have_no_address_fails(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(10, "nowhere")]
    send(world, "user@company.com")
    assert only(world, "user@company.com").status == "5.4.4"


def test_a_null_mx_fails(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(0, "")]
    send(world, "user@company.com")
    assert only(world, "user@company.com").status == "5.1.10"


@pytest.mark.parametrize("records", ["mx", "a"])
def test_a_silent_name_server_delays(world: SendingWorld, records: str) -> None:
    if records == "mx":
        world.dns.mx_records["company.com"] = DNSFailure("no answer")
    else:
        world.dns.mx_records["company.com"] = [(10, "one")]
        world.dns.a_records["one"] = DNSFailure("no answer")
    send(world, "user@company.com")
    assert world.reports.outcomes == []
    remote = world.host("one", "11.0.0.1")
    world.dns.mx_records["company.com"] = [(10, "one")]
    world.clock.advance(1800)
    assert len(remote.messages) == 1


def test_no_gap_between_a_name_and_its_host(world: SendingWorld) -> None:
    answer: Deferred[list[tuple[int, str]]] = Deferred()
    world.dns.mx_records["company.com"] = answer
    world.host("one", "11.0.0.1", connect="hang")
    send(world, "user@company.com")
    assert world.work.tasks == 0
    seen: list[dict[str, int]] = []
    world.work.on_quiet = lambda: seen.append(dict(world.work.waits))
    with world.work.doing("the DNR's answer"):
        answer.callback([(10, "one")])
    assert seen == [{"smtp:11.0.0.1:25": 1}]


def test_literal_addresses_need_no_dns(world: SendingWorld) -> None:
    remote = world.host("x", "11.0.0.1")
    send(world, "user@[11.0.0.1]")
    assert world.dns.asked == []
    assert len(remote.messages) == 1


def test_ports(world: SendingWorld) -> None:
    world.network.remotes["11.0.0.1:26"] = remote = Remote()
    world.dns.a_records["mail.stalker.com"] = ["11.0.0.1"]
    send(world, "user@secret.stalker.com", host="mail.stalker.com:26")
    send(world, "user@[11.0.0.1]", host="[11.0.0.1:26]")
    assert world.dns.asked == ["A mail.stalker.com"]
    assert len(remote.messages) == 2


def test_a_port_without_an_address_fails(world: SendingWorld) -> None:
    world.dns.mx_records["mail.stalker.com"] = [(1, "other")]
    send(world, "user@secret.stalker.com", host="mail.stalker.com:26")
    assert only(world, "user@secret.stalker.com").result is Result.FAILED
    assert world.network.tried == []


def test_mail_to_the_server_itself_is_a_dns_loop(world: SendingWorld) -> None:
    world.dns.a_records["unlisted.example"] = ["10.0.0.1"]
    send(world, "user@unlisted.example")
    outcome = only(world, "user@unlisted.example")
    assert outcome.result is Result.FAILED
    assert "DNS loop" in outcome.text
    assert world.network.tried == []


def test_another_port_of_the_server_is_another_server(world: SendingWorld) -> None:
    world.network.remotes["10.0.0.1:26"] = remote = Remote()
    send(world, "user@[10.0.0.1]", host="[10.0.0.1:26]")
    assert len(remote.messages) == 1


def test_a_backup_server_sends_only_to_relays_that_are_more_wanted(world: SendingWorld) -> None:
    world.dns.mx_records["company.com"] = [(10, "main"), (20, "self"), (30, "last")]
    world.dns.a_records.update(main=["11.0.0.1"], self=["10.0.0.1"])
    last = world.host("last", "11.0.0.3")
    send(world, "user@company.com")
    assert world.network.tried == ["11.0.0.1:25"]
    assert last.connections == []
    assert world.reports.outcomes == []


# The forwarding server -------------------------------------------------------------------------


def test_forward_to_asks_for_the_address_only(tmp_path: Path) -> None:
    world = SendingWorld(tmp_path, more={("SMTP", "Forward"): "mail.provider.com"})
    world.dns.mx_records["mail.provider.com"] = [(1, "elsewhere")]
    remote = world.host("mail.provider.com", "11.0.0.1")
    send(world, "user@faraway.net", host="mail.provider.com")
    assert world.dns.asked == ["A mail.provider.com"]
    assert remote.transactions[1] == "RCPT TO:<user@faraway.net>"


def test_forward_to_a_mail_domain_keeps_the_mail(tmp_path: Path) -> None:
    world = SendingWorld(tmp_path, more={("SMTP", "Forward"): "provider.com"})
    world.dns.mx_records["provider.com"] = [(1, "mail.provider.com")]
    send(world, "user@faraway.net", host="provider.com")
    assert world.reports.outcomes == []
    world.clock.advance(1800)
    assert world.dns.asked == ["A provider.com"] * 2


def test_forward_to_several_addresses(tmp_path: Path) -> None:
    world = SendingWorld(tmp_path, more={("SMTP", "Forward"): "11.0.0.1, 11.0.0.2"})
    second = world.host("x", "11.0.0.2")
    send(world, "user@faraway.net", host="11.0.0.1,11.0.0.2")
    assert world.network.tried == ["11.0.0.1:25", "11.0.0.2:25"]
    assert len(second.messages) == 1


# Queues ----------------------------------------------------------------------------------------


def test_an_unreachable_host_delays_its_whole_queue(world: SendingWorld) -> None:
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    send(world, "a@company.com")
    world.clock.advance(600)
    send(world, "b@company.com")
    assert len(world.network.tried) == 1
    other = world.host("other.com", "11.0.0.2")
    send(world, "c@other.com")
    assert len(other.messages) == 1
    remote = world.host("company.com", "11.0.0.1")
    world.clock.advance(1199)
    assert remote.connections == []
    world.clock.advance(1)
    assert len(remote.connections) == 1
    assert len(remote.messages) == 2
    assert world.work.tasks == 0


def test_retries_become_rarer(tmp_path: Path) -> None:
    world = SendingWorld(tmp_path, more={("SMTP", "RetryPeriod1"): 7200.0})
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    start = world.clock.time()
    times: list[float] = []
    connect = world.network.connect

    def noting(*args: object, **options: object) -> Deferred[object]:
        times.append((world.clock.time() - start) / 60)
        return connect(*args, **options)  # type: ignore[arg-type]

    world.network.connect = noting  # type: ignore[assignment, method-assign]
    send(world, "a@company.com")
    world.clock.pump([60.0] * (8 * 60))
    assert times == [0, 30, 60, 90, 120, 240, 360, 480]


def test_a_message_is_given_up_after_the_period(world: SendingWorld) -> None:
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    send(world, "a@company.com")
    world.clock.pump([600.0] * (5 * 144 - 1))
    assert world.reports.outcomes == []
    world.clock.advance(600)
    outcome = only(world, "a@company.com")
    assert (outcome.result, outcome.status) == (Result.FAILED, "4.4.7")
    assert "unavailable" in outcome.text
    tried = len(world.network.tried)
    world.clock.advance(86400)
    assert len(world.network.tried) == tried
    assert not world.sender.release("company.com")


def test_the_period_ends_between_two_attempts(tmp_path: Path) -> None:
    more = {("SMTP", "GiveUpAfter"): 2000.0, ("SMTP", "WarnAfter"): 1000.0}
    world = SendingWorld(tmp_path, more=more)
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    send(world, "a@company.com")
    world.clock.pump([1.0] * 999)
    assert world.reports.outcomes == []
    world.clock.advance(1)
    assert only(world, "a@company.com").result is Result.DELAYED
    world.clock.pump([1.0] * 999)
    assert len(world.reports.outcomes) == 1
    world.clock.advance(1)
    assert world.reports.outcomes[-1][1].result is Result.FAILED


def test_a_restarted_server_remembers_a_message_s_age(world: SendingWorld) -> None:
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    sent = message(world, "a@company.com")
    world.clock.advance(432000)
    world.sender.enqueue(sent, "company.com", [Entry(0, "a@company.com")])
    assert only(world, "a@company.com").result is Result.FAILED
    assert len(world.network.tried) == 1, "one attempt is made all the same"


def test_messages_share_a_connection(world: SendingWorld) -> None:
    answer: Deferred[list[str]] = Deferred()
    world.dns.a_records["company.com"] = answer
    for name in "abc":
        send(world, f"{name}@company.com")
    remote = world.host("company.com", "11.0.0.1")
    answer.callback(["11.0.0.1"])
    assert len(remote.connections) == 1
    assert len(remote.messages) == 3
    assert remote.lines.count("QUIT") == 1


def test_a_lost_connection_delays_the_message_not_the_others(world: SendingWorld) -> None:
    answer: Deferred[list[str]] = Deferred()
    world.dns.a_records["company.com"] = answer
    for name in "abc":
        send(world, f"{name}@company.com")
    remote = world.host("company.com", "11.0.0.1", message=["250 ok", "drop", "250 ok"])
    answer.callback(["11.0.0.1"])
    done = [address for address, _ in world.reports.outcomes]
    assert done == ["a@company.com", "c@company.com"]
    assert len(remote.connections) == 2
    world.clock.advance(1800)
    assert only(world, "b@company.com").result is Result.RELAYED
    assert world.work.tasks == 0


def test_a_message_that_breaks_every_session_does_not_block_the_queue(world: SendingWorld) -> None:
    answer: Deferred[list[str]] = Deferred()
    world.dns.a_records["company.com"] = answer
    send(world, "bad@company.com")
    send(world, "ok@company.com")
    remote = world.host("company.com", "11.0.0.1")
    remote.script("bad@company.com", "drop")
    answer.callback(["11.0.0.1"])
    world.clock.pump([60.0] * 60)
    assert only(world, "ok@company.com").result is Result.RELAYED
    assert world.reports.of("bad@company.com") == []
    assert len(remote.connections) < 8


def test_a_message_that_cannot_be_read_stays(world: SendingWorld) -> None:
    remote = world.host("company.com", "11.0.0.1")
    sent = message(world, "a@company.com")
    octets = sent.path.read_bytes()
    sent.path.unlink()
    world.sender.enqueue(sent, "company.com", [Entry(0, "a@company.com")])
    assert world.reports.outcomes == []
    assert not remote.connections[0].open
    assert world.work.tasks == 0
    sent.path.write_bytes(octets)
    world.clock.advance(1800)
    assert only(world, "a@company.com").result is Result.RELAYED


def test_channels_limit_the_connections(tmp_path: Path) -> None:
    world = SendingWorld(tmp_path, more={("SMTP", "OutputChannels"): 3})
    remotes = [world.host(f"h{n}.com", f"11.0.1.{n}", connect="hang") for n in range(6)]
    for number in range(6):
        send(world, f"u@h{number}.com")
    assert [len(remote.connections) for remote in remotes] == [1, 1, 1, 0, 0, 0]
    remotes[1].connections[0].protocol.dataReceived(b"220 at last\r\n")
    assert [len(remote.connections) for remote in remotes] == [1, 1, 1, 1, 0, 0]
    assert len(remotes[1].messages) == 1


def test_release_tries_at_once(world: SendingWorld) -> None:
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    send(world, "a@company.com")
    remote = world.host("company.com", "11.0.0.1")
    assert not world.sender.release("other.com")
    assert world.sender.release("Company.Com")
    assert len(remote.messages) == 1
    assert not world.sender.release("company.com"), "nothing waits any more"


@pytest.mark.parametrize("queue", ["client.dom", "mail.client.dom"])
def test_a_wakeup_message_releases_the_queue(world: SendingWorld, queue: str) -> None:
    world.dns.a_records[queue] = ["11.0.0.1"]
    send(world, "a@client.dom", host=queue)
    remote = world.host(queue, "11.0.0.1")
    if queue == "mail.client.dom":
        route = world.router.route
        world.router.route = lambda address: route(address.replace("client.dom", queue))  # type: ignore[method-assign]
    wakeup = message(world, "client.dom-wakeup@here.example")
    world.sender.enqueue(wakeup, "client.dom", [Entry(0, "")])
    assert len(remote.messages) == 1
    assert only(world, "client.dom-wakeup@here.example").result is Result.DELIVERED


def test_a_wakeup_for_nobody_counts_as_done(world: SendingWorld) -> None:
    wakeup = message(world, "client.dom-wakeup@here.example")
    world.sender.enqueue(wakeup, "client.dom", [Entry(0, "")])
    assert only(world, "client.dom-wakeup@here.example").result is Result.DELIVERED


def test_many_messages_for_a_dead_host_cost_little(world: SendingWorld) -> None:
    world.dns.a_records["company.com"] = ["11.0.0.1"]
    timers = 0
    call_later = world.clock.call_later

    def counting(*args: object) -> object:
        nonlocal timers
        timers += 1
        return call_later(*args)  # type: ignore[arg-type]

    world.clock.call_later = counting  # type: ignore[method-assign, assignment]
    sent = send(world, "a@company.com")
    for _ in range(500):
        world.sender.enqueue(sent, "company.com", [Entry(0, "a@company.com")])
    assert timers <= 2


# Replies ---------------------------------------------------------------------------------------

codes = st.integers(200, 599)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


@given(
    st.lists(st.tuples(codes, st.lists(texts, min_size=1, max_size=4)), max_size=4),
    st.sampled_from(["\r\n", "\n"]),
    st.lists(st.integers(1, 40), max_size=20),
)
def test_replies_come_back_however_they_are_cut(
    replies: list[tuple[int, list[str]]], end: str, cuts: list[int]
) -> None:
    octets = b""
    for code, lines in replies:
        for number, line in enumerate(lines):
            mark = " " if number == len(lines) - 1 else "-"
            octets += f"{code}{mark}{line}{end}".encode()
    reader = ReplyReader()
    got: list[Reply] = []
    for cut in [*cuts, len(octets)]:
        got += reader.feed(octets[:cut])
        octets = octets[cut:]
    assert got == [Reply(code, tuple(lines)) for code, lines in replies]


def test_a_bare_code_is_a_reply() -> None:
    assert ReplyReader().feed(b"250\r\n") == [Reply(250, ("",))]
    assert str(Reply(250, ("",))) == "250"


@pytest.mark.parametrize("octets", [b"hello\r\n", b"25\r\n", b"99 x\r\n", b"250x\r\n", b"x" * 5000])
def test_what_is_no_reply(octets: bytes) -> None:
    with pytest.raises(ReplySyntaxError):
        ReplyReader().feed(octets)


def test_an_endless_reply_is_given_up() -> None:
    with pytest.raises(ReplySyntaxError):
        ReplyReader().feed(b"250-x\r\n" * 1000)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(550, ("5.1.1 unknown",)), "5.1.1"),
        (Reply(550, ("unknown",)), "5.0.0"),
        (Reply(450, ("5.1.1 odd",)), "4.0.0"),
        (Reply(550, ("1.2.3.4 is listed",)), "5.0.0"),
    ],
)
def test_status_codes(reply: Reply, status: str) -> None:
    assert reply.status == status


# Data ------------------------------------------------------------------------------------------


def unstuff(octets: bytes) -> bytes:
    assert octets.endswith(b"\r\n.\r\n") or octets == b".\r\n"
    lines = octets.removesuffix(b".\r\n").split(b"\r\n")
    assert b"." not in lines, "the data would end early"
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


@given(
    st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r", b"\n", b"\r\n.\r\n", b"x.y"])),
    st.lists(st.integers(1, 5), max_size=30),
)
def test_content_survives_dots_and_cuts(parts: list[bytes], cuts: list[int]) -> None:
    content = b"".join(parts)
    stuffing = DotStuffing()
    sent, rest = b"", content
    for cut in cuts:
        sent += stuffing.feed(rest[:cut])
        rest = rest[cut:]
    sent += stuffing.feed(rest) + stuffing.finish()
    whole = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if whole and not whole.endswith(b"\r\n"):
        whole += b"\r\n"
    assert unstuff(sent) == whole
    assert sent.count(b"\n") == sent.count(b"\r") == sent.count(b"\r\n")

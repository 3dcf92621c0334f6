"""The sender with several channels, TLS, a login, and addresses of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from queue_world import START, envelope
from transport_world import Remote, SendingWorld, message_file

from reference.formats import pem
from reference.queue.delivery import Entry, Outcome, Result

TLS = ("SIZE", "STARTTLS")


class Shown:
    """What pyOpenSSL gives for a certificate."""

    def __init__(self, name: str) -> None:
        key = pem.make_test_key()
        subject = pem.subject({"Common Name": name})
        self._certificate = pem.sign_self(key, subject, host=name, now=START)

    def to_cryptography(self) -> Any:
        return self._certificate


def send(world: SendingWorld, to: str, *, host: str = "") -> None:
    sent = message_file(world.folder / "Queue", envelope(to), b"Subject: x\r\n\r\n", START)
    world.sender.enqueue(sent, host or to.partition("@")[2], [Entry(0, to)])


def make(tmp_path: Path, **options: Any) -> SendingWorld:
    return SendingWorld(tmp_path, more={("SMTP", key): value for key, value in options.items()})


def secured_host(world: SendingWorld, name: str, shows: str, **replies: Any) -> Remote:
    remote = world.host(name, "11.0.0.1", extensions=TLS, **replies)
    remote.certificate = Shown(shows)
    return remote


def only(world: SendingWorld, address: str) -> Outcome:
    (outcome,) = world.reports.of(address)
    return outcome


def test_a_listed_domain_is_secured_before_anything_is_said(tmp_path: Path) -> None:
    world = make(tmp_path, SecureDomains=("company.dom",))
    remote = secured_host(world, "company.dom", "company.dom")
    send(world, "u@company.dom")
    assert remote.lines[:4] == [
        "EHLO here.example",
        "STARTTLS",
        "(TLS)",
        "EHLO here.example",
    ]
    assert only(world, "u@company.dom").result is Result.RELAYED


@pytest.mark.parametrize(
    ("extensions", "shows", "words"),
    [
        (("SIZE",), "company.dom", "does not support STARTTLS"),
        (TLS, "other.dom", "issued to other.dom"),
    ],
)
def test_what_cannot_be_secured_comes_back(
    tmp_path: Path, extensions: tuple[str, ...], shows: str, words: str
) -> None:
    world = make(tmp_path, SecureDomains=("company.dom",))
    remote = secured_host(world, "company.dom", shows)
    remote.extensions = extensions
    send(world, "u@company.dom")
    outcome = only(world, "u@company.dom")
    assert (outcome.result, outcome.status) == (Result.FAILED, "5.7.10")
    assert words in outcome.text
    assert remote.transactions == []
    assert world.work.tasks == 0
    assert not remote.connections[0].open


@pytest.mark.parametrize(
    "trouble", [{"starttls": "454 later"}, {"tls": "drop"}, {"tls": ["drop", "ok"]}]
)
def test_a_listed_domain_waits_for_tls_to_work_again(
    tmp_path: Path, trouble: dict[str, Any]
) -> None:
    world = make(tmp_path, SecureDomains=("company.dom",))
    remote = secured_host(world, "company.dom", "company.dom", **trouble)
    send(world, "u@company.dom")
    assert remote.transactions == []
    remote.replies.clear()
    world.clock.advance(1800)
    assert only(world, "u@company.dom").result is Result.RELAYED


@pytest.mark.parametrize("trouble", [{"starttls": "454 later"}, {"tls": "drop"}])
def test_where_it_is_only_possible_mail_goes_in_the_clear(
    tmp_path: Path, trouble: dict[str, Any]
) -> None:
    world = make(tmp_path, SecureWherePossible=True)
    remote = secured_host(world, "company.dom", "other.dom", **trouble)
    send(world, "u@company.dom")
    assert only(world, "u@company.dom").result is Result.RELAYED
    assert "(TLS)" not in remote.lines


def test_a_silent_handshake_is_given_up_in_time(tmp_path: Path) -> None:
    world = make(tmp_path, SecureWherePossible=True)
    remote = secured_host(world, "company.dom", "company.dom", tls="hang")
    send(world, "u@company.dom")
    assert list(world.work.waits) == ["smtp:11.0.0.1:25"]
    world.clock.advance(120)
    assert only(world, "u@company.dom").result is Result.RELAYED
    assert len(remote.connections) == 2


def test_only_what_is_listed_comes_back_from_a_shared_host(tmp_path: Path) -> None:
    world = make(tmp_path, SecureDomains=("secret.dom",), ChannelsPerHost=1)
    remote = world.host("host.example", "11.0.0.1", connect=["drop", "220 ready"])
    send(world, "a@plain.dom", host="host.example")
    send(world, "b@secret.dom", host="host.example")
    world.clock.advance(1800)
    assert only(world, "b@secret.dom").status == "5.7.10"
    assert only(world, "a@plain.dom").result is Result.RELAYED
    assert remote.transactions[1] == "RCPT TO:<a@plain.dom>"
    assert not any("secret" in line for line in remote.lines)


def test_a_listed_message_does_not_slip_into_an_open_session(tmp_path: Path) -> None:
    world = make(tmp_path, SecureDomains=("secret.dom",))
    remote = world.host("host.example", "11.0.0.1", message="hang")
    send(world, "a@plain.dom", host="host.example")
    send(world, "b@secret.dom", host="host.example")
    remote.connections[0].protocol.dataReceived(b"250 stored\r\n")
    assert only(world, "a@plain.dom").result is Result.RELAYED
    assert only(world, "b@secret.dom").status == "5.7.10"
    assert not any("secret" in line for line in remote.lines)


def test_port_465_is_secured_first(tmp_path: Path) -> None:
    world = make(tmp_path)
    remote = secured_host(world, "host.example", "host.example")
    remote.secure_first = True
    world.network.remotes["11.0.0.1:465"] = remote
    send(world, "u@company.dom", host="host.example:465")
    assert remote.lines[:2] == ["(TLS)", "EHLO here.example"]
    assert "STARTTLS" not in remote.lines
    assert only(world, "u@company.dom").result is Result.RELAYED


def test_the_forwarding_server_s_certificate_may_bear_any_name(tmp_path: Path) -> None:
    world = make(tmp_path, SecureDomains=("*",), Forward="mail.provider.com")
    remote = secured_host(world, "mail.provider.com", "other.example")
    send(world, "u@company.dom", host="mail.provider.com")
    assert "(TLS)" in remote.lines
    assert only(world, "u@company.dom").result is Result.RELAYED


def test_a_login_for_the_forwarding_server(tmp_path: Path) -> None:
    world = make(
        tmp_path, Forward="mail.provider.com", ForwardAUTHName="me", ForwardAUTHPassword="secret"
    )
    remote = world.host(
        "mail.provider.com", "11.0.0.1", extensions=("AUTH PLAIN",), auth="235 welcome"
    )
    other = world.host("other.example", "11.0.0.2", extensions=("AUTH PLAIN",))
    send(world, "u@company.dom", host="mail.provider.com")
    send(world, "u@other.example")
    assert remote.lines[1] == "AUTH PLAIN AG1lAHNlY3JldA=="
    assert not any(line.startswith("AUTH") for line in other.lines)
    assert not any("AG1lAHNlY3JldA" in record[2] for record in world.log.records)


def test_a_refused_login_delays(tmp_path: Path) -> None:
    world = make(
        tmp_path, Forward="mail.provider.com", ForwardAUTHName="me", ForwardAUTHPassword="secret"
    )
    remote = world.host(
        "mail.provider.com", "11.0.0.1", extensions=("AUTH LOGIN",), auth="535 who are you"
    )
    send(world, "u@company.dom", host="mail.provider.com")
    assert (remote.transactions, world.reports.of("u@company.dom")) == ([], [])
    remote.script("auth", "235 welcome")
    world.clock.advance(1800)
    assert only(world, "u@company.dom").result is Result.RELAYED


def test_a_second_channel_takes_what_waits_behind_a_slow_transfer(tmp_path: Path) -> None:
    world = make(tmp_path, ChannelsPerHost=2)
    remote = world.host("company.dom", "11.0.0.1", message=["hang", "250 stored"])
    send(world, "slow@company.dom")
    send(world, "fast@company.dom")
    world.clock.advance(59)
    assert len(remote.connections) == 1
    world.clock.advance(1)
    assert len(remote.connections) == 2
    assert only(world, "fast@company.dom").result is Result.RELAYED
    assert world.reports.of("slow@company.dom") == []
    remote.connections[0].protocol.dataReceived(b"250 stored\r\n")
    assert only(world, "slow@company.dom").result is Result.RELAYED
    assert world.work.tasks == 0


def test_a_second_channel_that_is_refused_does_not_suspend_the_queue(tmp_path: Path) -> None:
    world = make(tmp_path, ChannelsPerHost=2)
    remote = world.host(
        "company.dom", "11.0.0.1", connect=["220 ready", "drop"], message=["hang", "250 stored"]
    )
    send(world, "slow@company.dom")
    send(world, "next@company.dom")
    world.clock.advance(60)
    assert len(remote.connections) == 2
    remote.connections[0].protocol.dataReceived(b"250 stored\r\n")
    assert only(world, "next@company.dom").result is Result.RELAYED
    assert world.work.tasks == 0


def test_released_queues_of_all_addresses(tmp_path: Path) -> None:
    world = make(tmp_path)
    sources = iter(["10.0.0.2", ""])
    world.sender._source = lambda _: next(sources)
    world.dns.a_records["company.dom"] = ["11.0.0.1"]
    send(world, "a@company.dom")
    send(world, "b@company.dom")
    remote = world.host("company.dom", "11.0.0.1")
    assert world.sender.release("@10.0.0.2:Company.dom")
    assert (len(remote.messages), world.network.sources[-1]) == (1, "10.0.0.2")
    assert world.sender.release("company.dom")
    assert (len(remote.messages), world.network.sources[-1]) == (2, None)
    assert not world.sender.release("company.dom")


def test_more_channels_at_once_when_the_settings_allow_them(tmp_path: Path) -> None:
    world = make(tmp_path, OutputChannels=1)
    remotes = [world.host(f"h{n}.dom", f"11.0.0.{n + 1}", mail="hang") for n in range(2)]
    for number in range(2):
        send(world, f"u@h{number}.dom")
    assert [len(remote.connections) for remote in remotes] == [1, 0]
    world.settings.values["SMTP", "OutputChannels"] = 2
    world.sender.settings_changed()
    assert [len(remote.connections) for remote in remotes] == [1, 1]


# Pipelining ---------------------------------------------------------------------------------------


def to_many(world: SendingWorld, *names: str) -> None:
    addresses = [f"{name}@company.dom" for name in names]
    sent = message_file(world.folder / "Queue", envelope(*addresses), b"Subject: x\r\n\r\n", START)
    entries = [Entry(index, address) for index, address in enumerate(addresses)]
    world.sender.enqueue(sent, "company.dom", entries)


def test_an_envelope_goes_at_once_to_hosts_that_take_it(tmp_path: Path) -> None:
    world = make(tmp_path)
    remote = world.host("company.dom", "11.0.0.1", extensions=("PIPELINING",), mail="hang")
    to_many(world, "a", "b")
    assert remote.lines[1:] == [
        "MAIL FROM:<sender@here.example>",
        "RCPT TO:<a@company.dom>",
        "RCPT TO:<b@company.dom>",
    ]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_each_recipient_gets_its_own_answer(tmp_path: Path, extensions: tuple[str, ...]) -> None:
    world = make(tmp_path)
    remote = world.host(
        "company.dom",
        "11.0.0.1",
        extensions=extensions,
        **{"b@company.dom": "550 nobody", "c@company.dom": "450 later"},
    )
    to_many(world, "a", "b", "c")
    assert only(world, "a@company.dom").result is Result.RELAYED
    assert only(world, "b@company.dom").result is Result.FAILED
    assert world.reports.of("c@company.dom") == []
    assert len(remote.messages) == 1


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_a_refused_sender_is_everybody_s_answer(
    tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    world = make(tmp_path)
    remote = world.host("company.dom", "11.0.0.1", extensions=extensions, mail="553 not you")
    to_many(world, "a", "b")
    assert only(world, "a@company.dom").diagnostic == "smtp; 553 not you"
    assert only(world, "b@company.dom").diagnostic == "smtp; 553 not you"
    assert (remote.messages, "DATA" in remote.lines) == ([], False)


def test_a_hundred_replies_at_once(tmp_path: Path) -> None:
    world = make(tmp_path)
    remote = world.host("company.dom", "11.0.0.1", extensions=("PIPELINING",))
    to_many(world, *(f"u{number}" for number in range(100)))
    assert len(remote.messages) == 1
    assert only(world, "u99@company.dom").result is Result.RELAYED

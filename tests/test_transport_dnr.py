"""The Domain Name Resolver: questions, retries, truncation, aliases, forgeries, rest."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_world import FakeClock, FakeLog, FakeSettings
from twisted.internet import error as errors
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import StringTransport
from twisted.names import dns

from reference.kernel.work import Work
from reference.transport.dnr import DNR, DNSFailure, NoData, NoSuchName
from reference.transport.patience import Busy, OutOfTime, Patience

SETTINGS = {
    ("DNR", "ConcurrentRequests"): 10,
    ("DNR", "InitialTimeout"): 5.0,
    ("DNR", "RetryLimit"): 2,
    ("DNR", "Servers"): [],
}


class Port:
    def __init__(self) -> None:
        self.open = True

    def stopListening(self) -> None:
        self.open = False


class Asked:
    """A question on its way, and the way back."""

    def __init__(self, protocol: Any, octets: bytes, server: tuple[str, int]) -> None:
        self.protocol = protocol
        self.server = server
        self.query = dns.Message()
        self.query.fromStr(octets)

    @property
    def question(self) -> str:
        (asked,) = self.query.queries
        return f"{dns.QUERY_TYPES[asked.type]} {asked.name.name.decode()}"

    def reply(
        self, *records: tuple[str, Any], code: int = 0, truncated: bool = False
    ) -> dns.Message:
        answer = dns.Message(self.query.id, answer=1, recDes=1, rCode=code, trunc=truncated)
        answer.queries = self.query.queries
        for name, payload in records:
            answer.answers.append(
                dns.RRHeader(name.encode(), type=payload.TYPE, payload=payload, ttl=60)
            )
        return answer

    def answer(self, *records: tuple[str, Any], code: int = 0, truncated: bool = False) -> None:
        self.send(self.reply(*records, code=code, truncated=truncated))

    def send(self, message: dns.Message, source: tuple[str, int] | None = None) -> None:
        self.protocol.datagramReceived(message.toStr(), source or self.server)


class DNSWorld:
    """A resolver whose questions end up in ``asked``."""

    def __init__(self, **more: Any) -> None:
        self.clock = FakeClock()
        self.work = Work()
        self.log = FakeLog()
        self.asked: list[Asked] = []
        self.ports: list[Port] = []
        self.dns_servers: list[tuple[str, int]] = [("10.0.0.53", 1053)]
        self.streams: list[tuple[str, int]] = []
        self.stream: StringTransport | None = None
        self.protocol: Any = None
        values = {**SETTINGS, **{("DNR", key): value for key, value in more.items()}}
        self.dnr = DNR(
            network=self,
            patience=Patience(clock=self.clock, work=self.work),
            settings=FakeSettings(more=values),
            log=self.log,
        )

    def udp(self, protocol: Any, /) -> Port:
        world = self

        class Transport:
            def write(self, octets: bytes, server: tuple[str, int]) -> None:
                world.asked.append(Asked(protocol, octets, server))

        protocol.transport = Transport()
        self.ports.append(Port())
        return self.ports[-1]

    def connect(self, factory: Any, host: str, port: int, *, timeout: float) -> Deferred[Any]:
        self.streams.append((host, port))
        if self.stream is None:
            return fail(errors.ConnectionRefusedError())
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.stream)
        return succeed(self.protocol)

    def ask(self, coroutine: Coroutine[Any, Any, Any]) -> list[Any]:
        got: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(
            lambda result: got.append(getattr(result, "value", result))
        )
        return got


@pytest.fixture
def world() -> DNSWorld:
    return DNSWorld()


def a(ip: str) -> Any:
    return dns.Record_A(ip)


def test_an_address(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("Mail.Company.com."))
    (asked,) = world.asked
    assert asked.question == "A mail.company.com"
    assert asked.server == ("10.0.0.53", 1053)
    assert asked.query.recDes
    assert world.work.tasks == 0
    assert dict(world.work.waits) == {"dns:A mail.company.com": 1}
    asked.answer(("mail.company.com", a("11.0.0.1")), ("mail.company.com", a("11.0.0.2")))
    assert got == [["11.0.0.1", "11.0.0.2"]]
    assert not world.work.waits
    assert not world.ports[0].open
    assert world.clock.getDelayedCalls() == []
    assert world.log.has("DNR", "A Mail.Company.com.: 2 record(s)")


def test_relays_come_in_the_order_of_preference(world: DNSWorld) -> None:
    got = world.ask(world.dnr.mx("company.com"))
    world.asked[0].answer(
        ("company.com", dns.Record_MX(20, b"B.company.com")),
        ("company.com", dns.Record_MX(10, b"a.company.com")),
        ("company.com", dns.Record_MX(20, b"c.company.com")),
    )
    assert got == [[(10, "a.company.com"), (20, "b.company.com"), (20, "c.company.com")]]


def test_names_of_an_address(world: DNSWorld) -> None:
    got = world.ask(world.dnr.ptr("11.22.33.44"))
    assert world.asked[0].question == "PTR 44.33.22.11.in-addr.arpa"
    world.asked[0].answer(("44.33.22.11.in-addr.arpa", dns.Record_PTR(b"host.company.com")))
    assert got == [["host.company.com"]]


def test_texts(world: DNSWorld) -> None:
    got = world.ask(world.dnr.txt("company.com"))
    world.asked[0].answer(("company.com", dns.Record_TXT(b"one ", b"text")))
    assert got == [["one text"]]


def test_a_name_that_does_not_exist(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("nosuch.com"))
    world.asked[0].answer(code=dns.ENAME)
    assert isinstance(got[0], NoSuchName)
    assert len(world.asked) == 1
    assert world.log.has("DNR", "A nosuch.com: nosuch.com does not exist")


def test_a_name_without_such_records(world: DNSWorld) -> None:
    got = world.ask(world.dnr.mx("company.com"))
    world.asked[0].answer()
    assert isinstance(got[0], NoData)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64 + ".com", "grün.com", "a b.com", "a.\n"]
)
def test_what_is_no_name_is_not_asked(world: DNSWorld, name: str) -> None:
    got = world.ask(world.dnr.a(name))
    assert isinstance(got[0], NoSuchName)
    assert world.asked == []


def test_waiting_times_grow_and_servers_change() -> None:
    world = DNSWorld()
    world.dns_servers = [("10.0.0.53", 53), ("10.0.0.54", 53)]
    start = world.clock.time()
    got = world.ask(world.dnr.a("company.com"))
    times = []
    while not got:
        if len(times) < len(world.asked):
            times.append(world.clock.time() - start)
        world.clock.advance(0.5)
    assert times == [0, 5, 15]
    assert world.clock.time() - start == 30
    assert [asked.server[0] for asked in world.asked] == ["10.0.0.53", "10.0.0.54", "10.0.0.53"]
    assert isinstance(got[0], DNSFailure)
    assert not world.work.waits


@given(st.integers(0, 6), st.floats(0.5, 20), st.integers(1, 4))
def test_the_retry_rule(limit: int, initial: float, servers: int) -> None:
    world = DNSWorld(RetryLimit=limit, InitialTimeout=initial)
    world.dns_servers = [(f"10.0.0.{n}", 53) for n in range(servers)]
    start = world.clock.time()
    got = world.ask(world.dnr.a("company.com"))
    moments = [0.0]
    for attempt in range(1, limit + 2):
        assert len(world.asked) == attempt
        assert world.asked[-1].server[0] == f"10.0.0.{(attempt - 1) % servers}"
        assert not got
        world.clock.advance(attempt * initial + 1e-6)
        moments.append(world.clock.time() - start)
    assert isinstance(got[0], DNSFailure)
    assert moments[-1] == pytest.approx(initial * (limit + 1) * (limit + 2) / 2, abs=1e-3)


def test_custom_servers_take_the_place_of_the_system_s() -> None:
    world = DNSWorld(Servers=["209.1.58.247", "206.40.74.1"])
    world.ask(world.dnr.a("company.com"))
    world.clock.advance(5)
    assert [asked.server for asked in world.asked] == [
        ("209.1.58.247", 1053),
        ("206.40.74.1", 1053),
    ]


@pytest.mark.parametrize("code", [dns.ESERVER, dns.EREFUSED, dns.ENOTIMP, dns.EFORMAT, 9])
def test_a_server_that_cannot_answer_is_passed_over(code: int) -> None:
    world = DNSWorld()
    world.dns_servers = [("10.0.0.53", 53), ("10.0.0.54", 53)]
    got = world.ask(world.dnr.a("company.com"))
    world.asked[0].answer(code=code)
    assert [asked.server[0] for asked in world.asked] == ["10.0.0.53", "10.0.0.54"]
    world.asked[1].answer(("company.com", a("11.0.0.1")))
    assert got == [["11.0.0.1"]]


@pytest.mark.parametrize(("quick", "times"), [(True, [0, 5]), (False, [0, 5, 15, 30, 50, 75])])
def test_quick_questions_give_up_soon(quick: bool, times: list[int]) -> None:
    world = DNSWorld(RetryLimit=5, InitialTimeout=5.0)
    got = world.ask(world.dnr.a("78.56.34.10.rbl.test", quick=quick))
    asked = []
    for second in range(200):
        asked += [second] * (len(world.asked) - len(asked))
        if got:
            break
        world.clock.advance(1)
    assert asked == times
    assert isinstance(got[0], DNSFailure)
    assert second == (10 if quick else 105)


def test_quick_questions_count_broken_servers(world: DNSWorld) -> None:
    world.dns_servers = [("10.0.0.53", 53), ("10.0.0.54", 53), ("10.0.0.55", 53)]
    got = world.ask(world.dnr.a("78.56.34.10.rbl.test", quick=True))
    world.asked[0].answer(code=dns.ESERVER)
    world.clock.advance(5)
    assert len(world.asked) == 2
    assert isinstance(got[0], DNSFailure)


def test_when_no_server_can_answer(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("company.com"))
    world.asked[0].answer(code=dns.ESERVER)
    assert isinstance(got[0], DNSFailure)
    assert "server failure" in str(got[0])
    assert len(world.asked) == 1


def test_forged_and_damaged_answers_do_not_count(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("company.com"))
    (asked,) = world.asked
    good = asked.reply(("company.com", a("6.6.6.6")))
    asked.send(good, ("10.0.0.99", 1053))
    asked.send(good, ("10.0.0.53", 53))
    wrong = asked.reply(("company.com", a("6.6.6.6")))
    wrong.id ^= 1
    asked.send(wrong)
    other = asked.reply(("company.com", a("6.6.6.6")))
    other.queries = [dns.Query(b"other.com", dns.A, dns.IN)]
    asked.send(other)
    question = asked.reply(("company.com", a("6.6.6.6")))
    question.answer = 0
    asked.send(question)
    asked.protocol.datagramReceived(b"\x00" * 5, asked.server)
    asked.protocol.datagramReceived(good.toStr()[:-3], asked.server)
    assert got == []
    asked.answer(("company.com", a("11.0.0.1")))
    assert got == [["11.0.0.1"]]
    asked.answer(("company.com", a("6.6.6.6")))


def test_questions_are_numbered_at_random() -> None:
    world = DNSWorld(ConcurrentRequests=100)
    for number in range(50):
        world.ask(world.dnr.a(f"h{number}.com"))
    assert len({asked.query.id for asked in world.asked}) > 45


# Aliases ---------------------------------------------------------------------------------------


def cname(target: str) -> Any:
    return dns.Record_CNAME(target.encode())


def test_an_alias_within_an_answer(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("www.company.com"))
    world.asked[0].answer(
        ("www.company.com", cname("host.company.com")), ("host.company.com", a("11.0.0.1"))
    )
    assert got == [["11.0.0.1"]]


def test_an_alias_that_must_be_asked_for(world: DNSWorld) -> None:
    got = world.ask(world.dnr.mx("www.company.com"))
    world.asked[0].answer(("www.company.com", cname("company.com")))
    assert world.asked[1].question == "MX company.com"
    world.asked[1].answer()
    assert isinstance(got[0], NoData)


def test_aliases_in_a_circle(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("a.com"))
    world.asked[0].answer(("a.com", cname("b.com")), ("b.com", cname("a.com")))
    assert isinstance(got[0], DNSFailure)


def test_aliases_in_a_circle_over_several_answers(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("a.com"))
    while not got:
        name = world.asked[-1].question.removeprefix("A ")
        world.asked[-1].answer((name, cname("b.com" if name == "a.com" else "a.com")))
    assert isinstance(got[0], DNSFailure)
    assert len(world.asked) <= 10


def test_records_of_other_names_do_not_count(world: DNSWorld) -> None:
    got = world.ask(world.dnr.a("company.com"))
    world.asked[0].answer(("evil.com", a("6.6.6.6")))
    assert isinstance(got[0], NoData)


# TCP -------------------------------------------------------------------------------------------


def test_a_truncated_answer_is_asked_for_over_tcp(world: DNSWorld) -> None:
    world.stream = StringTransport()
    got = world.ask(world.dnr.a("company.com"))
    world.asked[0].answer(truncated=True)
    assert world.streams == [("10.0.0.53", 53)]
    octets = world.stream.value()
    assert int.from_bytes(octets[:2], "big") == len(octets) - 2
    asked = Asked(None, octets[2:], ("", 0))
    reply = asked.reply(("company.com", a("11.0.0.1"))).toStr()
    reply = len(reply).to_bytes(2, "big") + reply
    for octet in range(len(reply)):
        assert got == []
        assert dict(world.work.waits) == {"dns:A company.com": 1}
        world.protocol.dataReceived(reply[octet : octet + 1])
    assert got == [["11.0.0.1"]]
    assert world.stream.disconnecting


@pytest.mark.parametrize("trouble", ["refused", "closed", "garbage", "silent"])
def test_tcp_trouble_counts_as_silence(world: DNSWorld, trouble: str) -> None:
    world.stream = None if trouble == "refused" else StringTransport()
    got = world.ask(world.dnr.a("company.com"))
    world.asked[0].answer(truncated=True)
    if trouble == "closed":
        world.protocol.connectionLost(None)
    elif trouble == "garbage":
        world.protocol.dataReceived(b"\x00\x05hello")
    elif trouble == "silent":
        world.clock.advance(5)
    assert len(world.asked) == 2
    world.asked[1].answer(("company.com", a("11.0.0.1")))
    assert got == [["11.0.0.1"]]


# Turns and rest --------------------------------------------------------------------------------


def test_concurrent_requests_are_limited() -> None:
    world = DNSWorld(ConcurrentRequests=2)
    got = [world.ask(world.dnr.a(f"h{number}.com")) for number in range(4)]
    assert len(world.asked) == 2
    world.asked[0].answer(("h0.com", a("11.0.0.1")))
    assert got[0] == [["11.0.0.1"]]
    assert len(world.asked) == 3
    world.asked[2].answer(("h2.com", a("11.0.0.3")))
    world.asked[1].answer(code=dns.ENAME)
    assert len(world.asked) == 4
    world.asked[3].answer(("h3.com", a("11.0.0.4")))
    assert got[3] == [["11.0.0.4"]]
    assert not world.work.waits


def test_there_is_no_gap_between_an_answer_and_what_follows(world: DNSWorld) -> None:
    moments: list[dict[str, int]] = []
    world.work.on_quiet = lambda: moments.append(dict(world.work.waits))
    busy = Busy(work=world.work)

    async def lookup() -> None:
        await busy.aside(world.dnr.mx("company.com"))
        await busy.aside(world.dnr.a("mail.company.com"))
        busy.done()

    world.ask(lookup())
    assert moments == [{"dns:MX company.com": 1}]
    world.asked[0].answer(("company.com", dns.Record_MX(1, b"mail.company.com")))
    assert moments == [{"dns:MX company.com": 1}, {"dns:A mail.company.com": 1}]
    world.asked[1].answer(("mail.company.com", a("11.0.0.1")))
    assert moments[2:] == [{}]


def test_patience_ends_in_time(world: DNSWorld) -> None:
    patience = Patience(clock=world.clock, work=world.work)
    never: Deferred[None] = Deferred()
    got = world.ask(patience.within(3, "somebody", never))
    world.clock.advance(2.9)
    assert got == []
    world.clock.advance(0.1)
    assert isinstance(got[0], OutOfTime)
    assert not world.work.waits

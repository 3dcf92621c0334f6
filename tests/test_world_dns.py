"""The fake DNS: zones, answers, each fault over real sockets, and the journal."""

from __future__ import annotations

import asyncio

import pytest
from dnslib.dns import QTYPE, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st
from world_kit import SERVER, ask_tcp, ask_udp, world

from conformance.scenario.model import Given
from conformance.world.dns.replies import parse_faults
from conformance.world.dns.zone import Existence, Zone, ZoneError, parse_zone

ZONE = """
company.com        MX 10 relay.company.com.   ; the documents' own company
company.com. 300   MX 20 backup.company.com
relay.company.com  1h IN A 11.22.33.44
relay.company.com  AAAA 2001:db8::1
www.company.com    CNAME relay.company.com
*.wild.com         A 10.1.1.1
real.wild.com      A 10.1.1.2
*.deep.wild.com    CNAME www.company.com
44.33.22.11.in-addr.arpa PTR relay.company.com
10.34.56.78        PTR dialup.example
_smtp._tcp.company.com SRV 0 5 25 relay.company.com
text.com           TXT "v=spf1 -all; no" word
own.com            SOA ns.own.com admin.own.com 7 1d 2h 4w 5m
own.com            NS ns.own.com
null.com           MX 0 .
"""


def _values(reply: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in reply.rr]


def _asked(name: str, kind: str) -> tuple[Existence, list[str]]:
    answer = Zone(parse_zone(ZONE)).answer(name, kind)
    return answer.existence, [str(record.rdata) for record in answer.records]


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("company.com", "MX", ["10 relay.company.com.", "20 backup.company.com."]),
        ("COMPANY.com.", "MX", ["10 relay.company.com.", "20 backup.company.com."]),
        ("relay.company.com", "A", ["11.22.33.44"]),
        ("relay.company.com", "AAAA", ["2001:db8::1"]),
        ("www.company.com", "A", ["relay.company.com.", "11.22.33.44"]),
        ("www.company.com", "CNAME", ["relay.company.com."]),
        ("any.thing.wild.com", "A", ["10.1.1.1"]),
        ("real.wild.com", "A", ["10.1.1.2"]),
        ("x.deep.wild.com", "A", ["www.company.com.", "relay.company.com.", "11.22.33.44"]),
        ("44.33.22.11.in-addr.arpa", "PTR", ["relay.company.com."]),
        ("78.56.34.10.in-addr.arpa", "PTR", ["dialup.example."]),
        ("_smtp._tcp.company.com", "SRV", ["0 5 25 relay.company.com."]),
        ("text.com", "TXT", ['"v=spf1 -all; no","word"']),
        ("own.com", "NS", ["ns.own.com."]),
        ("null.com", "MX", ["0 ."]),
    ],
)
def test_records_are_answered(name: str, kind: str, values: list[str]) -> None:
    assert _asked(name, kind) == (Existence.NAME_AND_RECORD, values)


@pytest.mark.parametrize(
    ("name", "kind", "existence"),
    [
        ("company.com", "A", Existence.NO_RECORD),
        ("_tcp.company.com", "A", Existence.NO_RECORD),
        ("com", "MX", Existence.NO_RECORD),
        ("below.real.wild.com", "A", Existence.NO_NAME),
        ("nowhere.company.com", "A", Existence.NO_NAME),
        ("elsewhere.org", "MX", Existence.NO_NAME),
        ("wild.com", "A", Existence.NO_RECORD),
    ],
)
def test_an_absent_record_differs_from_an_absent_name(
    name: str, kind: str, existence: Existence
) -> None:
    assert _asked(name, kind) == (existence, [])


def test_times_of_records_are_read() -> None:
    times = {record.name: record.ttl for record in parse_zone(ZONE)}
    assert times["relay.company.com"] == 3600
    assert parse_zone("a.b 300 A 1.2.3.4")[0].ttl == 300
    assert parse_zone("a.b 2d A 1.2.3.4")[0].ttl == 172800


def test_the_authority_of_a_negative_answer_is_the_zones_own() -> None:
    zone = Zone(parse_zone(ZONE))
    assert zone.answer("nobody.own.com", "A").authority.name == "own.com"
    assert zone.answer("nobody.at.all.org", "A").authority.name == "all.org"


def test_aliases_that_lead_to_each_other_end() -> None:
    zone = Zone(parse_zone("a.com CNAME b.com\nb.com CNAME a.com\nself.com CNAME self.com"))
    assert [record.name for record in zone.answer("a.com", "A").records] == ["a.com", "b.com"]
    assert len(zone.answer("self.com", "MX").records) == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("company.com", "has no type"),
        ("company.com 300", "has no type"),
        ("company.com MXX 10 relay.com", "unknown record type MXX; did you mean MX?"),
        ("company.com HINFO pc", "unknown record type HINFO; known are A, AAAA"),
        ("company.com A 11.22.33", "11.22.33"),
        ("company.com A 11.22.33.44 5", "the data must be: address; not: 11.22.33.44 5"),
        ("company.com AAAA 11.22.33.44", "11.22.33.44"),
        ("company.com MX relay.com", "the data must be: preference host"),
        ("company.com MX ten relay.com", "the preference is no number below 65536: ten"),
        ("company.com MX 65536 relay.com", "the preference is no number"),
        ("company.com CNAME two..dots", "not a domain name: two..dots"),
        ("company..com A 1.2.3.4", "not a domain name"),
        (f"{'x' * 64}.com A 1.2.3.4", "not a domain name"),
        ("company.com TXT", "the data must be: text"),
        (f"company.com TXT {'x' * 256}", "at most 255 octets"),
        ('company.com TXT "open', "a quotation mark is not closed"),
        ("$ORIGIN company.com.", r"\$ORIGIN is not supported"),
        ("own.com SOA ns.own.com admin.own.com 7 1d 2h 4w soon", "not a time: soon"),
        ("x.com SRV 1 2 x y.com", "the port is no number"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(line: str, complaint: str) -> None:
    with pytest.raises(ZoneError, match=rf"^zone line 3: .*{complaint}") as refusal:
        parse_zone(f"good.com A 1.2.3.4\n; a remark\n{line}\n")
    assert refusal.value.line == 3


_label = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_name = st.lists(_label, min_size=1, max_size=4).map(".".join)


@given(_name, st.integers(0, 2**31 - 1), st.integers(0, 65535), _name)
def test_a_printed_record_reads_back(owner: str, ttl: int, preference: int, host: str) -> None:
    (record,) = parse_zone(f"{owner} {ttl} MX {preference} {host}")
    (again,) = parse_zone(str(record))
    assert (again.name, again.ttl, str(again)) == (owner, ttl, str(record))
    assert record.rdata == again.rdata


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    lines = text.count("\n") + 1
    refused = 0
    try:
        records = parse_zone(text)
    except ZoneError as error:
        records, refused = [], error.line
    assert refused <= lines
    assert len(records) <= lines


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'slowly' of a\.com; known are servfail, refused"):
        parse_faults({"a.com": "slowly"})


def test_answers_come_over_udp_and_tcp_and_are_in_the_journal() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE)) as built:
            over_udp = await ask_udp(built, "Company.COM", "MX")
            first, second = await ask_tcp(built, [("company.com", "MX"), ("nowhere.org", "A")])
            assert _values(over_udp) == _values(first)
            # The asker's spelling comes back, for those who check it.
            assert str(over_udp.rr[0].rname) == "Company.COM."
            assert over_udp.header.aa
            assert second.header.rcode == RCODE.NXDOMAIN
            assert QTYPE[second.auth[0].rtype] == "SOA"
            assert [(str(each), each.source, each.transport) for each in built.dns.journal] == [
                ("MX company.com", SERVER, "udp"),
                ("MX company.com", built.dns.journal[1].source, "tcp"),
                ("A nowhere.org", built.dns.journal[1].source, "tcp"),
            ]
            assert built.dns.asked("MX company.com") == 2
            assert built.dns.asked("* company.com.") == 2
            assert built.dns.asked("MX *") == 2
            assert built.dns.asked("nowhere.org") == 1
            assert built.dns.asked("AAAA *") == 0

    asyncio.run(play())


def test_a_name_without_the_asked_record_is_no_error() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE)) as built:
            reply = await ask_udp(built, "company.com", "A")
            assert reply.header.rcode == RCODE.NOERROR
            assert reply.rr == []
            assert QTYPE[reply.auth[0].rtype] == "SOA"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("fault", "rcode"), [("servfail", RCODE.SERVFAIL), ("refused", RCODE.REFUSED)]
)
def test_a_fault_answers_with_its_code(fault: str, rcode: int) -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE, dns_faults={"company.com": fault})) as built:
            assert (await ask_udp(built, "company.com", "MX")).header.rcode == rcode
            (over_tcp,) = await ask_tcp(built, [("company.com", "A")])
            assert over_tcp.header.rcode == rcode
            other = await ask_udp(built, "relay.company.com", "A")
            assert other.header.rcode == RCODE.NOERROR

    asyncio.run(play())


def test_a_fault_may_belong_to_one_type() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE, dns_faults={"A relay.company.com": "refused"})) as built:
            assert (await ask_udp(built, "relay.company.com", "A")).header.rcode == RCODE.REFUSED
            assert (await ask_udp(built, "relay.company.com", "AAAA")).header.rcode == 0

    asyncio.run(play())


def test_a_truncated_answer_is_whole_over_tcp() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE, dns_faults={"company.com": "truncate"})) as built:
            cut = await ask_udp(built, "company.com", "MX")
            assert cut.header.tc == 1
            assert cut.rr == []
            (whole,) = await ask_tcp(built, [("company.com", "MX")])
            assert whole.header.tc == 0
            assert len(whole.rr) == 2

    asyncio.run(play())


def test_an_answer_too_long_for_udp_is_truncated() -> None:
    zone = "\n".join(f"big.com A 10.0.{number // 256}.{number % 256}" for number in range(60))

    async def play() -> None:
        async with world(Given(zone=zone)) as built:
            assert (await ask_udp(built, "big.com", "A")).header.tc == 1
            (whole,) = await ask_tcp(built, [("big.com", "A")])
            assert len(whole.rr) == 60

    asyncio.run(play())


def test_a_loop_of_aliases_is_answered() -> None:
    async def play() -> None:
        async with world(Given(dns_faults={"round.com": "loop"})) as built:
            reply = await ask_udp(built, "round.com", "MX")
            assert [(str(record.rname), str(record.rdata)) for record in reply.rr] == [
                ("round.com.", "loop.round.com."),
                ("loop.round.com.", "round.com."),
            ]

    asyncio.run(play())


def test_a_question_without_an_answer_holds_the_server_until_one_comes() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE, dns_faults={"company.com": "timeout"})) as built:
            held = asyncio.Event()
            built.on_change = held.set
            assert not built.held("dns:MX company.com")
            asking = asyncio.ensure_future(ask_udp(built, "company.com", "MX"))
            await asyncio.wait_for(held.wait(), 5)
            assert built.held("dns:MX company.com")
            assert built.held("dns:mx COMPANY.COM.")
            assert not built.held("dns:A company.com")
            built.update_zone("company.com MX 5 other.com")
            again = await ask_udp(built, "company.com", "MX")
            assert _values(again) == ["5 other.com."]
            assert not built.held("dns:MX company.com")
            assert not asking.done()
            asking.cancel()

    asyncio.run(play())


def test_a_slow_answer_comes_after_quicker_ones() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE, dns_faults={"company.com": "slow"})) as built:
            order: list[str] = []

            async def ask(name: str) -> None:
                await ask_udp(built, name, "A")
                order.append(name)

            await asyncio.gather(ask("company.com"), ask("relay.company.com"))
            assert order == ["relay.company.com", "company.com"]

    asyncio.run(play())


def test_an_update_replaces_the_names_it_mentions_and_no_others() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE)) as built:
            built.update_zone("company.com A 10.9.9.9")
            assert _values(await ask_udp(built, "company.com", "A")) == ["10.9.9.9"]
            assert _values(await ask_udp(built, "company.com", "MX")) == []
            assert _values(await ask_udp(built, "relay.company.com", "A")) == ["11.22.33.44"]
            with pytest.raises(ZoneError):
                built.update_zone("company.com A nonsense")
            assert _values(await ask_udp(built, "company.com", "A")) == ["10.9.9.9"]

    asyncio.run(play())


def test_what_is_no_query_is_noted_and_left_alone() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE)) as built:
            reply = await ask_udp(built, "relay.company.com", "A", spoil=b"no DNS at all")
            assert _values(reply) == ["11.22.33.44"]
            assert len(built.dns.journal) == 1
            assert any("sent no DNS query" in line.text for line in built.transcript.lines)

    asyncio.run(play())


def test_questions_and_answers_are_in_the_transcript() -> None:
    async def play() -> None:
        async with world(Given(zone=ZONE)) as built:
            await ask_udp(built, "www.company.com", "A")
            await ask_udp(built, "nowhere.com", "A")
            lines = [(line.arrow, line.text) for line in built.transcript.lines]
            assert lines[0] == ("<", f"A www.company.com (udp, {SERVER})")
            assert "relay.company.com 3600 A 11.22.33.44" in lines[1][1]
            assert lines[3] == (">", "A nowhere.com: NXDOMAIN")

    asyncio.run(play())

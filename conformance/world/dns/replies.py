"""From a DNS query to its reply, in octets: faults, sizes and truncation, without I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from dnslib.dns import CNAME, QTYPE, RCODE, RR, DNSError, DNSHeader, DNSQuestion, DNSRecord

from conformance.world.dns.zone import Answer, Existence, Record, Zone, label_of, normal_name

_PLAIN_UDP_OCTETS = 512
"""RFC 1035 2.3.4, without EDNS."""


class Fault(enum.Enum):
    """A named pathology of a name (docs/scenarios.md, given, dns faults)."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    """Never answer."""
    TRUNCATE = "truncate"
    """Answer over UDP with nothing but the truncation flag; over TCP in full."""
    LOOP = "loop"
    """Answer with two CNAMEs that lead to each other."""
    SLOW = "slow"
    """Answer, but not at once."""


def parse_faults(faults: Mapping[str, str]) -> dict[str, Fault]:
    """Read ``name → fault``; a key may also be ``TYPE name``. Raises ValueError."""
    known = {fault.value: fault for fault in Fault}
    for name, fault in faults.items():
        if fault not in known:
            raise ValueError(f"unknown DNS fault {fault!r} of {name}; known are {', '.join(known)}")
    return {_fault_key(name): known[fault] for name, fault in faults.items()}


def _fault_key(text: str) -> str:
    kind, _, name = text.rpartition(" ")
    return f"{kind.upper()} {normal_name(name)}".lstrip()


class Query:
    """One query that came in."""

    def __init__(self, octets: bytes) -> None:
        """Parse a message. Raises DNSError when it is no query with one question."""
        self.record: DNSRecord = DNSRecord.parse(octets)
        if self.record.header.qr or len(self.record.questions) != 1:
            raise DNSError("not a query with one question")
        question: DNSQuestion = self.record.questions[0]
        #: As asked, without the last dot; the answer repeats it in this form.
        self.name_as_asked = b".".join(question.qname.label).decode("latin-1")
        self.name = normal_name(self.name_as_asked)
        self.type: str = QTYPE.get(question.qtype) or f"TYPE{question.qtype}"

    def udp_limit(self) -> int:
        """Return how many octets the asker takes over UDP (RFC 6891)."""
        for record in self.record.ar:
            if record.rtype == QTYPE.OPT:
                return max(_PLAIN_UDP_OCTETS, int(record.edns_len))
        return _PLAIN_UDP_OCTETS

    def fault(self, faults: Mapping[str, Fault]) -> Fault | None:
        """Return the fault that this question meets."""
        return faults.get(f"{self.type} {self.name}") or faults.get(self.name)


def reply_to(query: Query, zone: Zone, fault: Fault | None, *, tcp: bool) -> tuple[bytes, str]:
    """Return the reply's octets and what it says, for the transcript.

    ``Fault.TIMEOUT`` and ``Fault.SLOW`` are not this function's: they are about when, not what.
    """
    if fault is Fault.SERVFAIL:
        return _empty(query, rcode=RCODE.SERVFAIL), "SERVFAIL"
    if fault is Fault.REFUSED:
        return _empty(query, rcode=RCODE.REFUSED), "REFUSED"
    if fault is Fault.TRUNCATE and not tcp:
        return _empty(query, tc=1), "truncated"
    answer = _loop(query, zone) if fault is Fault.LOOP else zone.answer(query.name, query.type)
    octets = _packed(query, answer)
    if not tcp and len(octets) > query.udp_limit():
        return _empty(query, tc=1), f"truncated, for {len(octets)} octets are too many"
    return octets, _described(answer)


def _header(query: Query, **flags: int) -> DNSHeader:
    asked = query.record.header
    return DNSHeader(id=asked.id, qr=1, aa=1, ra=1, rd=asked.rd, **flags)


def _empty(query: Query, **flags: int) -> bytes:
    reply = DNSRecord(_header(query, **flags), questions=query.record.questions)
    return bytes(reply.pack())


def _loop(query: Query, zone: Zone) -> Answer:
    other = f"loop.{query.name}"
    there = Record(query.name, "CNAME", 60, CNAME(label_of(other)))
    back = Record(other, "CNAME", 60, CNAME(label_of(query.name)))
    authority = zone.answer(query.name, query.type).authority
    return Answer(Existence.NAME_AND_RECORD, (there, back), authority)


def _packed(query: Query, answer: Answer) -> bytes:
    missing = answer.existence is Existence.NO_NAME
    reply = DNSRecord(
        _header(query, rcode=RCODE.NXDOMAIN if missing else RCODE.NOERROR),
        questions=query.record.questions,
    )
    for record in answer.records:
        # The asker's own spelling of the name comes back (draft-vixie-dnsext-dns0x20).
        owner = query.name_as_asked if record.name == query.name else record.name
        reply.add_answer(_wire(record, owner))
    if answer.existence is not Existence.NAME_AND_RECORD:
        reply.add_auth(_wire(answer.authority, answer.authority.name))
    return bytes(reply.pack())


def _wire(record: Record, owner: str) -> RR:
    kind = getattr(QTYPE, record.type)
    return RR(label_of(owner), kind, ttl=record.ttl, rdata=record.rdata)


def _described(answer: Answer) -> str:
    records = "; ".join(str(record) for record in answer.records)
    if answer.existence is Existence.NAME_AND_RECORD:
        return records
    missing = "NXDOMAIN" if answer.existence is Existence.NO_NAME else "no such record"
    return f"{records}; {missing}" if records else missing

"""Address lists and ranges: whose mail is taken, and whose is relayed.

Guide 3.5.2, Protection: Specifying Client IP Addresses; Specifying Offender Addresses; Un-listing
Addresses. A line is an address or a range (both ends belong to it), perhaps with a comment; a line
that begins with a semicolon is a comment. A client is on no black list; a white hole is not either;
who is on one is refused with 591; only clients relay.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.generate.family import Draft, Family

#: The addresses of a case lie in 10.34.50.0 … 10.34.52.255.
_FIRST, _LAST = 50 << 8, (53 << 8) - 1
_MOST_PROBES = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list."""

    start: int
    end: int
    ranged: bool = False
    """Written as a range; a range may hold one address."""
    comment: str = ""
    disabled: bool = False
    """A comment line: nothing of it counts."""
    padded: bool = False
    """Written like the guide's 10.34.50.01."""

    def text(self) -> str:
        """Return the line as an administrator writes it."""
        text = dotted(self.start, padded=self.padded)
        if self.ranged:
            text += f"-{dotted(self.end, padded=self.padded)}"
        if self.comment:
            text += f" ; {self.comment}"
        return f";{text}" if self.disabled else text

    def holds(self, number: int) -> bool:
        """Tell whether an address is meant."""
        return not self.disabled and self.start <= number <= self.end


@dataclass(frozen=True, slots=True)
class Case:
    """Three lists, and addresses to try."""

    clients: tuple[Line, ...]
    blacklisted: tuple[Line, ...]
    white_holes: tuple[Line, ...]
    probes: tuple[int, ...]


def dotted(number: int, *, padded: bool = False) -> str:
    """Return the address 10.34.x.y, the last number with two digits at least if it is padded."""
    last = number & 255
    return f"10.34.{number >> 8}.{last:02}" if padded else f"10.34.{number >> 8}.{last}"


def refusals(case: Case, number: int) -> dict[str, str]:
    """Return the refusals that a message from an address meets, by recipient: the model."""
    if any(line.holds(number) for line in case.clients):
        return {}
    white = any(line.holds(number) for line in case.white_holes)
    black = not white and any(line.holds(number) for line in case.blacklisted)
    code = "591" if black else "5*"
    refused = {"user@foreign.dom": code}
    return {"john@mycompany.com": code, **refused} if black else refused


_NUMBERS = st.integers(_FIRST, _LAST)
_COMMENTS = st.sampled_from(("", "our LAN", "10.34.50.1", "a-b; c"))


@st.composite
def _lines(draw: st.DrawFn) -> Line:
    ranged = draw(st.booleans())
    ends = sorted((draw(_NUMBERS), draw(_NUMBERS))) if ranged else [draw(_NUMBERS)] * 2
    return Line(
        start=ends[0],
        end=ends[1],
        ranged=ranged,
        comment=draw(_COMMENTS),
        disabled=draw(st.integers(0, 4)) == 4,
        padded=draw(st.booleans()),
    )


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    few = st.lists(_lines(), max_size=3).map(tuple)
    lists = draw(few), draw(few), draw(few)
    edges = {
        min(max(number, _FIRST), _LAST)
        for lines in lists
        for line in lines
        for number in (line.start - 1, line.start, line.end, line.end + 1)
    }
    inside = st.sampled_from(sorted(edges)) | _NUMBERS if edges else _NUMBERS
    probes = draw(st.lists(inside, min_size=1, max_size=_MOST_PROBES, unique=True))
    return Case(*lists, tuple(probes))


def _draft(case: Case) -> Draft:
    steps = []
    for number in case.probes:
        mail = {"source": dotted(number), "to": ["john@mycompany.com", "user@foreign.dom"]}
        refused = refusals(case, number)
        steps.append({"mail": {**mail, "refused": refused} if refused else mail})
    return Draft(
        title="Who is in a list of addresses, and in how many",
        given={
            "domains": {"mycompany.com": {"accounts": ["john"]}},
            "clients": [line.text() for line in case.clients],
            "blacklisted": [line.text() for line in case.blacklisted],
            "white holes": [line.text() for line in case.white_holes],
            "settings": {"SMTP": {"Relay to non-Clients": "if received from Clients"}},
            "peers": {"foreign.dom": "11.22.33.44"},
        },
        steps=steps,
    )


FAMILY = Family(
    name="addresses",
    about="address lists and ranges: clients, black lists, white holes",
    source="Guide 3.5.2 > Protection > Specifying Client IP Addresses",
    cases=_cases(),
    draft=_draft,
)

"""The TCP Activity Schedule: when mail may leave, over midnight and over the days of the week.

Guide 3.5.2, Dialup, TCP Activity Schedule. An element holds on its day or every day, from the first
time to the second; one that begins later than it ends goes over midnight; elements are combined.
Mail that comes in a period leaves at once, other mail when the next period begins.

To which day the part after midnight belongs is not stated, so only elements of every day go over
midnight here. Times are minutes: of a day, or of a week that begins on Monday at midnight.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import assume
from hypothesis import strategies as st

from conformance.generate.family import Draft, Family

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY, _WEEK = 1440, 10080
#: Periods begin and end at whole steps, mail comes between them.
_STEP, _BETWEEN = 10, 5


@dataclass(frozen=True, slots=True)
class Period:
    """An element of the schedule."""

    start: int
    end: int
    day: int | None = None
    """0 is Monday; None: every day."""

    def holds(self, moment: int) -> bool:
        """Tell whether mail may leave at a moment of the week."""
        day, minute = divmod(moment % _WEEK, _DAY)
        if self.day is not None and day != self.day:
            return False
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def element(self) -> dict[str, str]:
        """Return it as settings have it."""
        days = "every day" if self.day is None else _DAYS[self.day]
        return {"Day of Week": days, "When": f"{_clock(self.start)} - {_clock(self.end)}"}


@dataclass(frozen=True, slots=True)
class Case:
    """A schedule, and the moments of the week at which mail comes."""

    periods: tuple[Period, ...]
    moments: tuple[int, ...]


def leaves(case: Case, moment: int) -> int:
    """Return the moment at which mail that comes at ``moment`` leaves: the model."""
    return next(
        later
        for later in range(moment, moment + _WEEK + _DAY)
        if any(period.holds(later) for period in case.periods)
    )


@st.composite
def _periods(draw: st.DrawFn) -> Period:
    times = st.integers(0, _DAY // _STEP - 1).map(lambda number: number * _STEP)
    start, end = draw(times), draw(times)
    assume(start != end)
    day = None if start > end else draw(st.none() | st.integers(0, 6))
    return Period(start, end, day)


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    periods = draw(st.lists(_periods(), min_size=1, max_size=3))
    whole = st.integers(0, _WEEK // _STEP - 1).map(lambda number: number * _STEP + _BETWEEN)
    near = [
        ((period.day or 0) * _DAY + edge + side) % _WEEK
        for period in periods
        for edge in (period.start, period.end)
        for side in (-_BETWEEN, _BETWEEN)
    ]
    moments = draw(st.lists(st.sampled_from(near) | whole, min_size=1, max_size=3, unique=True))
    return Case(tuple(periods), tuple(moments))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _until(moment: int) -> dict[str, object]:
    day, minute = divmod(moment % _WEEK, _DAY)
    return {"wait": f"until {_DAYS[day]} {_clock(minute)}"}


def _draft(case: Case) -> Draft:
    steps: list[dict[str, object]] = []
    for number, moment in enumerate(case.moments, 1):
        recipient = f"user{number}@domain.dom"
        relayed = {"host": "domain.dom", "to": recipient}
        steps += [_until(moment), {"mail": {"to": recipient, "source": "10.1.1.1"}}]
        then = leaves(case, moment)
        if then != moment:
            steps += [_until(then - 1), {"relayed": {**relayed, "count": 0}}, _until(then)]
        steps.append({"relayed": relayed})
    return Draft(
        title="Mail leaves in the periods of the Schedule, and at their beginning",
        given={
            "domains": {"company.com": {"accounts": ["john"]}},
            "clients": ["10.1.1.1"],
            "settings": {
                # Mail that waits for a week must not be too old by then.
                "SMTP": {"Keep Trying for": "30d"},
                "Schedule": {
                    "TCP Activity Schedule": [period.element() for period in case.periods]
                },
            },
            "peers": {"domain.dom": "11.22.33.44"},
        },
        steps=steps,
        requires=("schedule",),
    )


FAMILY = Family(
    name="windows",
    about="periods of the TCP Activity Schedule, over midnight too",
    source="Guide 3.5.2 > Dialup > TCP Activity Schedule",
    cases=_cases(),
    draft=_draft,
)

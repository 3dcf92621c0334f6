"""The arithmetic of retries: when the server tries, warns and gives up.

Guide 3.5.2, SMTP Module, Configuring the SMTP module: Retry Every, then Every … After, Keep Trying,
Send Warnings After. An attempt that fails is repeated after the first interval, once the message
has spent the time After in the queue after the second one; what cannot be delivered within the time
for which the server keeps trying is returned; one warning is sent when the given time has passed.
All times are minutes.

Where two moments of a case would be too near to be told apart, or the documents leave the moment
open (does a server give up at once, or at its next attempt?), nothing is demanded.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.generate.family import Draft, Family, minutes

_MOST_ATTEMPTS = 12
#: Minutes between which intervals are drawn.
_STEP = 5
_FOR_EVER = 10000
#: Minutes on either side of an event at which the scenario looks.
_NEAR = 1
_NEVER = 0


@dataclass(frozen=True, slots=True)
class Case:
    """The settings, in minutes."""

    every: int
    later: int
    after: int
    keep: int
    warn: int = _NEVER


def attempts(case: Case) -> list[int]:
    """Return the ages at which the server tries, up to the first that is too late: the model."""
    moments = [0]
    while moments[-1] < case.keep:
        age = moments[-1]
        moments.append(age + (case.every if age < case.after else case.later))
    return moments


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    """Draw a case whose attempts fall on whole steps and whose other moments never do."""

    def within(span: int) -> int:
        return _STEP * draw(st.integers(0, span // _STEP - 1))

    every, later = within(120) + _STEP, within(480) + _STEP
    after = every * draw(st.integers(0, _MOST_ATTEMPTS)) + within(every) + 2
    moments = attempts(Case(every, later, after, _FOR_EVER))[: _MOST_ATTEMPTS + 1]
    last = draw(st.integers(0, len(moments) - 2))
    keep = moments[last] + within(moments[last + 1] - moments[last]) + 3
    warn = draw(st.just(_NEVER) | st.integers(0, keep // _STEP + 9).map(lambda n: n * _STEP + 4))
    return Case(every, later, after, keep, warn)


def _draft(case: Case) -> Draft:
    return Draft(
        title=(
            f"Every {minutes(case.every)}, then every {minutes(case.later)} after "
            f"{minutes(case.after)}, for {minutes(case.keep)}"
        ),
        given={
            "domains": {"mycompany.com": {"accounts": ["john"]}},
            "clients": ["10.1.1.1"],
            "settings": {
                "SMTP": {
                    "Retry Every": f"{case.every}m",
                    "then Every": f"{case.later}m",
                    "After": f"{case.after}m",
                    "Keep Trying for": f"{case.keep}m",
                    "Send Warnings After": f"{case.warn}m" if case.warn else "never",
                }
            },
            "peers": {"company.com": {"address": "11.22.33.44", "replies": {"connect": "drop"}}},
        },
        steps=_Course(case).steps(),
        note="Where the documents leave open when exactly something happens, nothing is demanded.",
    )


class _Course:
    """The steps of a case, in the order of time."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._moments = attempts(case)
        self._now = 0
        self._steps: list[dict[str, object]] = [
            {"mail": {"from": "john@mycompany.com", "to": "user@company.com", "source": "10.1.1.1"}}
        ]

    def steps(self) -> list[dict[str, object]]:
        """Return the steps."""
        case = self._case
        *tried, too_late = self._moments
        given_up = max(case.keep, too_late) + _NEAR
        looks = {moment + side for moment in tried[1:] for side in (-_NEAR, _NEAR)}
        about_reports = {case.keep - _NEAR, given_up}
        if self._warns:
            about_reports |= {case.warn - _NEAR, self._warned_by() + _NEAR}
        for moment in sorted(looks | about_reports):
            self._say("wait", minutes(moment - self._now))
            self._now = moment
            if moment < case.keep:
                done = sum(attempt <= moment for attempt in self._moments)
                self._say("connected", {"host": "company.com", "count": done})
            if moment in about_reports:
                self._look_for_reports(given_up)
        return self._steps

    @property
    def _warns(self) -> bool:
        return _NEVER < self._case.warn < self._case.keep

    def _warned_by(self) -> int:
        """Return the age by which a server has warned that does so with an attempt."""
        return min(moment for moment in self._moments if moment >= self._case.warn)

    def _look_for_reports(self, given_up: int) -> None:
        case, moment = self._case, self._now
        if moment < case.keep or moment == given_up:
            failed = int(moment == given_up)
            self._say("queued", 1 - failed)
            self._reports("failed", failed)
        if not self._warns or moment < case.warn:
            self._reports("delayed", 0)
        elif self._warned_by() < min(moment, case.keep):
            self._reports("delayed", 1)

    def _reports(self, action: str, count: int) -> None:
        self._say("bounced", {"to": "john@mycompany.com", "action": action, "count": count})

    def _say(self, key: str, value: object) -> None:
        self._steps.append({key: value})


FAMILY = Family(
    name="retries",
    about="the arithmetic of retries: two intervals, warnings, giving up",
    source="Guide 3.5.2 > SMTP Module > Configuring the SMTP module",
    cases=_cases(),
    draft=_draft,
)

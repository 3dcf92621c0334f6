"""Outcomes: what a run says about one scenario, and what became of the whole run."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Outcome(enum.Enum):
    """The verdict on one scenario."""

    PASSED = "passed"
    FAILED = "failed"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED_PASS = "unexpected pass"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"
    """The harness or the server broke; never counted as a failure of conformance."""


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One line of what went over the wire or of what the harness did."""

    channel: str
    """Connection or actor, as ``smtp from 10.34.56.78``, ``pop john``, ``relay.com``, ``dns``."""
    arrow: str
    """``>`` to the server under test, ``<`` from it, ``*`` a remark of the harness."""
    text: str
    bad: bool = False
    """True for the line that the failure is about."""
    step: int = -1
    """The index of the step under way, -1 while the world is being built."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What happened to one scenario."""

    id: str
    outcome: Outcome
    seconds: float = 0.0
    """Real time, in seconds."""
    reason: str = ""
    """Why it failed, erred, or is not applicable: one sentence."""
    step: int = -1
    """Index of the failed step."""
    position: str = ""
    """``file:line:column`` of the failed step."""
    transcript: tuple[TranscriptLine, ...] = field(default=())


#: Exit statuses of a run (design: 0 all as expected, 1 a difference, 2 the run itself broke).
EXIT_AS_EXPECTED = 0
EXIT_DIFFERENCE = 1
EXIT_BROKEN = 2

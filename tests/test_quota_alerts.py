"""Storage Quota Alerts: from the set percentage on, and not again for ten minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
from queue_world import FakeClock, FakeSettings

from reference.formats.values import UNLIMITED
from reference.kernel.quota_alerts import QuotaAlerts
from reference.storage.account import Account


@dataclass(eq=False)
class FakeAccount:
    """An account with a size and a limit."""

    used: int = 95
    limit: int = 100

    def get(self, keyword: str) -> int:
        assert keyword == "MaxAccountSize"
        return self.limit

    def storage(self) -> int:
        return self.used


class World:
    def __init__(self, percent: int = 90) -> None:
        self.clock = FakeClock()
        values: dict[tuple[str, str], Any] = {
            ("LOCAL", "AlertPercent"): percent,
            ("LOCAL", "AlertText"): "Remove\r\nsome mail",
        }
        self.alerts = QuotaAlerts(settings=FakeSettings(more=values), clock=self.clock)

    def ask(self, fake: FakeAccount) -> str:
        account = cast("Account", fake)
        due = self.alerts.wanted(account) and self.alerts.is_over(account)
        return self.alerts.text(account) if due else ""


@pytest.mark.parametrize(
    ("used", "limit", "percent", "due"),
    [
        (95, 100, 90, True),
        (90, 100, 90, True),
        (89, 100, 90, False),
        (95, UNLIMITED, 90, False),
        (95, 100, 0, False),
        (0, 0, 90, True),
    ],
)
def test_when_an_alert_is_due(used: int, limit: int, percent: int, due: bool) -> None:
    assert bool(World(percent).ask(FakeAccount(used, limit))) is due


def test_the_text_is_one_line() -> None:
    assert World().ask(FakeAccount()) == "Remove some mail"


def test_ten_minutes_of_silence_for_each_account() -> None:
    world, one, other = World(), FakeAccount(), FakeAccount()
    assert world.ask(one)
    world.clock.advance(599)
    assert not world.ask(one)
    assert world.ask(other)
    world.clock.advance(1)
    assert world.ask(one)
    assert not world.ask(other)

"""Storage Quota Alerts: whether a user who connects is to be told that the account is almost full.

Guide 3.5.2, Alerts (Storage Quota Alerts) and Local Delivery Module (Send Alerts, Alert Text). An
alert is due when the storage is limited and the set percentage of the limit is in use. A user who
has been alerted is left alone for ten minutes. Nobody is sent anything here: the access modules ask
and show the text.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakKeyDictionary

from reference.formats.values import UNLIMITED
from reference.kernel.clock import Clock
from reference.storage.account import Account

#: Seconds after an alert in which there is no other one for the account.
SILENCE = 600.0


class SettingsReader(Protocol):
    """The part of the settings that this module reads."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


class QuotaAlerts:
    """Decides about alerts; remembers who has been alerted."""

    def __init__(self, *, settings: SettingsReader, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._alerted: WeakKeyDictionary[Account, float] = WeakKeyDictionary()

    def wanted(self, account: Account) -> bool:
        """Tell, without looking at files, whether an alert can be due."""
        now = self._clock.time()
        return (
            self._settings.get("LOCAL", "AlertPercent") > 0
            and account.get("MaxAccountSize") < UNLIMITED
            and now >= self._alerted.get(account, now - SILENCE) + SILENCE
        )

    def is_over(self, account: Account) -> bool:
        """Tell whether so much is in use that the user is alerted. Raises FileError; slow."""
        percent: int = self._settings.get("LOCAL", "AlertPercent")
        limit: int = account.get("MaxAccountSize")
        return account.storage() * 100 >= limit * percent

    def text(self, account: Account) -> str:
        """Return the alert for an account that is over its quota, and begin the silence."""
        self._alerted[account] = self._clock.time()
        return " ".join(str(self._settings.get("LOCAL", "AlertText")).split())

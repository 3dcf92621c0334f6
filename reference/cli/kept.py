"""What accounts and domains keep among their settings without its being one.

Rules, RPOP records, mailbox aliases, WebUser Settings and Alerts are data with commands of their
own. They stand in the settings file of their account or domain, where a move or a backup finds
them; commands on settings neither show nor touch them.
"""

from __future__ import annotations

from collections.abc import Mapping

from reference.cli.replies import CommandError
from reference.formats.dictionary import Value
from reference.kernel.rules import RULES
from reference.storage.remote_accounts import RECORDS

__all__ = ["ALERTS", "MAILBOX_ALIASES", "RPOP", "RULES", "WEB_USER", "checked", "hidden", "shown"]

RPOP = RECORDS
MAILBOX_ALIASES = "MailboxAliases"
ALERTS = "Alerts"
WEB_USER = "WebUser"

_KEPT = frozenset({RULES, RPOP, MAILBOX_ALIASES, ALERTS, WEB_USER})


def shown(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Return the settings among what an object keeps."""
    return {keyword: value for keyword, value in settings.items() if keyword not in _KEPT}


def hidden(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Return what an object keeps besides its settings."""
    return {keyword: value for keyword, value in settings.items() if keyword in _KEPT}


def checked(changes: Mapping[str, Value]) -> dict[str, Value]:
    """Return changes to settings. Raises CommandError if they touch what is none."""
    for keyword in changes:
        if keyword in _KEPT:
            raise CommandError(f"{keyword} is not a setting; it has a command of its own")
    return dict(changes)

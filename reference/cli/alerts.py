"""Commands on Alerts: dictionaries of texts by the time they were posted.

Guide 3.5.2, Command Line Interface, Alert Administration; Alerts. The time stamp is the key, since
an Alert is removed by it. Alerts are kept; this server shows them to nobody yet.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.kept import ALERTS
from reference.cli.replies import CommandError
from reference.formats.dictionary import Value, dump, parse
from reference.storage.domain import Domain

__all__ = ["COMMANDS"]

_SERVER_FILE = "Alerts.data"
_RIGHT = "CanPostAlerts"

Alerts = dict[str, Value]
Change = Callable[[Call, Alerts], Alerts]


def _stamp(call: Call, alerts: Alerts) -> str:
    """Return a time stamp that no other Alert has: the seconds count on if need be."""
    seconds = int(call.kernel.clock.time())
    while True:
        stamp = f"{datetime.fromtimestamp(seconds, UTC):%d-%m-%Y_%H:%M:%S}"
        if stamp not in alerts:
            return stamp
        seconds += 1


def _replaced(call: Call, alerts: Alerts) -> Alerts:
    new = call.arguments.dictionary("newAlerts")
    if not all(isinstance(text, str) for text in new.values()):
        raise CommandError("an Alert is a string")
    return new


def _posted(call: Call, alerts: Alerts) -> Alerts:
    return {**alerts, _stamp(call, alerts): call.arguments.text("newAlert")}


def _removed(call: Call, alerts: Alerts) -> Alerts:
    stamp = call.arguments.text("timeStamp")
    if stamp not in alerts:
        raise CommandError(f"there is no Alert with the time stamp {stamp}")
    return {key: text for key, text in alerts.items() if key != stamp}


def _domain(call: Call) -> Domain:
    return call.domain(call.arguments.optional("domainName"), _RIGHT)


def _of_domain(domain: Domain) -> Alerts:
    alerts = domain.explicit.get(ALERTS, {})
    return alerts if isinstance(alerts, dict) else {}


def _get_domain(call: Call) -> Answer:
    return _of_domain(_domain(call))


def _in_domain(change: Change) -> Callable[[Call], Answer]:
    def run(call: Call) -> Answer:
        domain = _domain(call)
        domain.update({ALERTS: change(call, _of_domain(domain))})
        return None

    return run


def _of_server(call: Call) -> Alerts:
    text = call.kernel.settings.text(_SERVER_FILE)
    alerts = parse(text) if text.strip() else {}
    return alerts if isinstance(alerts, dict) else {}


def _in_server(change: Change) -> Callable[[Call], Answer]:
    def run(call: Call) -> Answer:
        alerts = change(call, _of_server(call))
        call.kernel.settings.set_text(_SERVER_FILE, dump(alerts, pretty=True))
        return None

    return run


_DOMAIN = Access.ADMINISTRATOR
_SYSTEM = Access.SYSTEM
_NAMED = "[domainName:string ALERT]"

COMMANDS: tuple[Command, ...] = (
    row("GetDomainAlerts", _get_domain, "[domainName:string]", access=_DOMAIN, short="gtalrt"),
    row(
        "SetDomainAlerts",
        _in_domain(_replaced),
        "[domainName:string] newAlerts:dictionary",
        access=_DOMAIN,
        short="stalrt",
    ),
    row("PostDomainAlert", _in_domain(_posted), f"{_NAMED} newAlert:string", access=_DOMAIN),
    row("RemoveDomainAlert", _in_domain(_removed), f"{_NAMED} timeStamp:string", access=_DOMAIN),
    row("GetServerAlerts", lambda call: _of_server(call), access=_SYSTEM),
    row("SetServerAlerts", _in_server(_replaced), "newAlerts:dictionary", access=_SYSTEM),
    row("PostServerAlert", _in_server(_posted), "newAlert:string", access=_SYSTEM),
    row("RemoveServerAlert", _in_server(_removed), "timeStamp:string", access=_SYSTEM),
)

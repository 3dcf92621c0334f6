"""The RPOP module: when which remote account is polled.

Guide 3.5.2, RPOP Module, and Dialup, TCP Activity Schedule. Each record is polled every so often,
first a period after it was made, or at once when the server starts. As many polls run at a time as
the Channels Limit says. When a host takes no connection, all its accounts wait for Delay Failed
Hosts; when an account fails, it waits for Delay Failed Accounts. Nothing is polled until the
Schedule allows it.

The records of accounts are looked for once, when the server starts; after that, who changes them
says so (:meth:`RemotePolling.records_changed`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred

from reference.kernel.clock import Clock, Timer
from reference.kernel.router import Router
from reference.kernel.routes import RoutingError
from reference.kernel.schedule import Activity
from reference.kernel.work import Work
from reference.queue.directory import Log
from reference.queue.options import Settings
from reference.queue.threads import Threads
from reference.storage.account import Account
from reference.storage.domains import Domains
from reference.storage.errors import StorageError
from reference.storage.remote_accounts import RECORDS, RemoteAccount, read_accounts
from reference.storage.uid_memory import UidMemory
from reference.transport.patience import Busy
from reference.transport.retry import TOLERANCE
from reference.transport.rpop_client import SessionFailed
from reference.transport.rpop_mail import Distribution
from reference.transport.rpop_poll import HostFailed, OwnHost, Polls

_TAG = "RPOP"
_FAILURE, _MAJOR, _PROBLEM = 1, 2, 3


@dataclass(slots=True, eq=False)
class _Remote:
    """A record and its next moment."""

    account: RemoteAccount
    owner: Account | None
    due: float
    """When it is polled next, as wall time."""
    running: bool = False

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port, which fail together."""
        return self.account.host, self.account.port


class RemotePolling:
    """Polls remote accounts; ``folder`` keeps the memories of Unified Domain-Wide Accounts."""

    def __init__(
        self,
        *,
        polls: Polls,
        domains: Domains,
        router: Router,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        activity: Activity,
        threads: Threads,
        folder: Path,
    ) -> None:
        self._polls = polls
        self._domains = domains
        self._router = router
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._activity = activity
        self._threads = threads
        self._folder = folder
        self._remotes: list[_Remote] = []
        self._failed_hosts: dict[tuple[str, int], float] = {}
        self._running = 0
        self._timer: Timer | None = None

    def start(self) -> Deferred[None]:
        """Find the records that there are; fires when they are known."""
        self._take(None, self._settings.get("RPOP", "UnifiedAccounts"), delayed=False)
        return Deferred.fromCoroutine(self._find_accounts())

    def settings_changed(self) -> None:
        """Learn the Unified Domain-Wide Accounts, and how many channels there are."""
        self._take(None, self._settings.get("RPOP", "UnifiedAccounts"), delayed=True)
        self._look()

    def records_changed(self, owner: Account) -> None:
        """Learn the records of an account, which have changed."""
        self._take(owner, self._records_of(owner), delayed=True)
        self._look()

    async def _find_accounts(self) -> None:
        with self._work.doing("RPOP records"):
            for domain in [self._domains.get(name) for name in self._domains.names()]:
                accounts = [] if domain is None else list(domain.accounts.values())
                for owner in await self._threads.run(partial(_with_records, accounts)):
                    self._take(owner, self._records_of(owner), delayed=False)
            self._look()

    def _records_of(self, owner: Account) -> Sequence[RemoteAccount]:
        try:
            return read_accounts(owner.explicit.get(RECORDS, []))
        except (StorageError, ValueError) as error:
            self._log.write(_FAILURE, _TAG, f"{owner.label}: the records are not used: {error}")
            return ()

    def _take(
        self, owner: Account | None, accounts: Iterable[RemoteAccount], *, delayed: bool
    ) -> None:
        """Put these records in the place of an owner's; what is unchanged keeps its moment."""
        old = [each for each in self._remotes if each.owner is owner]
        now = self._clock.time()
        kept: list[_Remote] = []
        for account in accounts:
            same = next((each for each in old if each.account == account), None)
            if same is None:
                kept.append(_Remote(account, owner, now + account.period * delayed))
            else:
                old.remove(same)
                kept.append(same)
        self._remotes = [each for each in self._remotes if each.owner is not owner] + kept

    # When ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Begin with what is due, as long as there are channels; set the timer for the rest."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        now = self._clock.time()
        while self._running < self._settings.get("RPOP", "Channels"):
            idle = [each for each in self._remotes if not each.running]
            remote = min(idle, key=self._moment, default=None)
            if remote is None:
                return
            moment = self._moment(remote)
            if moment > now + TOLERANCE:
                self._timer = self._clock.call_later(moment - now, self._look)
                return
            if self._activity.closed_for:
                self._activity.when_open(_TAG, self._look)
                return
            self._begin(remote)

    def _moment(self, remote: _Remote) -> float:
        return max(remote.due, self._failed_hosts.get(remote.place, -math.inf))

    def _begin(self, remote: _Remote) -> None:
        owner = remote.owner
        remote.due = self._clock.time() + remote.account.period
        if owner is not None and owner.domain.accounts.get(owner.name) is not owner:
            self._remotes.remove(remote)  # the account has been removed
            return
        remote.running = True
        self._running += 1
        self._activity.enter(_TAG)
        busy = Busy(work=self._work, name=_TAG)
        polling = Deferred.fromCoroutine(self._poll(remote, busy))
        polling.addErrback(
            lambda failure: self._failed(remote, f"fault: {failure.getTraceback()}", _FAILURE)
        )
        polling.addBoth(lambda _: self._ended(remote, busy))

    def _ended(self, remote: _Remote, busy: Busy) -> None:
        self._running -= 1
        remote.running = False
        self._activity.leave()
        self._look()
        busy.done()

    # What ----------------------------------------------------------------------------------------

    async def _poll(self, remote: _Remote, busy: Busy) -> None:
        owner = remote.owner
        distribution = Distribution(
            account=remote.account,
            owner="" if owner is None else owner.address,
            is_local=self._is_local,
        )
        folder = self._folder if owner is None else owner.folder
        memory = UidMemory(folder, remote.account.label)
        try:
            number = await self._polls.poll(distribution, memory, busy, partial(self._note, remote))
        except OwnHost as error:
            self._note(remote, _PROBLEM, f"not polled: {error}")
        except HostFailed as error:
            delay = self._settings.get("RPOP", "FailedHostDelay")
            self._failed_hosts[remote.place] = self._clock.time() + delay
            self._note(remote, _PROBLEM, f"the host has failed: {error}")
        except SessionFailed as error:
            self._failed(remote, str(error), _PROBLEM)
        else:
            self._failed_hosts.pop(remote.place, None)
            self._note(remote, _MAJOR, f"{number} message(s) retrieved")

    def _failed(self, remote: _Remote, why: str, level: int) -> None:
        remote.due = self._clock.time() + self._settings.get("RPOP", "FailedAccountDelay")
        self._note(remote, level, f"the account has failed: {why}")

    def _is_local(self, address: str) -> bool:
        try:
            route = self._router.route(address)
        except RoutingError:
            return False
        if route.module != "LOCAL":
            return False
        name, _, domain_name = route.host.partition("@")
        domain = self._domains.get(domain_name)
        return domain is not None and name.lower() in domain.accounts

    def _note(self, remote: _Remote, level: int, text: str) -> None:
        self._log.write(level, f"{_TAG}({remote.account.label})", text)


def _with_records(accounts: Iterable[Account]) -> list[Account]:
    """Return the accounts whose settings files mention records; in a thread."""
    return [account for account in accounts if account.mentions(RECORDS)]

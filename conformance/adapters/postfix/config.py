"""A Postfix configuration under construction: main.cf, tables, master.cf.

Tables are of kinds that need no postmap(1): texthash, regexp, cidr. Nothing here reads a site.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from conformance.adapters.clock import VARIABLES
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.target import File

ETC = f"{INSIDE}/etc"

_BASE = {
    "compatibility_level": "3.6",
    "queue_directory": f"{INSIDE}/spool",
    "data_directory": f"{INSIDE}/data",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "meta_directory": ETC,
    "shlib_directory": "/usr/lib/postfix",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "syslog_name": "postfix",
    "inet_protocols": "ipv4",
    "maillog_file": "",
    "biff": "no",
    "alias_maps": "",
    "alias_database": "",
    # A scenario lasts a second: nothing is worth waiting for.
    "in_flow_delay": "0",
    "smtpd_error_sleep_time": "0",
    "hash_queue_names": "none",
    "anvil_status_update_time": "1h",
    "import_environment": f"MAIL_CONFIG MAIL_LOGTAG TZ {' '.join(VARIABLES)}",
}

#: Services that every configuration has: name, type, private, unprivileged, chroot, wakeup, limit.
_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - {channels} smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


@dataclass(slots=True)
class Config:
    """Parameters, files and services."""

    main: dict[str, str] = field(default_factory=lambda: dict(_BASE))
    files: dict[str, File] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    """Lines of master.cf besides those that are always there."""
    channels: str = "-"
    """How many smtp(8) there may be; ``-``: Postfix's own limit."""

    def table(self, kind: str, name: str, lines: Iterable[str]) -> str:
        """Write a table; return what names it in main.cf, as ``cidr:/…/clients``."""
        self.files[f"etc/{name}"] = File("".join(f"{line}\n" for line in lines))
        return f"{kind}:{ETC}/{name}"

    def add(self, parameter: str, values: Sequence[str]) -> None:
        """Append to a parameter that is a list."""
        before = self.main.get(parameter, "")
        self.main[parameter] = ", ".join([*([before] if before else []), *values])

    def finish(self) -> dict[str, File]:
        """Return all files."""
        main = "".join(f"{name} = {value}\n" for name, value in self.main.items())
        master = _SERVICES.format(channels=self.channels) + "".join(
            f"{line}\n" for line in self.services
        )
        return {**self.files, "etc/main.cf": File(main), "etc/master.cf": File(master)}

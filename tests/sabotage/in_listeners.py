"""Faults of the listeners (Guide 3.5.2, TCP/IP Listeners)."""

from sabotage.case import LISTENERS, RECEIVING, TLS, cases

_ENTRANCE = "entrance.py"
_LINE = "protocols/line.py"
_LISTENERS = "listeners.py"
_RESTRICTION = "kernel/restriction.py"
_SOCKETS = "storage/sockets.py"

CASES = (
    *cases(
        LISTENERS,
        lists_hold_without_a_restriction=(
            _RESTRICTION,
            "if self.limit is Limit.NONE:",
            "if self.limit is Limit.NONE and not self._addresses.text:",
            "listeners/restrictions",
        ),
        percent_begins_no_comment=(
            _RESTRICTION,
            're.compile(r"[;%].*")',
            're.compile(r"[;].*")',
            "listeners/restriction-lists",
        ),
        dashes_begin_no_comment=(
            _RESTRICTION,
            "return dashed[1] if dashed else entry",
            "return entry",
            "listeners/restriction-lists",
        ),
        modules_may_share_a_port=(
            _LISTENERS,
            "if other is not service:",
            "if other is None:",
            "listeners/conflicts",
        ),
        one_port_on_two_addresses_is_a_conflict=(
            _SOCKETS,
            "same_address = self.address == other.address or not (self.address and other.address)",
            "same_address = True",
            "listeners/shared-port",
        ),
        same_address_limit_ignored=(
            _LINE,
            " or 0 <= limit <= self._from[host]:",
            ":",
            "listeners/same-address",
        ),
        same_address_limit_counts_all=(
            _LINE,
            "0 <= limit <= self._from[host]",
            "0 <= limit <= len(self.open)",
            "listeners/same-address",
        ),
        closed_connections_still_count=(
            _LINE,
            "        self._from[host] -= 1\n        if not",
            "        if not",
            "listeners/same-address",
        ),
    ),
    *cases(
        LISTENERS,
        RECEIVING,
        unwanted_hosts_are_told=(
            _ENTRANCE,
            "            return None\n        within",
            "            return self._service.buildProtocol(addr)\n        within",
            "listeners/denied-access",
        ),
        grant_lists_deny=(
            _RESTRICTION,
            "return (address in self._addresses) is (self.limit is Limit.GRANT)",
            "return address not in self._addresses",
            "listeners/restrictions",
        ),
        changed_sockets_keep_their_restrictions=(
            _LISTENERS,
            "            opened.entrance.socket = wanted[place]\n",
            "            opened.entrance.socket = wanted[place] and opened.entrance.socket\n",
            "listeners/restrictions",
        ),
        listeners_take_all_addresses=(
            _LISTENERS,
            "self._network.listen_tcp(entrance, socket.port, socket.address)",
            'self._network.listen_tcp(entrance, socket.port, "")',
            "listeners/one-address",
        ),
    ),
    *cases(
        LISTENERS,
        RECEIVING,
        TLS,
        secure_sockets_begin_in_the_clear=(
            _ENTRANCE,
            "within: Any = self._secure if self.socket.init_tls else self._service",
            "within: Any = self._service",
            "listeners/secure-only",
        ),
        changed_listeners_wait_for_a_restart=(
            _LISTENERS,
            "        self._settings.subscribe(module, lambda: self._adapt(service))\n",
            "",
            "listeners/moved",
        ),
    ),
)

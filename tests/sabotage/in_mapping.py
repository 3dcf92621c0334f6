"""Faults of domains and unified accounts (Guide 3.5.2, Mapping)."""

from sabotage.case import FORWARDERS, LOCAL, MAPPING, ROUTER, UNIFIED, cases

_LOCAL = "transport/local.py"

CASES = (
    *cases(
        MAPPING,
        dns_loops_go_round=(
            "transport/smtp_hosts.py",
            "if any(self._is_own(relay.ip, relay.port) for relay in relays):",
            "if not self._is_own:",
            "mapping/dns-loop",
        ),
        domain_aliases_ignored=(
            "storage/domains.py",
            "target = self._aliases.get(key)",
            "target = None",
            "mapping/login-by-alias",
        ),
    ),
    *cases(
        MAPPING,
        FORWARDERS,
        domain_rights_reach_everywhere=(
            "cli/rights.py",
            "if domain == self.domain:",
            "if domain:",
            "mapping/domain-administrator",
        ),
    ),
    *cases(
        MAPPING,
        LOCAL,
        UNIFIED,
        x_real_to_lost=(
            "transport/local_store.py",
            "if names and field:",
            "if names and not field:",
            "mapping/unified-account",
        ),
        x_real_to_for_everybody=(
            "transport/local_store.py",
            "line(entry.address) for entry in entries if entry.address",
            "line(recipient.address) for recipient in message.envelope.recipients",
            "mapping/plain-collecting-account",
        ),
    ),
    *cases(
        MAPPING,
        UNIFIED,
        unified_users_see_all=(
            "protocols/pop.py",
            "if not login.real_to:",
            "if login:",
            "mapping/unified-pop",
        ),
    ),
    *cases(
        MAPPING,
        ROUTER,
        LOCAL,
        UNIFIED,
        unified_accounts_forget_the_name=(
            _LOCAL,
            "return self._account(name, self._domains.main, address.local)",
            'return self._account(name, self._domains.main, "")',
            "mapping/unified-route",
        ),
    ),
)

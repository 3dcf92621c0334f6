"""Faults of blacklists, RBL servers and white holes (Guide 3.5.2, Protection)."""

from sabotage.case import BLACKLISTS, PROTECTION, cases

_DNR = "transport/dnr.py"
_PROTECTION = "kernel/protection.py"
_RBL = "kernel/rbl.py"

CASES = (
    *cases(
        BLACKLISTS,
        blacklisted_names_are_case_sensitive=(
            _PROTECTION,
            'r"[\\1]", text.rstrip(".").lower())',
            'r"[\\1]", text.rstrip("."))',
            "blacklists/names",
        ),
        listed_answers_end_early=(
            _RBL,
            "LAST_LISTED = 0x7F01FFFF",
            "LAST_LISTED = 0x7F00FFFF",
            "blacklists/rbl-answers",
        ),
        listed_answers_begin_early=(
            _RBL,
            "FIRST_LISTED = 0x7F000002",
            "FIRST_LISTED = 0x7F000001",
            "blacklists/rbl-answers",
        ),
        only_the_first_rbl_server_is_asked=(
            _RBL,
            "            return server\n    return",
            "            return server\n        break\n    return",
            "blacklists/rbl-several",
        ),
        silent_rbl_servers_are_asked_again=(
            _DNR,
            "QUICK_TRIES = 2",
            "QUICK_TRIES = 3",
            "blacklists/rbl-silent",
        ),
        rbl_servers_get_more_time=(
            _DNR,
            "patience = initial if quick else initial * (silent + 1)",
            "patience = initial * (silent + 1)",
            "blacklists/rbl-silent",
        ),
        names_are_asked_for_every_list=(
            _PROTECTION,
            "        if self._found is None:\n            self._found = await",
            "        if self._names:\n            self._found = await",
            "blacklists/names-of-clients",
        ),
        black_lists_come_before_white_holes=(
            _PROTECTION,
            """\
        if ip in self._lists[AddressTable.WHITE_HOLES]:
            return Standing.STRANGER
        if ip in self._lists[AddressTable.BLACKLISTED]:
            return Standing.BLACKLISTED
""",
            """\
        if ip in self._lists[AddressTable.BLACKLISTED]:
            return Standing.BLACKLISTED
        if ip in self._lists[AddressTable.WHITE_HOLES]:
            return Standing.STRANGER
""",
            "blacklists/white-holes",
        ),
        blacklisted_clients_are_refused=(
            _PROTECTION,
            """\
            return Standing.LISTED
        if self._on("DetectClientsByName"):
""",
            """\
            return self._by_address(ip) or Standing.LISTED
        if self._on("DetectClientsByName"):
""",
            "blacklists/clients",
        ),
        clients_by_name_are_refused=(
            _PROTECTION,
            "by_address = await self._by_name(owner) or self._by_address(ip)",
            "by_address = self._by_address(ip) or await self._by_name(owner)",
            "blacklists/names-of-clients",
        ),
    ),
    *cases(
        BLACKLISTS,
        PROTECTION,
        rbl_questions_are_not_turned_round=(
            _RBL,
            '[*reversed(ip.split(".")), server',
            '[*ip.split("."), server',
            "blacklists/rbl-questions",
        ),
        unblacklisted_names_ignored=(
            _PROTECTION,
            'not await self._matching(owner, "UnBlacklistByName", "UnBlacklistedNames")',
            'not await self._matching(owner, "", "UnBlacklistedNames")',
            "blacklists/white-hole-names",
        ),
    ),
)

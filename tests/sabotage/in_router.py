"""Faults of the Router: addresses, the table, special addresses, modules (Guide 3.5.2, Router)."""

from sabotage.case import ADDRESSES, LOCAL, PROTECTION, ROUTER, SMTP, TRANSFER, TRANSPORT, cases

_ADDRESS = "kernel/address.py"
_ROUTER = "kernel/router.py"
_TABLE = "kernel/table.py"

CASES = (
    # The table
    *cases(
        ROUTER,
        wildcard_matches_the_bare_domain=(
            _TABLE,
            "best = self._domains.find(domain, best)",
            "best = min(self._domains.find(each, best) for each in (domain, f'.{domain}'))",
            "router/domain-records",
        ),
        comment_lines_are_records=(
            _TABLE,
            "content = line.lstrip()",
            'content = line = line.lstrip(" ;")',
            "router/comments",
        ),
        comments_belong_to_the_right_part=(
            _TABLE,
            """_RIGHT = re.compile(rf'((?:{_QUOTED}|[^";])*)(;|$)')""",
            """_RIGHT = re.compile(rf'((?:{_QUOTED}|[^"])*)(;|$)')""",
            "router/comments",
        ),
        log_tag_lost=(_ROUTER, '_TAG = "ROUTER"', '_TAG = "ROUTES"', "router/log"),
        default_table_lacks_a_record=(
            "storage/base.py",
            "mailhost =\n",
            "",
            "router/default-records",
        ),
        main_domain_after_the_table=(
            _ROUTER,
            "            self._main_domain()\n            self._watch()\n",
            """            self._watch()
            if not self._table():
                self._main_domain()
""",
            "router/alias-records",
        ),
        main_domain_unwrapped_once=(
            _ROUTER,
            "while not self._address.domain or self._address.domain == main:",
            "if not self._address.domain or self._address.domain == main:",
            "router/main-domain",
        ),
        source_route_backwards=(
            _ADDRESS,
            "for hop in reversed(hops):",
            "for hop in hops:",
            "router/address-parts",
        ),
        leftmost_percent_is_the_at_sign=(
            _ADDRESS,
            'head, _, tail = local.rpartition("%")',
            'head, _, tail = local.partition("%")',
            "router/address-parts",
        ),
        mailer_daemon_is_unknown=(
            _ROUTER,
            'return name == "mailer-daemon" and',
            'return name == "mailer-demon" and',
            "router/null",
        ),
        here_goes_through_the_table=(
            _ROUTER,
            "return self._special() or self._module() or self._unroutable()",
            "return True",
            "router/here",
        ),
        suffix_added_before_the_modules=(
            _ROUTER,
            "        _module,\n        _non_qualified,\n",
            "        _non_qualified,\n        _module,\n",
            "router/non-qualified",
        ),
        suffix_added_to_names_with_a_dot=(
            _ROUTER,
            'if not domain or "." in domain or domain.startswith("["):',
            'if not domain or domain.endswith(".myorg.org") or domain.startswith("["):',
            "router/non-qualified",
        ),
        uucp_goes_by_smtp=(
            "transport/smtp_route.py",
            ' or domain.endswith(".uucp")',
            "",
            "router/modules",
        ),
    ),
    *cases(
        ROUTER,
        SMTP,
        white_hole_record_missing=(
            "storage/base.py",
            "<blacklist-admin*@blacklisted> = postmaster\n",
            "",
            "smtp/white-hole-default",
        ),
        special_addresses_before_the_table=(
            _ROUTER,
            "        _table,\n        _special,\n",
            "        _special,\n        _table,\n",
            "smtp/white-hole-other-name",
        ),
        error_is_accepted=(
            _ROUTER,
            'if name == "null":',
            'if name in ("null", "error"):',
            "router/error-recipients",
        ),
        bare_ip_gets_no_brackets=(
            _ROUTER,
            "literal = bare_ip(domain)",
            "literal = None",
            "smtp/ip-domains",
        ),
        dedicated_ip_is_the_main_domain=(
            _ROUTER,
            "owner = self._domains.by_address(found[0])",
            "owner = self._domains.by_address(found[0]) and self._domains.main",
            "router/ip-mail",
        ),
    ),
    *cases(
        ROUTER,
        SMTP,
        PROTECTION,
        records_without_a_prefix_do_not_relay=(
            _TABLE,
            "return relay or Relay.SIMPLE,",
            "return relay or Relay.NO,",
            "router/prefixes",
        ),
    ),
    *cases(
        ROUTER,
        PROTECTION,
        alias_records_hold_in_every_domain=(
            _TABLE,
            'best = self._exact.get(f"{local}@{domain}", NO_MATCH)',
            'best = self._exact.get(f"{local}@{domain}", self._exact.get(f"{local}@", NO_MATCH))',
            "router/alias-mail",
        ),
        norelay_relays=(
            _TABLE,
            '"norelay": Relay.NO',
            '"norelay": Relay.SIMPLE',
            "router/prefixes-refused",
        ),
        relay_marker_for_complex_addresses=(
            _TABLE,
            "(relay is Relay.SIMPLE and is_simple_local(self.address.local))",
            "relay is Relay.SIMPLE",
            "protection/rerouted-refused",
        ),
        relayall_is_relay=(
            _TABLE,
            "return relay is Relay.ALL or (relay is Relay.SIMPLE and",
            "return (relay is not Relay.NO and",
            "protection/rerouted",
        ),
    ),
    # The table, as Protection uses it
    *cases(
        ROUTER,
        PROTECTION,
        alias_records_are_case_sensitive=(
            _TABLE,
            "domain, local = address.domain, fold(address.local)",
            "domain, local = address.domain, address.local",
            "router/spamtrap",
        ),
        spamtrap_lets_the_message_in=(
            "protocols/smtp_receive.py",
            "self._trapped = self._trapped or isinstance(error, SpamTrap)",
            "self._trapped = False",
            "router/spamtrap",
        ),
    ),
    *cases(
        ROUTER,
        LOCAL,
        TRANSFER,
        null_recipients_bounce=(
            "queue/enqueuer.py",
            "ended.append((index, DISCARDED))",
            'ended.append((index, failed("discarded", "5.7.1")))',
            "router/null",
        ),
    ),
    *cases(
        *ADDRESSES,
        account_aliases_ignored=(
            "storage/domain.py",
            '            or self.accounts.get(self._aliases.account(key) or "")\n',
            "",
            "router/account-alias",
        ),
    ),
    *cases(
        ROUTER,
        TRANSFER,
        list_owner_is_unknown=(
            "transport/lists.py",
            'OWNER_SUFFIXES = ("-admin", "-request")',
            'OWNER_SUFFIXES = ("-owner", "-request")',
            "router/modules-mail",
        ),
    ),
    *cases(
        ROUTER,
        *TRANSPORT,
        suffix_added_with_the_option_off=(
            _ROUTER,
            "if not settings.add_to_non_qualified or not is_domain(suffix):",
            'suffix = suffix or "myorg.org"\n        if not is_domain(suffix):',
            "router/non-qualified-off",
        ),
    ),
    *cases(
        *ADDRESSES,
        *TRANSPORT,
        PROTECTION,
        last_record_wins=(
            _TABLE,
            "self.records = tuple(records)",
            "self.records = tuple(records)[::-1]",
            "router/first-match",
        ),
        modules_second_pass_first=(
            _ROUTER,
            "for final in (False, True):",
            "for final in (True, False):",
            "router/modules",
        ),
    ),
)

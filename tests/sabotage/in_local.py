"""Faults of local delivery (Guide 3.5.2, Local Delivery Module)."""

from sabotage.case import LOCAL, TRANSFER, UNIFIED, cases

_ALIASES = "transport/all_domain_aliases.py"
_ALL = "transport/mail_to_all.py"
_DELIVERY = "transport/local_delivery.py"
_LOCAL = "transport/local.py"
_STORE = "transport/local_store.py"

CASES = (
    *cases(
        LOCAL,
        # Addresses
        mailbox_names_lose_their_letter_case=(
            _LOCAL,
            'box, mark, owner = _unquoted(name).rpartition("#")',
            'box, mark, owner = _unquoted(name).lower().rpartition("#")',
            "local-delivery/direct-mailbox-case",
        ),
        mailboxes_are_always_addressed=(
            _LOCAL,
            "if box and mark and self._direct():",
            "if box and mark:",
            "local-delivery/direct-mailbox-off",
        ),
        details_are_cut_in_any_case=(
            _LOCAL,
            'if how == "Disabled" or "+" not in local:',
            'if "+" not in local:',
            "local-delivery/detail-disabled",
        ),
        details_begin_at_the_last_plus=(
            _LOCAL,
            'name, _, detail = account.partition("+")',
            'name, _, detail = account.rpartition("+")',
            "local-delivery/detail-enabled",
        ),
        details_name_no_mailbox=(
            _LOCAL,
            'return f"{detail}#{name}" if detail else name',
            "return name",
            "local-delivery/detail-direct",
        ),
        # Disabled Mail Service
        mail_for_a_disabled_service_is_dropped=(
            _DELIVERY,
            "self._suspend(queue, Obstacle.DISABLED)",
            "queue.transfers = []",
            "local-delivery/mail-service-not-kept",
        ),
        # Mail to all
        all_domains_in_every_domain=(
            _ALL,
            "(key == ALL_DOMAINS and domain.is_main)",
            "key == ALL_DOMAINS",
            "local-delivery/alldomains-elsewhere",
        ),
        accounts_cannot_decline_mail_to_all=(
            _ALL,
            'if a.get("MailToAll")]',
            "if a.name]",
            "local-delivery/all",
        ),
        anybody_may_write_to_all=(
            _ALL,
            'if access in (_NOBODY, "anybody"):\n            return access != _NOBODY',
            "if access:\n            return access != _NOBODY",
            "local-delivery/all-access-denied",
        ),
        users_of_other_domains_may_write_to_all=(
            _ALL,
            'if access == "Authenticated Domain Users" and account.domain is domain:',
            'if access == "Authenticated Domain Users":',
            "local-delivery/all-access-denied",
        ),
        mail_to_all_passes_the_forwarders=(
            _ALL,
            'if each.get("AllWithForwarders") and message',
            'if not each.get("AllWithForwarders") and message',
            "local-delivery/all-forwarders",
        ),
        # All-Domain Aliases
        all_domain_aliases_are_case_sensitive=(
            _ALIASES,
            "self._targets().get(address.local.lower())",
            "self._targets().get(address.local)",
            "local-delivery/all-domain-aliases",
        ),
        all_domain_aliases_hold_elsewhere=(
            _ALIASES,
            "if target is None or self._domains.get(address.domain) is None:",
            "if target is None:",
            "local-delivery/all-domain-aliases",
        ),
        all_domain_aliases_come_last=(
            _ALIASES,
            "        if final:\n            return None\n",
            "        if not final:\n            return None\n",
            "local-delivery/all-domain-aliases",
        ),
        # Queues
        disabled_accounts_get_mail=(
            _DELIVERY,
            'elif "Mail" not in account.services:',
            'elif "Mail" not in {*account.services, "Mail"}:',
            "local-delivery/mail-service-disabled",
        ),
        rules_apply_to_named_mailboxes=(
            _DELIVERY,
            "            if not part.mailbox:\n",
            "            if part:\n",
            "local-delivery/direct-mailbox",
        ),
        one_process_more_than_allowed=(
            _DELIVERY,
            'self._running < self._settings.get("LOCAL", "Processes")',
            'self._running <= self._settings.get("LOCAL", "Processes")',
            "local-delivery/processes",
        ),
        flow_control_lets_one_more_pass=(
            "transport/flow_control.py",
            "return max(0, limit - recent)",
            "return max(0, limit + 1 - recent)",
            "local-delivery/flow-control",
        ),
        only_the_inbox_counts=(
            _STORE,
            "self.account.storage() + size <= self._limit",
            "self.account.mailbox().storage() + size <= self._limit",
            "local-delivery/quota-all-mailboxes",
        ),
        full_accounts_take_one_more_message=(
            _STORE,
            "self.account.storage() + size <= self._limit",
            "self.account.storage() <= self._limit",
            "local-delivery/quota",
        ),
        # Rules and alerts
        alerts_come_with_every_login=(
            "kernel/quota_alerts.py",
            "        self._alerted[account] = self._clock.time()\n",
            "",
            "local-delivery/quota-alert-once",
        ),
        alerts_come_once_for_all=(
            "kernel/quota_alerts.py",
            "now >= self._alerted.get(account, now - SILENCE) + SILENCE",
            "account not in self._alerted",
            "local-delivery/quota-alert-once",
        ),
    ),
    *cases(
        LOCAL,
        UNIFIED,
        unknown_names_lose_their_name=(
            _LOCAL,
            'return Rewrite(reroute.replace("*", name), rule, relay=True)',
            'return Rewrite(reroute.replace("*", "unknown"), rule, relay=True)',
            "local-delivery/unknown-rerouted",
        ),
    ),
    *cases(
        LOCAL,
        TRANSFER,
        full_accounts_keep_nothing=(
            _DELIVERY,
            "keep_from=percent if keeps else 0",
            "keep_from=0",
            "local-delivery/keep-if-full",
        ),
        conditions_are_not_looked_at=(
            "kernel/rule_course.py",
            "        condition = rule.unmet(grown)\n",
            "        condition = None\n",
            "local-delivery/rule-store",
        ),
    ),
)

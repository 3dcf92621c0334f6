"""Faults of the SMTP module: where mail goes, what blacklisted hosts hear (Guide 3.5.2, SMTP)."""

from sabotage.case import (
    ADDRESSES,
    FORWARDERS,
    PROTECTION,
    RECEPTION,
    ROUTER,
    SMTP,
    TRANSPORT,
    cases,
)

_HOSTS = "transport/smtp_hosts.py"
_RECEIVE = "protocols/smtp_receive.py"
_RECEPTION = "protocols/smtp_reception.py"
_REPLIES = "protocols/smtp_replies.py"
_ROUTE = "transport/smtp_route.py"
_SEND = "transport/smtp_send.py"

CASES = (
    *cases(
        SMTP,
        blacklisted_recipients_lose_their_domain=(
            _RECEPTION,
            'f"{address.local}%{address.domain}" if address.domain else address.local',
            "address.local",
            "smtp/blacklisted-address-form",
        ),
        white_hole_always_told=(
            _RECEPTION,
            "return BLACKLISTED, IS_BLACKLISTED if known else IN_BLACK_LIST",
            'return BLACKLISTED, WHITE_HOLE.format(domain=self.name(""))',
            "smtp/white-hole-other-name",
        ),
        white_hole_never_told=(
            _RECEPTION,
            'return BLACKLISTED, WHITE_HOLE.format(domain=self.name(""))',
            "return BLACKLISTED, IS_BLACKLISTED",
            "smtp/white-hole-hint",
        ),
    ),
    *cases(
        *RECEPTION,
        ROUTER,
        blacklisted_hosts_are_told_550=(
            _REPLIES,
            "BLACKLISTED = 591",
            "BLACKLISTED = 550",
            "smtp/blacklisted-connection",
        ),
        blacklisted_hosts_may_reach_anybody=(
            "protocols/smtp_dialogue.py",
            "return self._standing is Standing.BLACKLISTED and self._login is None",
            "return False",
            "smtp/not-blacklisted",
        ),
        blacklisted_hosts_are_shut_out=(
            "protocols/smtp_dialogue.py",
            'self._reply(220, server.strings.text("SMTPNormalPrompt", self._name()))',
            'self._reply(554 if self._standing is Standing.BLACKLISTED else 220, "welcome")',
            "smtp/blacklisted-connection",
        ),
    ),
    *cases(
        *TRANSPORT,
        ROUTER,
        PROTECTION,
        smtp_suffix_keeps_the_domain=(
            _ROUTE,
            "return Accept(via(host), percent_to_at(address.local))",
            'return Accept(via(host), f"{address.local}@{host}")',
            "smtp/suffix-mail",
        ),
        percent_stays_behind_the_suffix=(
            _ROUTE,
            "return Accept(via(host), percent_to_at(address.local))",
            "return Accept(via(host), address.local)",
            "smtp/suffix-mail",
        ),
    ),
    *cases(
        *TRANSPORT,
        port_behind_a_name_ignored=(
            _ROUTE,
            'return f"{named[1]}:{_port(named[2])}"',
            "return named[1]",
            "smtp/ports",
        ),
        port_behind_an_address_ignored=(
            _ROUTE,
            'return f"[{ip}:{_port(port)}]" if port else f"[{ip}]"',
            'return f"[{ip}]"',
            "smtp/ports",
        ),
        mx_used_in_spite_of_a_port=(
            _HOSTS,
            "if hosts_only or name != queue.lower() or _LITERAL.fullmatch(name):",
            "if hosts_only or _LITERAL.fullmatch(name):",
            "smtp/port-no-mx",
        ),
        forwarding_server_ignored=(
            _ROUTE,
            'queue = forward_queue(self._settings.get("SMTP", "Forward")) or domain',
            "queue = domain",
            "smtp/forward-to",
        ),
        wakeup_releases_nothing=(
            _SEND,
            "            queue.release()\n",
            "",
            "smtp/wakeup-releases",
        ),
        wakeup_releases_all_queues=(
            _SEND,
            "released = self.queues_for(host)",
            "released = list(self._queues.values())",
            "smtp/wakeup-releases",
        ),
    ),
    *cases(
        *RECEPTION,
        ROUTER,
        FORWARDERS,
        every_recipient_gets_250=(
            _REPLIES,
            'Verdict.REFUSED: (550, "SMTPNoRelay")',
            'Verdict.REFUSED: (250, "SMTPNoRelay")',
            "protection/clients-and-strangers",
        ),
    ),
    *cases(
        *ADDRESSES,
        *TRANSPORT,
        PROTECTION,
        unknown_names_vanish=(
            "transport/local.py",
            'if policy == "Discarded":',
            'if policy != "Rerouted to":',
            "router/modules-mail",
        ),
    ),
)

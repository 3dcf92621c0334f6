"""Faults of relaying and client addresses (Guide 3.5.2, Protection)."""

from sabotage.case import DIALUP, PROTECTION, RECEPTION, cases

_ACCESS = "kernel/access.py"
_IPLIST = "kernel/iplist.py"
_PROTECTION = "kernel/protection.py"
_RECEIVE = "protocols/smtp_receive.py"
_RELAY = "kernel/relay.py"

CASES = (
    *cases(
        PROTECTION,
        # Client addresses
        client_name_not_verified=(
            _PROTECTION,
            "confirmed = name and owner.ip in await self._names.a(name)",
            "confirmed = name",
            "protection/clients-by-name",
        ),
        listed_clients_are_looked_up=(
            _PROTECTION,
            (
                "if ip in self._lists[AddressTable.CLIENTS]:\n            return Standing.LISTED\n"
                '        if self._on("DetectClientsByName"):'
            ),
            (
                'by_name = self._on("DetectClientsByName")\n        '
                "if ip in self._lists[AddressTable.CLIENTS] and not by_name:\n"
                "            return Standing.LISTED\n        if by_name:"
            ),
            "protection/clients-by-name-questions",
        ),
        # Relaying
        relay_to_clients_takes_complex_addresses=(
            _RELAY,
            "options.to_clients is ToClients.SIMPLE and route.simple",
            "options.to_clients is ToClients.SIMPLE",
            "protection/relay-to-clients",
        ),
        relay_to_clients_cannot_be_switched_off=(
            _RELAY,
            "to_client = options.to_clients is ToClients.ALL or (",
            "to_client = options.to_clients is not ToClients.SIMPLE or (",
            "protection/relay-to-clients",
        ),
        quoted_addresses_are_simple=(
            "kernel/address.py",
            "simple=not quoted and is_simple_local(address.local)",
            "simple=is_simple_local(address.local)",
            "protection/relay-to-clients",
        ),
        relaying_for_everybody_cannot_be_allowed=(
            _RELAY,
            "if not options.clients_only:",
            "if options is None:",
            "protection/clients-and-strangers",
        ),
        norelay_resets_the_marker=(
            "kernel/router.py",
            "self._marker = self._marker or match.sets_marker",
            "self._marker = match.sets_marker",
            "protection/rerouted",
        ),
        registered_senders_are_refused_for_good=(
            _RELAY,
            "if sender.registered and not sender.authenticated:",
            "if sender.registered and sender.authenticated:",
            "protection/authenticate-first",
        ),
        # AUTH
        wrong_password_will_do_for_smtp=(
            _ACCESS,
            "if not credentials.proves(account):",
            'if not credentials.proves(account) and service != "SMTP":',
            "protection/smtp-auth",
        ),
        relay_service_not_checked=(
            _RELAY,
            "if sender.authenticated and sender.relay_service:",
            "if sender.authenticated:",
            "protection/relay-service-auth",
        ),
        authenticated_mark_lost=(
            _RECEIVE,
            "            account=account,\n            recipient=",
            '            account="",\n            recipient=',
            "protection/authenticated-mark",
        ),
        # Temporary clients
        temporary_clients_never_expire=(
            _PROTECTION,
            "return visits.open > 0 or self._clock.time() < visits.until",
            "return True",
            "protection/temporary-client-time",
        ),
        temporary_clients_begin_at_logout=(
            _PROTECTION,
            "return visits.open > 0 or self._clock.time() < visits.until",
            "return self._clock.time() < visits.until",
            "protection/temporary-client-session",
        ),
        temporary_clients_not_renewed=(
            _PROTECTION,
            "visits.until = self._clock.time() + float(lasts)",
            "visits.until = visits.until or self._clock.time() + float(lasts)",
            "protection/temporary-client-renewed",
        ),
        temporary_clients_without_number=(
            _PROTECTION,
            "        if surplus > 0:\n",
            "        if surplus > 1000:\n",
            "protection/remembered-clients",
        ),
        temporary_clients_without_the_option=(
            _PROTECTION,
            'if visits is None or not self._settings.get("Protection", "ProcessAsClient"):',
            "if visits is None:",
            "protection/read-then-send",
        ),
        temporary_clients_without_the_relay_service=(
            _ACCESS,
            "if service in SERVICES and relay and not (own or known.client):",
            "if service in SERVICES and not (own or known.client):",
            "protection/relay-service",
        ),
        listed_clients_take_a_place=(
            _ACCESS,
            "if service in SERVICES and relay and not (own or known.client):",
            "if service in SERVICES and relay:",
            "protection/listed-client-no-place",
        ),
        session_loses_its_client=(
            "protocols/smtp_dialogue.py",
            "return fixed or self._temporary or self._server",
            "return fixed or self._server",
            "protection/long-smtp-session",
        ),
        # Logins
        mobile_service_not_checked=(
            _ACCESS,
            'if mobile and "Mobile" not in account.services:',
            'if mobile and "Mail" not in account.services:',
            "protection/mobile-service",
        ),
        domain_services_ignored=(
            "storage/account.py",
            'self.get("AccessModes") & self.domain.get("DomainAccessModes")',
            'self.get("AccessModes")',
            "protection/mobile-service",
        ),
    ),
    *cases(
        *RECEPTION,
        clients_only_lets_strangers_log_in=(
            _ACCESS,
            "if not (own or known.client) and self._clients_only():",
            "if own and self._clients_only():",
            "protection/client-only-logins",
        ),
        clients_only_keeps_the_connection=(
            _ACCESS,
            "    closes = True",
            "    closes = False",
            "listeners/clients-only",
        ),
        comment_lines_are_addresses=(
            _IPLIST,
            'entry = line.partition(";")[0].strip()',
            'entry = line.lstrip(";").partition(";")[0].strip()',
            "protection/client-list",
        ),
        any_client_name_will_do=(
            _PROTECTION,
            'if name in patterns), "")',
            'if name in patterns or option == "DetectClientsByName"), "")',
            "protection/clients-by-name",
        ),
        range_ends_one_late=(
            _IPLIST,
            "    return start, end\n\n\ndef _network",
            "    return start, end + 1\n\n\ndef _network",
            "protection/client-list",
        ),
        range_begins_one_late=(
            _IPLIST,
            "    return start, end\n\n\ndef _network",
            "    return start + 1, end\n\n\ndef _network",
            "protection/client-list",
        ),
    ),
    *cases(
        PROTECTION,
        DIALUP,
        clients_known_without_their_mx=(
            "protocols/smtp_reception.py",
            "return await self._resolver.mx(host) or [(0, host)]",
            "return [(0, host)]",
            "protection/relay-to-clients-mx",
        ),
    ),
)

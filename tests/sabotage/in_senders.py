"""Faults of the checks of senders and messages (Guide 3.5.2, Protection; Reception, Header Checks).

Return paths, Reverse Connect, SPF, spam traps, banned lines.
"""

from sabotage.case import DIALUP, PROTECTION, ROUTER, cases

_BANNED = "kernel/banned.py"
_PATHS = "transport/return_path.py"
_SENDER = "protocols/smtp_sender.py"

CASES = (
    *cases(
        PROTECTION,
        rerouted_senders_are_looked_up=(
            _PATHS,
            'if route.module != "SMTP" or route.rerouted:',
            'if route.module != "SMTP":',
            "protection/return-path-router",
        ),
        senders_without_a_domain_are_local=(
            _PATHS,
            "if not parse(path).domain:",
            "if not parse(path).local:",
            "protection/return-path",
        ),
        senders_are_refused_for_good_without_dns=(
            _PATHS,
            'cannot be verified now: {error}", later=True)',
            'cannot be verified now: {error}", later=False)',
            "protection/return-path-unavailable",
        ),
        all_relays_of_a_sender_count=(
            _PATHS,
            """\
        for _, relays in groupby(records, key=lambda record: record[0]):
""",
            """\
        for relays in [records]:
""",
            "protection/return-path",
        ),
        faked_senders_are_taken=(
            _PATHS,
            'raise SenderRefused(f"the MX records of {domain} name no host with an address")',
            "return []",
            "protection/return-path",
        ),
        senders_at_addresses_are_taken=(
            _PATHS,
            "elif not self._client(literal[0]):",
            "elif not literal[0]:",
            "protection/return-path-ip",
        ),
        helo_names_are_not_looked_up=(
            _SENDER,
            'return "." in name.strip(".") and ip in await self.names.a(name, quick=True)',
            'return "." in name.strip(".")',
            "protection/return-path-helo",
        ),
        reverse_connect_takes_any_answer=(
            "transport/reverse_connect.py",
            "        if not reply.good:\n            raise SenderRefused",
            "        if reply.good and reply.temporary:\n            raise SenderRefused",
            "protection/reverse-connect",
        ),
        spf_failures_are_marked_only=(
            _SENDER,
            'if result.result == "fail":',
            'if result.result == "failed":',
            "protection/spf",
        ),
        spf_finds_no_mx_records=(
            "transport/spf.py",
            "return list(await resolver.mx(name))",
            "return []",
            "protection/spf",
        ),
        spam_traps_last_for_the_session=(
            "protocols/smtp_dialogue.py",
            "        self._trapped = False\n        message, self._message",
            "        message, self._message",
            "protection/spam-trap-next-message",
        ),
        submitted_messages_pass_the_spam_traps=(
            "protocols/pop_xmit.py",
            "except (SpamTrap, AddressSyntaxError) as error:",
            "except AddressSyntaxError as error:",
            "protection/spam-trap-xmit",
        ),
        banned_lines_in_any_letter_case=(
            _BANNED,
            "return line in self._plain or any",
            "return line.lower() in map(bytes.lower, self._plain) or any",
            "protection/banned-lines",
        ),
        banned_header_lines_in_the_body=(
            _BANNED,
            "            if line in self._lines.body:\n",
            "            if line in self._lines.body or line in self._lines.header:\n",
            "protection/banned-lines",
        ),
        banned_fields_are_unfolded=(
            _BANNED,
            'b"\\n".join(self._field)',
            'b"".join(self._field)',
            "protection/banned-lines",
        ),
        submitted_messages_are_not_scanned=(
            "protocols/pop_xmit.py",
            "banned = self._scanner.finish() if self._scanner is not None else",
            "banned = self._scanner.found if self._scanner is None else",
            "protection/banned-lines-xmit",
        ),
    ),
    *cases(
        PROTECTION,
        DIALUP,
        clients_are_checked_too=(
            _SENDER,
            "if options.verify.includes(client=host.client):",
            "if options.verify is not Audience.NOBODY:",
            "protection/return-path-audience",
        ),
    ),
    *cases(
        PROTECTION,
        ROUTER,
        spam_traps_refuse_one_recipient=(
            "protocols/smtp_receive.py",
            "        if self._trapped:\n",
            "        if self._trapped and not self._recipients:\n",
            "protection/spam-trap",
        ),
    ),
)

"""Faults of sending mail (Guide 3.5.2, SMTP Module, Sending Messages via the Internet)."""

from sabotage.case import LOCAL, SENDING, TRANSFER, cases

_CHANNEL = "transport/smtp_channel.py"
_CONNECT = "transport/smtp_connect.py"
_QUEUES = "transport/smtp_queues.py"
_RETRY = "transport/retry.py"
_SECURE = "transport/smtp_secure.py"
_SEND = "transport/smtp_send.py"

CASES = (
    *cases(
        SENDING,
        # Channels
        fifty_messages_are_many=(
            _QUEUES,
            "return messages > MANY or now",
            "return messages >= MANY or now",
            "smtp-sending/many-messages",
        ),
        channels_to_hosts_without_number=(
            _QUEUES,
            'if self._open >= self._settings.get("SMTP", "OutputChannels"):',
            'if self._open < self._settings.get("SMTP", "OutputChannels") < 0:',
            "smtp-sending/channels",
        ),
        raised_channels_wait_for_a_message=(
            _SEND,
            "        self._channels.go_on()\n        for queue",
            "        for queue",
            "smtp-sending/channels-raised",
        ),
        # Secure sending
        forwarding_server_needs_a_name=(
            _CONNECT,
            "names = None if forwarding else (queue.domain, relay.name)",
            "names = (queue.domain, relay.name)",
            "smtp-sending/secure-forwarding",
        ),
        certificates_bear_the_domain_only=(
            _CONNECT,
            "names = None if forwarding else (queue.domain, relay.name)",
            "names = None if forwarding else (queue.domain,)",
            "smtp-sending/secure-listed",
        ),
        everybody_gets_the_password=(
            _CONNECT,
            "if not name or not self._forwards(queue):",
            "if not name:",
            "smtp-sending/send-auth-elsewhere",
        ),
        hosts_demand_no_security=(
            _CONNECT,
            "return queue.domain in listed or any(",
            "return queue.domain in listed and any(",
            "smtp-sending/secure-routed",
        ),
        expired_certificates_will_do=(
            _SECURE,
            "if moment > certificate.not_valid_after_utc:",
            "if moment > max(moment, certificate.not_valid_after_utc):",
            "smtp-sending/secure-expired",
        ),
        certificates_of_anybody_will_do=(
            _SECURE,
            "    return own == name\n",
            "    return bool(own)\n",
            "smtp-sending/secure-wrong-name",
        ),
        names_begin_like_a_listed_one=(
            _SECURE,
            "self._pattern.fullmatch(name.lower())",
            "self._pattern.match(name.lower())",
            "smtp-sending/secure-wildcard",
        ),
        # Addresses
        mail_leaves_by_any_address=(
            _CONNECT,
            "source=queue.source or None, timeout",
            "source=None, timeout",
            "smtp-sending/relay-address",
        ),
        mail_leaves_by_foreign_addresses=(
            "transport/smtp_source.py",
            'return received_at if received_at in assigned else ""',
            "return received_at",
            "smtp-sending/relay-address",
        ),
        # Time
        second_interval_never_comes=(
            _RETRY,
            "return self.every if age < self.later_after - TOLERANCE else self.later_every",
            "return self.every if age < self.later_after * 9 else self.later_every",
            "smtp-sending/then-every",
        ),
        warnings_wait_for_the_next_attempt=(
            _RETRY,
            "moments = (self.give_up_after, self.warn_after)",
            "moments = (self.give_up_after,)",
            "smtp-sending/warnings",
        ),
    ),
    *cases(
        SENDING,
        LOCAL,
        messages_are_never_given_up=(
            _RETRY,
            "return age >= self.give_up_after - TOLERANCE",
            "return age >= 2 * self.give_up_after",
            "smtp-sending/keep-trying",
        ),
    ),
    *cases(
        SENDING,
        TRANSFER,
        channels_are_added_at_once=(
            _QUEUES,
            "return messages > MANY or now >= queue.progress + self._patience() - TOLERANCE",
            "return messages > 0",
            "smtp-sending/slow-transfers",
        ),
    ),
)

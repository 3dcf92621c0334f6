"""Faults of receiving mail (Guide 3.5.2, SMTP Module, Receiving Messages)."""

from sabotage.case import RECEIVING, TLS, cases

_LINE = "protocols/line.py"
_MESSAGE = "protocols/smtp_message.py"
_RECEIVE = "protocols/smtp_receive.py"
_RECEPTION = "protocols/smtp_reception.py"

CASES = (
    *cases(
        RECEIVING,
        messages_of_any_size_are_taken=(
            _MESSAGE,
            "if self._size > self._limit:",
            "if self._size < 0:",
            "smtp-receiving/size-limit",
        ),
        declared_sizes_are_ignored=(
            _RECEIVE,
            "if mail.size is not None and mail.size >",
            "if mail.size is None and len(mail.path) >",
            "smtp-receiving/declared-size",
        ),
        one_recipient_less_than_allowed=(
            _RECEIVE,
            "if len(self._recipients) >= self._server.options.recipient_limit:",
            "if len(self._recipients) + 1 >= self._server.options.recipient_limit:",
            "smtp-receiving/recipients-limit",
        ),
        eight_bits_advertised_to_all=(
            _RECEIVE,
            "if options.advertise_8bitmime.includes(client=client):",
            "if options.advertise_8bitmime.includes(client=False):",
            "smtp-receiving/advertise-8bitmime",
        ),
        login_advertised_to_the_others=(
            _RECEIVE,
            "if options.advertise_auth.includes(client=client):",
            "if options.advertise_auth.includes(client=not client):",
            "smtp-receiving/advertise-auth",
        ),
        ntlm_advertised_to_all=(
            _RECEPTION,
            "ntlm = (NTLM,) if self.advertise_ntlm.includes(client=client) else ()",
            "ntlm = (NTLM,)",
            "smtp-receiving/advertise-ntlm",
        ),
        any_ntlm_proof_will_do=(
            "kernel/ntlm.py",
            "return hmac.compare_digest(_new_proof(key, nonce, reply), reply.response[:16])",
            "return bool(key)",
            "smtp-receiving/ntlm",
        ),
        temporary_clients_need_not_log_in=(
            _RECEIVE,
            "self._server.options.force_auth.includes(client=fixed)",
            "self._server.options.force_auth.includes(client=self._client())",
            "smtp-receiving/force-auth-temporary-client",
        ),
        foreign_senders_must_log_in=(
            _RECEIVE,
            "            and self._server.registered(mail.path)\n",
            "",
            "smtp-receiving/force-auth",
        ),
        users_who_logged_in_must_do_so_again=(
            _RECEIVE,
            "            self._login is None\n            and self._server.options.force_auth",
            "            self._server.options.force_auth",
            "smtp-receiving/force-auth-login",
        ),
        channels_without_number=(
            _LINE,
            "if len(self.open) >= self._channels() or 0",
            "if 0",
            "smtp-receiving/channels",
        ),
        ended_sessions_keep_their_channel=(
            _LINE,
            "        self.open.discard(session)\n",
            "",
            "smtp-receiving/channels",
        ),
        no_channels_but_a_listener=(
            "listeners.py",
            '_CHANNELS.get(service.module, "Channels")) == 0:',
            '_CHANNELS.get(service.module, "Channels")) is None:',
            "smtp-receiving/no-channels",
        ),
        secure_ports_offer_starttls=(
            "entrance.py",
            "            session.secure = True\n",
            "            pass\n",
            "smtp-receiving/secure-port",
        ),
    ),
    *cases(
        RECEIVING,
        TLS,
        starttls_is_offered_again=(
            _RECEIVE,
            "        self.secure = True\n        # What was said",
            "        # What was said",
            "smtp-receiving/starttls",
        ),
    ),
)

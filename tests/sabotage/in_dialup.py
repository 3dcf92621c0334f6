"""Faults of the dial-up service, on both sides (Guide 3.5.2, Dialup and SMTP Module)."""

from sabotage.case import DIALUP, cases

_SCHEDULE = "kernel/schedule.py"
_SEND = "transport/smtp_send.py"
_TURN = "protocols/smtp_turn.py"
_TURNS = "protocols/smtp_turns.py"
_WAKEUPS = "transport/wakeups.py"

CASES = cases(
    DIALUP,
    # For customers
    nothing_is_held=(
        _SEND,
        "return self.is_held(queue.host) or self.is_held(queue.domain)",
        "return False",
        "dialup/hold",
    ),
    released_mail_is_held_on=(
        "transport/smtp_queues.py",
        "        self.held = self.barred = False\n",
        "        self.barred = False\n",
        "dialup/hold",
    ),
    atrn_goes_without_a_login=(
        _TURNS,
        """\
        if self._login is None:
            raise Fault(530, "authentication is required")
        account = self._login.account
        turning = self._turning()
        name = account.name if account.domain.is_main else ""
""",
        """\
        turning = self._turning()
        name = argument
        if self._login is not None:
            account = self._login.account
            name = account.name if account.domain.is_main else ""
""",
        "dialup/atrn-no-login",
    ),
    anybody_may_fetch_the_mail=(
        _TURN,
        "if name.lower() != account.lower():",
        "if not name:",
        "dialup/atrn-refused",
    ),
    mail_that_is_not_held_may_be_fetched=(
        _TURN,
        "if not queue or not (self._sender.is_held(name) or self._sender.is_held(queue)):",
        "if not queue:",
        "dialup/atrn-refused",
    ),
    names_of_other_domains_may_fetch_mail=(
        _TURNS,
        'name = account.name if account.domain.is_main else ""',
        "name = account.name",
        "dialup/atrn-refused",
    ),
    strangers_may_wake_queues=(
        _TURNS,
        "return self._server.options.wakeups_from_clients and not self._client()",
        "return False",
        "dialup/accept-wakeups",
    ),
    etrn_is_not_routed=(
        _SEND,
        'route = router.route(f"wakeup@{domain}")',
        'route = router.route(f"postmaster@{domain}")',
        "dialup/etrn-routed",
    ),
    # As a customer
    etrn_in_spite_of_use_atrn=(
        _WAKEUPS,
        '        if not self._settings.get("SMTP", "UseATRN"):\n            reply',
        '        if self._settings.get("SMTP", "SendWakeupsTo"):\n            reply',
        "dialup/wakeup-atrn",
    ),
    wakeups_are_never_secured=(
        _WAKEUPS,
        "return Security(required=True, wanted=True, names=(queue.domain,))",
        "return Security()",
        "dialup/wakeup-tls",
    ),
    backup_server_is_a_mail_domain=(
        _WAKEUPS,
        'HostQueue(host if "," in host or _has_port(host) else f"{host}:{SMTP_PORT}")',
        "HostQueue(host)",
        "dialup/wakeup-a-record",
    ),
    the_backup_server_is_woken_once=(
        _WAKEUPS,
        "        self._set_timer()\n        self.wake_now()\n",
        "        self.wake_now()\n",
        "dialup/wakeup-etrn",
    ),
    wakeups_disregard_the_schedule=(
        _WAKEUPS,
        "        if self._activity.closed_for:\n",
        "        if self._activity.closed_for < 0:\n",
        "dialup/wakeup-schedule",
    ),
    passwords_go_in_the_clear_first=(
        "protocols/sasl_client.py",
        "    for method in PREFERRED:\n",
        "    for method in reversed(PREFERRED):\n",
        "dialup/wakeup-atrn-secret",
    ),
    # The TCP Activity Schedule
    schedules_end_at_midnight=(
        _SCHEDULE,
        "over = timedelta(days=1 if self.end <= self.start else 0)",
        "over = timedelta(days=1 if self.end == self.start else 0)",
        "dialup/schedule-midnight",
    ),
    schedules_hold_on_every_day=(
        _SCHEDULE,
        "            if day.weekday() in self.days:\n",
        "            if self.days:\n",
        "dialup/schedule-days",
    ),
    sessions_without_a_pause=(
        _SCHEDULE,
        "earliest = max(now, last + element.pause)",
        "earliest = max(now, last)",
        "dialup/schedule-pause",
    ),
    the_first_element_is_the_schedule=(
        _SCHEDULE,
        "    rows = tuple(elements)\n",
        "    rows = tuple(elements)[:1]\n",
        "dialup/schedule-elements",
    ),
)

"""Faults of the Queue and its reports (Guide 3.5.2, Message Transfer)."""

from sabotage.case import LOCAL, SENDING, TRANSFER, UNIFIED, cases

_CHANNEL = "transport/smtp_channel.py"
_DEQUEUER = "queue/dequeuer.py"
_DIRECTORY = "queue/directory.py"
_ENQUEUER = "queue/enqueuer.py"

CASES = (
    *cases(
        TRANSFER,
        # Files
        drafts_given_up_stay=(
            _DIRECTORY,
            "        draft.undo()\n        self._note",
            "        self._note",
            "message-transfer/being-composed",
        ),
        notify_is_not_kept=(
            "queue/head.py",
            'return [("notify", recipient.notify), ("orcpt", recipient.orcpt)]',
            'return [("orcpt", recipient.orcpt)]',
            "message-transfer/options-kept",
        ),
        temporary_files_have_the_general_level=(
            "storage/log.py",
            '"TEMPFILE": ("Queue", "TempFilerLogLevel")',
            '"TEMPFILE": ("Queue", "EnqueuerLogLevel")',
            "message-transfer/temporary-files-log",
        ),
        # Enqueuer
        reports_are_subject_to_rules=(
            _ENQUEUER,
            'if rules and routed.queues and message.envelope.source.protocol != "DEQUEUER":',
            "if rules and routed.queues:",
            "message-transfer/server-rules-reject",
        ),
        rules_see_addresses_as_they_came=(
            _ENQUEUER,
            '(entry.address or host).rpartition("@")[0] or entry.address or host',
            'self.message.envelope.recipients[entry.index].address.rpartition("@")[0]',
            "message-transfer/server-rules-routes",
        ),
        # Dequeuer
        senders_cannot_ask_for_the_whole_message=(
            _DEQUEUER,
            '        return ret.upper() == "FULL"\n',
            '        return ret.upper() == "HDRS"\n',
            "message-transfer/returned",
        ),
        senders_choose_what_is_returned=(
            _DEQUEUER,
            '    if when == "always":\n',
            '    if when == "always" and not ret:\n',
            "message-transfer/returned",
        ),
        copies_of_every_report=(
            _DEQUEUER,
            "if copy and report.worst is Result.FAILED:",
            "if copy and report.worst:",
            "message-transfer/copies",
        ),
        a_report_for_each_recipient=(
            _DEQUEUER,
            "if entry.due and (complete or urgent):",
            "if entry.due:",
            "message-transfer/one-report",
        ),
        reports_wait_for_the_last_recipient=(
            _DEQUEUER,
            "elif entry.due and entry.timer is None:",
            "elif entry.due and entry.timer:",
            "message-transfer/reporting-delay",
        ),
        reports_forget_the_envelope_id=(
            "queue/report.py",
            "    if report.envelope.envid:\n",
            "    if report.envelope.envid and not report.to:\n",
            "message-transfer/options-kept",
        ),
        # Delays
        refused_recipients_delay_the_queue=(
            _CHANNEL,
            "            if answer.fate is Fate.DELAYED:\n                self._delay(rest)\n",
            (
                "            if answer.fate is Fate.DELAYED:\n                self._delay(rest)\n"
                '                self.suspend(queue, "delayed")\n'
            ),
            "message-transfer/message-delayed",
        ),
    ),
    *cases(
        SENDING,
        LOCAL,
        UNIFIED,
        each_recipient_gets_a_copy=(
            _ENQUEUER,
            "            self._modules[module].enqueue(routed.message, host, entries)\n",
            (
                "            for entry in entries:\n"
                "                self._modules[module].enqueue(routed.message, host, [entry])\n"
            ),
            "smtp-sending/one-copy",
        ),
    ),
    *cases(
        SENDING,
        LOCAL,
        TRANSFER,
        delays_are_not_reported=(
            "queue/envelope.py",
            'return condition != "SUCCESS"',
            'return condition == "FAILURE"',
            "smtp-sending/warnings",
        ),
    ),
)

"""ETRN, ATRN and TURN as commands of a session.

:class:`reference.protocols.smtp_turn.Turning` judges them; here is what the session does: it waits
until the client is known, replies, and gives its connection away (Guide 3.5.2, SMTP Module, Serving
Dial-up Client Hosts; RFC 1985, RFC 2645).
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.protocols.line import Doing
from reference.protocols.smtp_dialogue import SMTPDialogue
from reference.protocols.smtp_grammar import Fault
from reference.protocols.smtp_turn import Turning
from reference.transport.smtp_client import SMTPClient
from reference.transport.smtp_hosts import Relay


class SMTPTurns(SMTPDialogue):
    """A dialogue with clients that come for their mail."""

    def _do_etrn(self, argument: str) -> Doing:
        if self._standing is None and self._server.options.wakeups_from_clients:
            return self._when_known(lambda: self._start_queue(argument))
        return self._start_queue(argument)

    def _start_queue(self, argument: str) -> Doing:
        try:
            if self._may_not_wake():
                raise Fault(459, f"{argument} is not allowed: from clients only")
            self._reply(*self._turning().start_queue(argument))
        except Fault as fault:
            self._reply(fault.code, fault.text)
        return None

    def _may_not_wake(self) -> bool:
        return self._server.options.wakeups_from_clients and not self._client()

    def _do_turn(self, argument: str) -> Doing:
        if argument:
            raise Fault(501, "TURN has no parameters")
        return self._do_atrn("")

    def _do_atrn(self, argument: str) -> Doing:
        if self._mail is not None:
            raise Fault(503, "not in the middle of a message")
        if self._login is None:
            raise Fault(530, "authentication is required")
        account = self._login.account
        turning = self._turning()
        name = account.name if account.domain.is_main else ""
        queue = turning.queue_for_turn(argument, name)
        self._reply(250, "OK now reversing the connection")

        def trace(line: str) -> None:
            self._server.log.write(4, f"SMTPO({queue})", line)

        client = SMTPClient(trace)
        self.hand_over(client)
        # The relay is whoever has connected: the port is the client's own.
        relay = Relay(queue, self.remote_ip, getattr(self.transport.getPeer(), "port", 0))
        sending = turning.send(queue, client, relay, secured=self.secure)
        Deferred.fromCoroutine(sending).addErrback(self._sending_failed)
        return None

    def _sending_failed(self, failure: Failure) -> None:
        self._server.log.write(1, self._tag, f"fault: {failure.getTraceback()}")
        self.transport.abortConnection()

    def _turning(self) -> Turning:
        turning = self._server.turning
        if turning is None:
            raise Fault(502, "the command is not implemented")
        return turning

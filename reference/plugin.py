"""The server as a Twisted service: ``twist mailproof --base DIR …``."""

from __future__ import annotations

import shlex
from typing import Any

from twisted.application.service import IServiceMaker, Service
from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from reference.app import StartError, make_server
from reference.main import complain
from reference.options import ServerOptions, parse


class Options(usage.Options):
    """The options of ``mailproof-server`` behind the word ``mailproof``."""

    server: ServerOptions

    def parseOptions(self, options: Any = None) -> None:
        """Read them with the server's own parser, so that both commands take the same."""
        self.server = parse(options if options is not None else [])

    def __str__(self) -> str:
        return shlex.join(["mailproof", "--base", str(self.server.base)])


class MailService(Service):
    """Starts and stops the server with the Twisted application that it is part of."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options

    def startService(self) -> None:
        """Start the server on the reactor; end the program with status 1 when that cannot be."""
        from twisted.internet import reactor

        super().startService()  # type: ignore[no-untyped-call]
        try:
            self._server = make_server(self._options, reactor=reactor)
            self._server.start()
        except StartError as error:
            raise SystemExit(complain(error)) from None

    def stopService(self) -> Any:
        """Stop the server; the Deferred fires when everything accepted is safe on disk."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self._server.stop()


@implementer(IServiceMaker, IPlugin)
class MailproofServiceMaker:
    """Tells ``twist`` about the server."""

    tapname = "mailproof"
    description = "A mail server of the CommuniGate Pro family."
    options = Options

    def makeService(self, options: Options) -> MailService:
        """Build the service from its options."""
        return MailService(options.server)

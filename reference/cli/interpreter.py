"""The interpreter of the CLI: finds the command of a line, checks, does it, and answers.

Guide 3.5.2, Command Line Interface. The way of a line: name → row of the command table → may this
user use it → parameters → function → answer. Everything that the server's parts raise on bad input
becomes an answer in one table, so a command either is done or has changed nothing and says why.
"""

from __future__ import annotations

from collections.abc import Iterable

from reference.cli.command import Answer, Call, Command, Kernel, denied
from reference.cli.replies import Code, CommandError, Reply
from reference.cli.rights import Authority, UnknownRight, as_granted
from reference.cli.syntax import CommandSyntaxError, split_name
from reference.formats.dictionary import DictionaryError
from reference.kernel.iplist import AddressSyntaxError
from reference.kernel.routes import RoutingError
from reference.kernel.table import TableSyntaxError
from reference.storage.account import Account
from reference.storage.errors import StorageError

__all__ = ["Interpreter"]


class Interpreter:
    """Does command lines on behalf of accounts."""

    def __init__(self, *, kernel: Kernel, commands: Iterable[Command]) -> None:
        self._kernel = kernel
        self._commands: dict[str, Command] = {}
        self._names: list[str] = []
        for command in commands:
            self._names.append(command.name)
            for name in filter(None, (command.name, command.short)):
                if self._commands.setdefault(name.lower(), command) is not command:
                    raise ValueError(f"two commands have the name {name}")

    def execute(self, line: str, account: Account) -> Reply:
        """Do one command line and return its answer. Never raises for what a user may send."""
        try:
            return _positive(self._execute(line, account))
        except CommandError as error:
            return Reply(error.code, error.text)
        except _REFUSED as error:
            return _refusal(error)

    def _execute(self, line: str, account: Account) -> Answer:
        name, end = split_name(line)
        command = self._commands.get(name.lower())
        if command is None:
            raise CommandError("unknown command", Code.UNKNOWN)
        authority = self._authority(account)
        if not command.access.admits(authority):
            raise denied()
        call = Call(
            kernel=self._kernel,
            account=account,
            authority=authority,
            arguments=command.usage.parse(line, end),
        )
        return command.run(call)

    def help(self, name: str) -> Reply:
        """Return the names of all commands, or how the named one is written."""
        if not name:
            return _positive(list(self._names))
        command = self._commands.get(name.lower())
        if command is None:
            return Reply(Code.UNKNOWN, "unknown command")
        return _positive(f"{command.name} {command.usage.notation}".strip())

    def _authority(self, account: Account) -> Authority:
        domain = account.domain
        if domain.accounts.get(account.name.lower()) is not account:
            raise CommandError("the account of this session does not exist any more")
        return Authority(
            domain=domain.name, in_main_domain=domain.is_main, rights=as_granted(account.rights)
        )


def _positive(answer: Answer) -> Reply:
    return Reply(Code.OK, "OK", answer)


#: What the server's parts refuse, the code of the answer, and what its text begins with; the first
#: class that fits counts.
_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    CommandSyntaxError: (Code.FAILED, "syntax error, "),
    TableSyntaxError: (Code.FAILED, "Router Table, "),
    AddressSyntaxError: (Code.FAILED, "IP Addresses, "),
    DictionaryError: (Code.FAILED, "a file of the Settings directory is damaged, "),
    UnknownRight: (Code.FAILED, "unknown access right: "),
    RoutingError: (Code.FAILED, ""),
    StorageError: (Code.FAILED, ""),
}

_REFUSED = tuple(_REFUSALS)


def _refusal(error: Exception) -> Reply:
    for kind, (code, beginning) in _REFUSALS.items():
        if isinstance(error, kind):
            return Reply(code, f"{beginning}{error}")
    raise error

"""Commands on Personal Web Sites.

Guide 3.5.2, Command Line Interface, Personal Web Site Administration. The owner may use them, a
System Administrator, and a domain administrator with the right WebSite.
"""

from __future__ import annotations

import base64
import binascii

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError
from reference.formats.dictionary import Value
from reference.storage.web_files import WebFiles

__all__ = ["COMMANDS"]

_RIGHT = "WebSite"


def _files(call: Call) -> WebFiles:
    return WebFiles(call.own_or(call.arguments.text("accountName"), _RIGHT))


def _list(call: Call) -> Answer:
    listing = _files(call).listing(call.arguments.optional("filePath") or "")
    shown: dict[str, Value] = {
        name: [] if size is None else {"Size": str(size)} for name, size in listing.items()
    }
    return shown


def _get(call: Call) -> Answer:
    content = _files(call).read(call.arguments.text("fileName"))
    return base64.b64encode(content).decode("ascii")


def _put(call: Call) -> Answer:
    try:
        content = base64.b64decode(call.arguments.text("encodedData"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CommandError(f"the data is not Base64: {error}") from error
    _files(call).store(call.arguments.text("fileName"), content)
    return None


def _rename(call: Call) -> Answer:
    _files(call).rename(call.arguments.text("oldFileName"), call.arguments.text("newFileName"))
    return None


def _delete(call: Call) -> Answer:
    _files(call).delete(call.arguments.text("fileName"))
    return None


def _totals(call: Call) -> Answer:
    size, number = _files(call).totals()
    return [str(size), str(number)]


_NAME = "accountName:string"

COMMANDS: tuple[Command, ...] = (
    row("ListWebFiles", _list, f"{_NAME} [PATH filePath:string]", access=Access.EVERYBODY),
    row("GetWebFile", _get, f"{_NAME} FILE fileName:string", access=Access.EVERYBODY),
    row(
        "PutWebFile",
        _put,
        f"{_NAME} FILE fileName:string DATA encodedData:string",
        access=Access.EVERYBODY,
    ),
    row(
        "RenameWebFile",
        _rename,
        f"{_NAME} FILE oldFileName:string INTO newFileName:string",
        access=Access.EVERYBODY,
    ),
    row("DeleteWebFile", _delete, f"{_NAME} FILE fileName:string", access=Access.EVERYBODY),
    row("GetWebFilesInfo", _totals, _NAME, access=Access.EVERYBODY),
)

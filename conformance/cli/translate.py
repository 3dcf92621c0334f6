"""``mailproof translate``: a Routing Table as native maps, and what they do not hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_DIFFERENCE
from conformance.translate import (
    SERVERS,
    Installation,
    Outcome,
    TableError,
    Translation,
    parse_table,
    translate,
)
from conformance.translate.report import report


class TranslateError(Exception):
    """The table cannot be read, or the maps cannot be written; one sentence."""


MISUSE = (TranslateError,)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Print a Routing Table as native maps of another server and say, record by record, what "
        "they do not hold and why. Exit status: 0 all records are carried over, 1 some differ or "
        "are not carried, 2 the table is wrong."
    )
    add = parser.add_argument
    add("table", metavar="ROUTER_TABLE", help="a file with the table's text; - is standard input")
    add("--to", required=True, choices=sorted(SERVERS), help="the new server")
    add(
        "--main-domain",
        default="mycompany.com",
        metavar="NAME",
        help="the Main Domain of the old server (default %(default)s)",
    )
    add(
        "--local-domain",
        action="append",
        default=[],
        metavar="NAME",
        help="a secondary domain of the old server; may be repeated",
    )
    add("--folder", default="", help="where the maps will lie; default: the server's usual place")
    add("-o", "--output", metavar="DIR", help="write the files there and print the report alone")


def run(options: argparse.Namespace) -> int:
    """Translate one table. Raises TranslateError."""
    installation = Installation(
        main_domain=options.main_domain,
        local_domains=tuple(options.local_domain),
        folder=options.folder,
    )
    try:
        records = parse_table(_read(options.table))
    except TableError as error:
        raise TranslateError(f"{options.table}: {error}") from None
    result = translate(records, to=options.to, installation=installation)
    if options.output is None:
        _show(result)
    else:
        _write(result, Path(options.output))
    for line in report(result):
        print(line)
    carried = all(each.outcome is Outcome.CARRIED for each in result.verdicts)
    return EXIT_AS_EXPECTED if carried else EXIT_DIFFERENCE


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise TranslateError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TranslateError(f"{name}: not a text in UTF-8; write one record a line") from None


def _show(result: Translation) -> None:
    for file in result.files:
        print(f"### {file.name}: {file.use}\n{file.text}")


def _write(result: Translation, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in result.files:
            (folder / file.name).write_text(file.text, encoding="utf-8")
    except OSError as error:
        raise TranslateError(f"{folder}: {error.strerror}") from None

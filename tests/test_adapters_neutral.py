"""Only the adapters, and what translates for them, know the name of any other server."""

from __future__ import annotations

import re
from pathlib import Path

CORE = Path(__file__).parent.parent / "conformance"
NAMES = re.compile(r"postfix(?!es)|exim4?\b|dovecot|sendmail|qmail", re.IGNORECASE)
#: Folders whose subject other servers are.
ABOUT_SERVERS = {"adapters", "translate"}


def core_files() -> list[Path]:
    files = sorted(CORE.rglob("*.py")) + sorted(CORE.rglob("*.html")) + sorted(CORE.rglob("*.js"))
    return [path for path in files if path.relative_to(CORE).parts[0] not in ABOUT_SERVERS]


def test_the_core_names_no_server() -> None:
    found = [
        f"{path.relative_to(CORE)}:{number}: {line.strip()}"
        for path in core_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if NAMES.search(line)
    ]
    assert not found


def test_the_core_imports_no_adapter() -> None:
    found = [
        str(path.relative_to(CORE))
        for path in core_files()
        if "conformance.adapters" in path.read_text(encoding="utf-8")
    ]
    assert not found


def test_the_search_finds_a_name() -> None:
    assert len(core_files()) > 80
    assert NAMES.search("from conformance.adapters.postfix import target")
    assert NAMES.search("Exim says")
    assert NAMES.search("/usr/sbin/exim4")
    assert not NAMES.search("postfixes of names")

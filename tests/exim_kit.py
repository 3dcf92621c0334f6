"""Exim's own program for tests: installed, named by MAILPROOF_EXIM, or as .ci/packages lays it out.

The program asks for its user Debian-exim before anything else. Where only the package's contents
are there, and not that user, it runs in a mount namespace whose /etc/passwd and /etc/group know it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

_LAID_OUT = Path(__file__).parent.parent / ".packages" / "exim" / "usr" / "sbin" / "exim4"
_USER = "Debian-exim"
_NUMBER = 61005
_WITH_USER = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"'


def _program() -> str:
    named = os.environ.get("MAILPROOF_EXIM", "exim4")
    return shutil.which(named, path="/usr/sbin:/usr/bin") or shutil.which(_LAID_OUT) or ""


def _has_user() -> bool:
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        return False
    return True


PROGRAM = _program()


def _missing() -> str:
    if not PROGRAM:
        return "needs Debian's package exim4-daemon-heavy"
    if not _has_user() and (os.geteuid() != 0 or not shutil.which("unshare")):
        return f"needs the user {_USER}, of Debian's package exim4-daemon-heavy"
    return ""


needs_exim = pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")


def run_exim(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Exim to its end; the caller looks at the status."""
    if _has_user():
        return _run([PROGRAM, *words])
    with tempfile.TemporaryDirectory() as folder:
        users, groups = Path(folder, "passwd"), Path(folder, "group")
        entry = f"{_USER}:x:{_NUMBER}:"
        users.write_text(f"{Path('/etc/passwd').read_text()}{entry}{_NUMBER}::/:/bin/false\n")
        groups.write_text(f"{Path('/etc/group').read_text()}{entry}\n")
        inside = ["unshare", "--mount", "sh", "-c", _WITH_USER, "sh", str(users), str(groups)]
        return _run([*inside, PROGRAM, *words])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)

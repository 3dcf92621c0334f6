"""Privileges: opening the ports takes those of root, everything else does not.

A server that is started by root with ``--user NAME`` becomes that user as soon as its ports are
open. A base directory that has just been made is given to the user; one that was there is left as
it is, and must be the user's already.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path


class PrivilegeError(Exception):
    """The server cannot become this user; one sentence."""


def become(user: str, *, base: Path, fresh: bool) -> None:
    """Become a user for good; ``fresh`` gives the base directory to it first.

    Raises PrivilegeError.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError("there is no such user on this computer") from None
    try:
        if fresh:
            for path in (base, *base.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        os.initgroups(user, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except OSError as error:
        raise PrivilegeError(error.strerror) from error
    if not os.access(base / "Queue", os.R_OK | os.W_OK | os.X_OK):
        raise PrivilegeError(f"this user may not write into {base}")

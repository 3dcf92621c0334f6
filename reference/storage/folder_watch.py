"""Changes of a folder, told by the operating system.

Files that appear in a folder, by being made or moved there, are noticed by Linux (inotify) and not
by looking again and again. What the files are is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.inotify import IN_CREATE, IN_MOVED_TO, INotify
from twisted.python._inotify import INotifyError
from twisted.python.filepath import FilePath


class FolderWatch:
    """Watches folders with a reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._notifier: INotify | None = None

    def watch(self, folder: Path, changed: Callable[[], None]) -> bool:
        """Call ``changed`` whenever a file appears; return False when the system cannot tell."""
        try:
            if self._notifier is None:
                self._notifier = INotify(self._reactor)
                self._notifier.startReading()
            self._notifier.watch(
                FilePath(str(folder)),
                mask=IN_CREATE | IN_MOVED_TO,
                callbacks=[lambda *_: changed()],
            )
        except (INotifyError, OSError):
            return False
        return True

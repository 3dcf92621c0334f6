"""Which mailboxes are open: one :class:`Mailbox` object a file, as long as anybody uses it.

The last few hundred stay open, so that a busy account's file is not indexed for each delivery; the
others are forgotten when their last user lets go of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from reference.storage.mbox import Mailbox, UidStore
from reference.storage.mdir import SUFFIX, DirectoryMailbox, SharedFiles


class OpenMailboxes:
    """The open mailboxes of a server; may be used from any thread."""

    def __init__(self, *, remark: Callable[[str], None] | None = None, keep: int = 500) -> None:
        """``remark`` is told about repairs, ``keep`` mailboxes stay open unused."""
        self._remark = remark
        self._keep = keep
        self._open: WeakValueDictionary[Path, Mailbox] = WeakValueDictionary()
        self._recent: OrderedDict[Path, Mailbox] = OrderedDict()
        self._shared = SharedFiles()
        self._lock = threading.Lock()

    def get(self, path: Path, uids: Callable[[], UidStore]) -> Mailbox:
        """Return the mailbox of a file; ``uids`` makes its memory when it is not open yet."""
        with self._lock:
            mailbox = self._open.get(path)
            if mailbox is None:
                mailbox = self._made(path, uids())
                self._open[path] = mailbox
            self._recent[path] = mailbox
            self._recent.move_to_end(path)
            if len(self._recent) > self._keep:
                self._recent.popitem(last=False)
            return mailbox

    def _made(self, path: Path, uids: UidStore) -> Mailbox:
        if path.suffix == SUFFIX:
            return DirectoryMailbox(path=path, uids=uids, shared=self._shared, remark=self._remark)
        return Mailbox(path=path, uids=uids, remark=self._remark)

    def forget(self, folder: Path) -> None:
        """Forget the mailboxes below a folder that was removed or renamed."""
        with self._lock:
            for path in [path for path in self._open if folder in path.parents]:
                del self._open[path]
                self._recent.pop(path, None)

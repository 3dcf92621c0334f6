"""The data of a message on the wire: where it ends, and which dots were added.

A message ends with CR LF, a dot, CR LF (or a dot and CR LF at its very start), and with nothing
else: a dot between bare LF or CR characters is content. A message with a bare CR or LF anywhere is
read to its end and marked, so that the session refuses it; a server that passed it on would let a
sender hide a second message in the first from one of two servers ("SMTP smuggling"). All other
octets, NUL and 8-bit ones too, pass unchanged.

RFC 5321, 2.3.8 and 4.5.2. Bytes in, blocks out: whole buffers are searched, never single lines, so
that the length of a line costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable

_END = b"\r\n.\r\n"
_LINE_END = b"\r\n"
_DOT_LINE = b"\r\n."
#: Beginnings of the end mark that may stand at the end of a buffer, the longest first.
_BEGINNINGS = tuple(_END[:length] for length in range(len(_END) - 1, 0, -1))


class DataReader:
    """Takes the octets after a 354 and hands the content to ``sink`` in blocks."""

    __slots__ = ("_begun", "_held", "_sink", "bare")

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        # The first line begins as if a line had ended before it; these octets are taken off again.
        self._held = _LINE_END
        self._begun = False
        self.bare = False
        """True once a bare CR or LF has been seen."""

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets; return what follows the end of the message, or None before it."""
        if self._held:
            octets = self._held + octets
        end = octets.find(_END)
        if end >= 0:
            self._held = b""
            self._emit(octets[: end + len(_LINE_END)])
            return octets[end + len(_END) :]
        for beginning in _BEGINNINGS:
            if octets.endswith(beginning):
                self._held = beginning
                octets = octets[: -len(beginning)]
                break
        else:
            self._held = b""
        if octets:
            self._emit(octets)
        return None

    def _emit(self, octets: bytes) -> None:
        # A CR LF never stands across two blocks: a CR at the end of a buffer is held back.
        lines = octets.count(_LINE_END)
        if octets.count(b"\n") != lines or octets.count(b"\r") != lines:
            self.bare = True
        if _DOT_LINE in octets:
            octets = octets.replace(_DOT_LINE, _LINE_END)
        if not self._begun:
            self._begun = True
            octets = octets[len(_LINE_END) :]
        if octets:
            self._sink(octets)


def stuffed(octets: bytes, *, line_start: bool = True) -> bytes:
    """Return content with a dot added to each line that begins with one.

    ``octets`` must not end between CR and LF; ``line_start`` tells whether a line begins with them.
    """
    if _DOT_LINE in octets:
        octets = octets.replace(_DOT_LINE, b"\r\n..")
    if line_start and octets.startswith(b"."):
        octets = b"." + octets
    return octets

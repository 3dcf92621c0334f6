"""Message content on its way to an SMTP server: line ends and dots (RFC 5321, 4.5.2).

A line is what ends with CR LF. A lone CR or LF in the content becomes CR LF: a receiver that takes
it for a line end would otherwise see other lines than we double the dots of, and a message could
smuggle in a second one. Works on blocks of any size.
"""

from __future__ import annotations

import re

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class DotStuffing:
    """Prepares the content of one message, block by block."""

    def __init__(self) -> None:
        self._line_start = True
        self._held = b""  # a CR whose LF may begin the next block

    def feed(self, block: bytes) -> bytes:
        """Return what is to be sent for the next block of content."""
        block = self._held + block
        self._held = b""
        if block.endswith(b"\r"):
            self._held = b"\r"
            block = block[:-1]
        return self._stuff(block)

    def finish(self) -> bytes:
        """Return the end of the data, with the final dot."""
        rest = self._stuff(b"\r\n") if self._held else b""
        self._held = b""
        return rest + (b".\r\n" if self._line_start else b"\r\n.\r\n")

    def _stuff(self, block: bytes) -> bytes:
        if not block:
            return b""
        # Nearly every block has whole line ends only, which counting tells fastest.
        if not block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r"):
            block = _LONE.sub(b"\r\n", block)
        stuffed = block.replace(b"\r\n.", b"\r\n..")
        if self._line_start and block.startswith(b"."):
            stuffed = b"." + stuffed
        self._line_start = block.endswith(b"\n")
        return stuffed

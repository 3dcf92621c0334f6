"""The terminal, and texts for it: what servers said may hold anything, and must not steer it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape

#: Control characters of ASCII and of ISO 8859-1; ESC and CSI would be obeyed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal(Console):
    """Standard output, where words are coloured only if we say so."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        """Leave it to the command line what happens when the reader goes away."""
        raise BrokenPipeError


def shown(text: str, *, width: int = 0) -> str:
    r"""Return untrusted text as rich markup that shows it literally.

    Control characters are written as ``\xNN``; a text of more than ``width`` characters ends in
    an ellipsis (0: it may have any length).
    """
    if width and len(text) > width:
        text = f"{text[: width - 1]}…"
    return escape(_CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text))


def short_path(text: str) -> str:
    """Return a path (``path:line:column`` too) relative to the current folder if it is below it."""
    prefix = f"{Path.cwd()}{os.sep}"
    return text.removeprefix(prefix)

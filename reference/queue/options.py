"""The settings registry, as the queue and the delivering modules read it.

Keywords of the module ``Queue`` (Guide 3.5.2, Message Transfer, Dequeueing): ``ReportingDelay``
(seconds), ``FailureReturn`` (``headers by default``, ``body by default``, ``always headers``,
``always body``) and ``CopyFailuresTo`` (an address; empty for nobody).
"""

from __future__ import annotations

from typing import Any, Protocol


class Settings(Protocol):
    """The settings registry."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""

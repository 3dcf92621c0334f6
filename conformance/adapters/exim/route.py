"""Route, answered by Exim's address test (``exim -bt``).

With the macro ``ROUTE_ONLY`` the last routers say where an address would go instead of
sending it there (:mod:`.routers`); everything before them is what mail meets, too.
"""

from __future__ import annotations

import re

from conformance.targets.dictionary import dump

_REFUSED = 501
_FOUND = re.compile(r"is undeliverable: route: (\S+) (\S*) ?(.*)")
_UNDELIVERABLE = re.compile(r"(?:is undeliverable|cannot be resolved at this time): (.*)")


def answer(output: str) -> tuple[int, str]:
    """Return the code and the data of Route's answer, from the output of ``exim -bt``."""
    found = _FOUND.search(output)
    if found is not None:
        return 200, dump([found[1], found[2], found[3].strip()])
    if "is discarded" in output:
        return 200, dump(["SYSTEM", "NULL", ""])
    failed = _UNDELIVERABLE.search(output)
    reason = failed[1] if failed is not None else " ".join(output.split())
    return _REFUSED, reason or "the address cannot be routed"

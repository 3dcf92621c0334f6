"""All families, by name."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.generate import addresses, relays, retries, windows
from conformance.generate.family import Family

FAMILIES: Mapping[str, Family] = {
    module.FAMILY.name: module.FAMILY for module in (addresses, relays, retries, windows)
}

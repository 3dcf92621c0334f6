"""Kinds of settings that are keys and certificates (Guide 3.5.2, Security).

They are kept as the texts that were entered; the empty text is none. Reading them takes a library
that a server without TLS need not load, so it is loaded when the first one is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reference.formats.dictionary import Value
from reference.storage.errors import SettingError
from reference.storage.kinds import Kind, Text

KEY, CERTIFICATE, CHAIN = "PrivateSecureKey", "SecureCertificate", "CAChain"


@dataclass(frozen=True)
class Pem(Kind):
    """A text in PEM: ``key``, ``certificate`` or ``chain``."""

    what: str
    description: str = "a text in PEM"

    def parse(self, value: Value) -> str:
        text = Text(self.description).parse(value).strip()
        if text:
            _read(self.what, text)
        return text

    def print(self, value: str) -> Value:
        return value


@lru_cache(maxsize=1000)
def _read(what: str, text: str) -> None:
    """Raise ValueError for a text that cannot be read; settings are read often, keys are slow."""
    from reference.formats import pem

    readers: Mapping[str, Callable[[str], object]] = {
        "key": pem.read_key,
        "certificate": pem.read_certificate,
        "chain": pem.read_chain,
    }
    readers[what](text)


def with_dependents(
    changes: Mapping[str, Value], explicit: Mapping[str, Value]
) -> dict[str, Value]:
    """Return changes of Domain Settings and what they entail.

    A certificate is for one private key only: when the key goes or another one comes, the
    certificate and its chain go, unless they are among the changes.
    """
    if KEY not in changes or changes[KEY] == explicit.get(KEY):
        return dict(changes)
    return {CERTIFICATE: "default", CHAIN: "default", **changes}


def check(typed: Mapping[str, Any], *, has_address: bool) -> None:
    """Check that key and certificate fit together and to the domain. Raises SettingError."""
    key, certificate = typed.get(KEY), typed.get(CERTIFICATE)
    if not (key or certificate):
        return
    if not has_address:
        raise SettingError(f"{KEY}: a domain without an assigned network address can have no key")
    if not certificate:
        return
    if not key:
        raise SettingError(f"{CERTIFICATE}: the domain has no private key that it could be for")
    from reference.formats import pem

    if not pem.belongs(pem.read_certificate(certificate), pem.read_key(key)):
        raise SettingError(f"{CERTIFICATE}: it is for another private key")

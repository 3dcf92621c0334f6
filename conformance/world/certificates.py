"""Certificates of remote hosts, made when a scenario first asks for one.

Kinds (docs/scenarios.md, peers, certificate): ``good``, ``expired``, ``wrong-name`` and
``self-signed``. All keys are on an elliptic curve, for an RSA key costs a scenario its time; a
context is made once a process. Nothing here is written to a disk that outlives the process.
"""

from __future__ import annotations

import datetime
import functools
import ssl
import tempfile

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conformance.world.plan import PlanError

KINDS = ("good", "expired", "wrong-name", "self-signed")
_AUTHORITY = "Mailproof Test Authority"


def check_kind(kind: str) -> None:
    """Raise PlanError when no certificate of this kind can be made."""
    if kind not in KINDS:
        raise PlanError(f"unknown certificate {kind!r}; known are {', '.join(KINDS)}")


@functools.cache
def server_context(kind: str, host: str) -> ssl.SSLContext:
    """Return a TLS context for the remote host, with a certificate of the kind.

    Raises PlanError for an unknown kind.
    """
    check_kind(kind)
    chain = self_signed(host) if kind == "self-signed" else _issued(kind, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads keys from files only.
    with tempfile.NamedTemporaryFile(prefix="mailproof-", suffix=".pem") as file:
        file.write(chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def authority_pem() -> bytes:
    """Return the certificate of the authority that issues all but the self-signed ones."""
    return bytes(_authority().cert_pem.bytes())


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA(organization_name=_AUTHORITY)


def _issued(kind: str, host: str) -> bytes:
    name = f"other-than.{host}" if kind == "wrong-name" else host
    expiry = datetime.datetime(2001, 1, 1) if kind == "expired" else None
    # The documents speak of the Common Name, newer software of alternative names: both are there.
    issued = _authority().issue_cert(name, common_name=name, not_after=expiry)
    return bytes(issued.private_key_and_cert_chain_pem.bytes())


def self_signed(host: str) -> bytes:
    """Return a key and a certificate that it has signed itself, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(pem)

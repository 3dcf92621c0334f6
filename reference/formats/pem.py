"""Private keys, certificates and signing requests as texts: reading, checking and making them.

Guide 3.5.2, Security, Assigning a Private Key, Assigning a Certificate and Assigning a Certificate
Authority Chain. Texts are PEM; a block of base64 without its frame is taken as well. Everything
here is pure but for the randomness of keys; bad texts raise ValueError with a sentence.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

#: What may be asked for.
KEY_SIZES = (512, 1024, 2048)
#: How long a certificate that we sign ourselves is good for.
YEARS = 10
_KEY = "a PEM-encoded private key (RSA or elliptic curve, without a password) is expected"
_CERTIFICATE = "a PEM-encoded certificate is expected"
_CHAIN = "one or more PEM-encoded certificates are expected"
_VERIFICATION = b"Verification String"
#: The guide's names of subject fields and the types they stand for, in the guide's order.
ATTRIBUTES: Mapping[str, x509.ObjectIdentifier] = {
    "Country": NameOID.COUNTRY_NAME,
    "Province": NameOID.STATE_OR_PROVINCE_NAME,
    "City": NameOID.LOCALITY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "Unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "Common Name": NameOID.COMMON_NAME,
    "Contact": NameOID.EMAIL_ADDRESS,
}


def _framed(text: str, frame: str) -> bytes:
    """Return a text as PEM; a bare base64 block gets the frame."""
    if "-----BEGIN" in text:
        return text.replace("\r\n", "\n").encode("ascii", "replace") + b"\n"
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is neither PEM nor base64") from error
    body = base64.encodebytes(octets)
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % ((frame.encode(), body, frame.encode()))


@lru_cache(maxsize=100)  # reading one checks that its numbers are primes, which takes a while
def read_key(text: str) -> Key:
    """Return the private key of a text. Raises ValueError."""
    try:
        key = _load_key(text)
    except (ValueError, TypeError) as error:
        raise ValueError(_KEY) from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError(_KEY)
    return key


def _load_key(text: str) -> object:
    if "-----BEGIN" in text:
        return serialization.load_pem_private_key(_framed(text, ""), None)
    try:
        return serialization.load_pem_private_key(_framed(text, "PRIVATE KEY"), None)
    except ValueError:
        return serialization.load_pem_private_key(_framed(text, "RSA PRIVATE KEY"), None)


def read_certificate(text: str) -> x509.Certificate:
    """Return the first certificate of a text. Raises ValueError."""
    try:
        return x509.load_pem_x509_certificate(_framed(text, "CERTIFICATE"))
    except ValueError as error:
        raise ValueError(_CERTIFICATE) from error


def read_chain(text: str) -> list[x509.Certificate]:
    """Return the certificates of a text, in order. Raises ValueError."""
    try:
        return x509.load_pem_x509_certificates(_framed(text, "CERTIFICATE"))
    except ValueError as error:
        raise ValueError(_CHAIN) from error


def key_text(key: Key) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode("ascii")


def certificate_text(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def make_key(size: int) -> Key:
    """Make a random RSA key. Raises ValueError for a size that is not offered."""
    if size not in KEY_SIZES:
        raise ValueError(f"the size of a key is one of {', '.join(map(str, KEY_SIZES))}")
    if size >= 1024:
        return rsa.generate_private_key(65537, size)
    # The documents offer sizes that no program should make today, and some programs will not.
    key = crypto.PKey()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        key.generate_key(crypto.TYPE_RSA, size)
    made = key.to_cryptography_key()
    assert isinstance(made, rsa.RSAPrivateKey)
    return made


def make_test_key() -> Key:
    """Make a random key on an elliptic curve, which takes no time."""
    return ec.generate_private_key(ec.SECP256R1())


def is_weak(key: Key) -> bool:
    """Tell whether a key is shorter than what is taken for safe today."""
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048


def belongs(certificate: x509.Certificate, key: Key) -> bool:
    """Tell whether a certificate is for this key."""
    der = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*der) == key.public_key().public_bytes(*der)


def works(key: Key) -> bool:
    """Tell whether what the key's one half makes, the other half understands."""
    if isinstance(key, rsa.RSAPrivateKey):
        try:
            sealed = key.public_key().encrypt(_VERIFICATION, padding.PKCS1v15())
            return key.decrypt(sealed, padding.PKCS1v15()) == _VERIFICATION
        except ValueError:
            return False
    signature = key.sign(_VERIFICATION, ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, _VERIFICATION, ec.ECDSA(hashes.SHA256()))
    return True


def subject(attributes: Mapping[str, str]) -> x509.Name:
    """Return the name that the guide's attributes make. Raises ValueError."""
    try:
        return x509.Name(
            x509.NameAttribute(oid, attributes[name])
            for name, oid in ATTRIBUTES.items()
            if attributes.get(name)
        )
    except ValueError as error:
        raise ValueError(f"the certificate attributes are not right: {error}") from error


def shown(name: x509.Name) -> dict[str, str]:
    """Return a name as the guide's attributes."""
    words = {oid: word for word, oid in ATTRIBUTES.items()}
    return {words[each.oid]: str(each.value) for each in name if each.oid in words}


def sign_self(key: Key, name: x509.Name, *, host: str, now: float) -> x509.Certificate:
    """Return a certificate for a key, issued by its own subject."""
    begin = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def request_text(key: Key, name: x509.Name) -> str:
    """Return a signing request for a key, as PEM."""
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def chain_texts(certificates: Sequence[x509.Certificate]) -> str:
    """Return certificates as one PEM text."""
    return "".join(map(certificate_text, certificates))

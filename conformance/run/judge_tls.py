"""Step ``tls``: how the server secures a connection."""

from __future__ import annotations

import ssl
from typing import Any

from conformance.run.certificates import name_complaint, signed_by_itself
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import TlsStep
from conformance.world.clients.replies import ClientError, Dialect
from conformance.world.clients.secure import SecureClient, Shown

#: Ports on which TLS begins with a command of the protocol.
_COMMANDS = {25: Dialect.SMTP, 587: Dialect.SMTP, 110: Dialect.POP, 143: Dialect.IMAP}


async def judge_tls(scene: Scene, step: Step) -> None:
    """Connect, secure the connection, look at what is shown. Raises Mismatch."""
    value: TlsStep = step.value
    channel = f"tls port {value.port}"
    client = SecureClient(scene.plan, scene.transcript, channel=channel, seconds=scene.patience)
    try:
        shown = await _shown(scene, client, value)
    except ClientError as error:
        client.close()
        if value.fails:
            return
        scene.transcript.mark_bad(channel)
        raise Mismatch(str(error)) from None
    if value.open:
        scene.secured.append(client)
    else:
        client.close()
    complaint = "TLS is up, expected none" if value.fails else _complaint(value, shown)
    if complaint:
        scene.transcript.mark_bad(channel)
        raise Mismatch(complaint)


async def _shown(scene: Scene, client: SecureClient, value: TlsStep) -> Shown:
    dialect = None if value.at_once else _COMMANDS.get(value.port)
    await client.connect(value.source, value.to or scene.server, value.port, dialect)
    shown = await client.secure(scene.tls_sessions.get(value.session), keep=bool(value.session))
    if value.session and shown.session is not None:
        scene.tls_sessions[value.session] = shown.session
    return shown


def _complaint(value: TlsStep, shown: Shown) -> str:
    from cryptography import x509

    if value.resumed is not None and shown.resumed != value.resumed:
        return f"the session was {'resumed' if shown.resumed else 'not resumed'}"
    if value.chain is not None and len(shown.certificates) != value.chain:
        return f"{len(shown.certificates)} certificates were sent, expected {value.chain}"
    if not shown.certificates:
        return "" if shown.resumed else "no certificate was sent"
    own: Any = x509.load_der_x509_certificate(shown.certificates[0])
    for wanted, sent in zip(value.certificates, shown.certificates, strict=False):
        if ssl.PEM_cert_to_DER_cert(wanted) != sent:
            return "another certificate was sent"
    if len(value.certificates) > len(shown.certificates):
        return f"{len(shown.certificates)} certificates were sent"
    if value.self_signed is not None and signed_by_itself(own) != value.self_signed:
        return f"the certificate is {'' if not value.self_signed else 'not '}signed by itself"
    return name_complaint(own.subject, value.subject, "subject") or name_complaint(
        own.issuer, value.issuer, "issuer"
    )

"""STARTTLS and large messages over real connections, with the standard library's clients."""

from __future__ import annotations

import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import trustme

SERVER = Path(__file__).with_name("tls_sessions.py")
PASSWORD = "secret of company.com"


def test_sessions_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(tmp_path), str(pem)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        smtp_port, pop_port, imap_port = json.loads(server.stdout.readline())
        send(smtp_port, context)
        retrieve(pop_port, context)
        fetch(imap_port, context)
        output, _ = server.communicate(timeout=20)
    finally:
        server.kill()
        server.wait()
    assert json.loads(output) == {"open": 0, "octets": 72 * 20_000 + 14, "faults": []}


def send(port: int, context: ssl.SSLContext) -> None:
    with smtplib.SMTP("localhost", port, timeout=20) as client:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as second:
            assert second.recv(100) == b"421 later\r\n"
        client.starttls(context=context)
        client.login("john", "secret")
        body = "Subject: t\r\n\r\n" + ("z" * 70 + "\r\n") * 20_000
        client.sendmail("a@b.example", ["x@far.example"], body)


def retrieve(port: int, context: ssl.SSLContext) -> None:
    client = poplib.POP3("localhost", port, timeout=20)
    client.stls(context)
    client.user("john")
    client.pass_(PASSWORD)
    _, lines, _ = client.retr(1)
    assert lines.count(b"y" * 70) == 20_000
    client.quit()


def fetch(port: int, context: ssl.SSLContext) -> None:
    client = imaplib.IMAP4("localhost", port, timeout=20)
    client.starttls(context)
    client.login("john", PASSWORD)
    client.select()
    _, parts = client.fetch("1", "(RFC822)")
    assert isinstance(parts[0], tuple)
    assert parts[0][1].count(b"y" * 70) == 20_000
    client.logout()

"""fetchmail against the server as it stands: POP3, IMAP, ETRN, and ATRN as ODMR at port 366.

What is fetched is handed to an SMTP server again: the same one for POP3 and IMAP; for ETRN and ATRN
a second server, the customer's, whose mail the first one holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients_kit import PASSWORD, MailServer, Ran, body_of, program, run
from hardy.victim import Client

#: fetchmail's exit status when there was no mail.
NO_MAIL = 1
CUSTOMER = "customer.example"
BODY = b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\n..\r\nFrom here to there\r\n"


@pytest.fixture(scope="module", autouse=True)
def there() -> None:
    program("fetchmail")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    its = MailServer(
        tmp_path_factory.mktemp("server"),
        "main.example",
        "UpdateModule SMTP {ListenerPorts=(25,366);}",
        "UpdateModule POP {ListenerPorts=(110,{Port=995;InitTLS=YES;});}",
        "UpdateModule IMAP {ListenerPorts=(143,{Port=993;InitTLS=YES;});}",
    )
    yield its
    its.close()


def fetchmail(home: Path, *lines: str) -> Ran:
    """Run fetchmail once with these lines of configuration."""
    its = program("fetchmail")
    configuration = home / "fetchmailrc"
    configuration.write_text("set no syslog\n" + "\n".join(lines) + "\n")
    configuration.chmod(0o600)
    # Two of root's would otherwise not run at the same time.
    files = ("--idfile", str(home / "ids"), "--pidfile", str(home / "pid"))
    return run([its, "--fetchmailrc", str(configuration), *files, "-v"], home=home)


def poll(
    server: MailServer, protocol: str, port: int, account: str, *more: str, server_option: str = ""
) -> list[str]:
    """Return the lines that poll an account and hand its mail to the same server."""
    place = f"poll {server.address} protocol {protocol} service {server.port(port)}"
    return [
        f"{place} no dns {server_option}",
        f'user {account} password "{PASSWORD}" smtphost "{server.address}/{server.port(25)}"',
        *more,
    ]


def put(server: MailServer, account: str, *subjects: str) -> None:
    """Deliver letters to an account."""
    for subject in subjects:
        send(server, server.mail(account), subject)


def send(server: MailServer, recipient: str, subject: str) -> None:
    with Client(server.address, 25) as client:
        client.send(
            f"HELO here\r\nMAIL FROM:<{server.mail('postmaster')}>\r\nRCPT TO:<{recipient}>\r\n"
            f"DATA\r\nSubject: {subject}\r\n\r\n".encode()
            + BODY.replace(b"\r\n.", b"\r\n..")
            + b".\r\nQUIT\r\n"
        )
        replies = [client.line()[:3] for _ in range(7)]
    assert replies == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    server.rest()


def subjects(server: MailServer, account: str) -> list[str]:
    """Return the subjects of an account's letters, whose bodies must be whole."""
    found = []
    for message in server.letters(account):
        assert body_of(message) == BODY
        (line,) = [line for line in message.split(b"\r\n") if line.startswith(b"Subject: ")]
        found.append(line.removeprefix(b"Subject: ").decode())
    return found


@pytest.mark.parametrize("protocol", ["POP3", "IMAP"])
@pytest.mark.parametrize("security", ["none", "STARTTLS", "at once"])
def test_fetchmail_moves_mail(
    server: MailServer, tmp_path: Path, protocol: str, security: str
) -> None:
    box, home = server.account(), server.account()
    put(server, box, "first", "second", "third")
    port = {"POP3": (110, 995), "IMAP": (143, 993)}[protocol][security == "at once"]
    tls = {"none": 'sslproto ""', "STARTTLS": "sslproto TLS1.2+", "at once": "ssl"}[security]
    lines = poll(server, protocol, port, box, f"smtpname {server.mail(home)}", tls)
    if security != "none":
        lines += [f"sslcertck sslcertfile {server.authority} sslcommonname {server.address}"]
    ran = fetchmail(tmp_path, *lines)
    assert ran.status == 0, ran.said
    assert ("SSL/TLS: using protocol" in ran.said) is (security != "none"), ran.said
    assert subjects(server, home) == ["first", "second", "third"]
    assert subjects(server, box) == []
    assert fetchmail(tmp_path, *lines).status == NO_MAIL


@pytest.mark.parametrize(
    ("protocol", "authentication"),
    [
        *((each, how) for each in ("POP3", "IMAP") for how in ("password", "cram-md5", "any")),
        ("APOP", "password"),
    ],
)
def test_fetchmail_logs_in(
    server: MailServer, tmp_path: Path, protocol: str, authentication: str
) -> None:
    box, home = server.account(), server.account()
    put(server, box, "first")
    port = 143 if protocol == "IMAP" else 110
    options = f"smtpname {server.mail(home)}", 'sslproto ""'
    auth = f"auth {authentication}"
    ran = fetchmail(tmp_path, *poll(server, protocol, port, box, *options, server_option=auth))
    assert ran.status == 0, ran.said
    assert subjects(server, home) == ["first"]


def test_fetchmail_keeps_mail_and_knows_it_again(server: MailServer, tmp_path: Path) -> None:
    """With ``keep``, UIDL says what is new: identifiers are the same in every session."""
    box, home = server.account(), server.account()
    put(server, box, "first", "second")
    options = f"smtpname {server.mail(home)}", 'sslproto ""', "keep"
    lines = poll(server, "POP3", 110, box, *options, server_option="uidl")
    assert fetchmail(tmp_path, *lines).status == 0
    assert subjects(server, home) == ["first", "second"]
    assert fetchmail(tmp_path, *lines).status == NO_MAIL
    put(server, box, "third")
    ran = fetchmail(tmp_path, *lines)
    assert ran.status == 0, ran.said
    assert subjects(server, home) == ["first", "second", "third"]
    assert subjects(server, box) == ["first", "second", "third"]


def test_fetchmail_keeps_what_it_cannot_hand_on(server: MailServer, tmp_path: Path) -> None:
    box = server.account()
    put(server, box, "first")
    lines = poll(server, "POP3", 110, box, 'sslproto ""')
    lines[1] = lines[1].replace(f"/{server.port(25)}", f"/{server.port(26)}")
    assert fetchmail(tmp_path, *lines).status not in (0, NO_MAIL)
    assert subjects(server, box) == ["first"]


def test_fetchmail_is_refused_with_a_wrong_password(server: MailServer, tmp_path: Path) -> None:
    box = server.account()
    put(server, box, "first")
    lines = poll(server, "POP3", 110, box, 'sslproto ""')
    ran = fetchmail(tmp_path, *(line.replace(PASSWORD, "a guess") for line in lines))
    assert ran.status == 3, ran.said


# The customer -------------------------------------------------------------------------------------


@pytest.fixture
def customer(tmp_path_factory: pytest.TempPathFactory, server: MailServer) -> Iterator[MailServer]:
    """The server of a customer whose mail the first server holds."""
    its = MailServer(tmp_path_factory.mktemp("customer"), CUSTOMER)
    server.cli(
        f'UpdateModule SMTP {{HoldDomains=("[{its.address}]");}}',
        rf'SetRouterTable "{CUSTOMER} = [{its.address}]\e"',
    )
    yield its
    server.cli('SetRouterTable ""')
    its.close()


def test_fetchmail_releases_by_etrn(
    server: MailServer, customer: MailServer, tmp_path: Path
) -> None:
    box = customer.account()
    send(server, customer.mail(box), "held")
    assert len(server.queued()) == 1
    ran = fetchmail(
        tmp_path,
        f"poll {server.address} protocol ETRN service {server.port(25)} no dns",
        f"fetchdomains {CUSTOMER}",
    )
    assert ran.status == 0, ran.said
    server.rest()
    assert subjects(customer, box) == ["held"]
    assert server.queued() == []


def test_fetchmail_takes_mail_by_atrn(
    server: MailServer, customer: MailServer, tmp_path: Path
) -> None:
    """On-Demand Mail Relay: fetchmail logs in, says ATRN, and hands the connection on."""
    box = customer.account()
    for subject in ("one", "two"):
        send(server, customer.mail(box), subject)
    assert len(server.queued()) == 2
    server.cli(f'CreateAccount {CUSTOMER} {{Password="{PASSWORD}";}}')
    lines = [
        f"poll {server.address} protocol ODMR service {server.port(366)} no dns",
        f'user {CUSTOMER} password "{PASSWORD}" fetchdomains {CUSTOMER}',
        f'smtphost "{customer.address}/{customer.port(25)}" sslproto ""',
    ]
    ran = fetchmail(tmp_path, *lines)
    assert ran.status == 0, ran.said
    server.rest()
    assert subjects(customer, box) == ["one", "two"]
    assert server.queued() == []
    again = fetchmail(tmp_path, *lines)
    assert "You have no mail" in again.said

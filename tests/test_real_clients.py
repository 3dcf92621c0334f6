"""swaks, msmtp and curl against the server as it stands, over real sockets with verified TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients_kit import PASSWORD, MailServer, Ran, body_of, program, run

SECURE_PORTS = (
    "UpdateModule SMTP {AdvertiseNTLM=everybody;ListenerPorts=(25,{Port=465;InitTLS=YES;});}",
    "UpdateModule POP {ListenerPorts=(110,{Port=995;InitTLS=YES;});}",
    "UpdateModule IMAP {ListenerPorts=(143,{Port=993;InitTLS=YES;});}",
)
#: Lines that a careless server doubles, cuts or takes for an end.
AWKWARD = "Grüße aus Köln\n.\n..\n.hidden\nFrom here to there\n" + "x" * 900 + "\n"
STRANGE = "Subject: awkward\n\n" + AWKWARD
AUTHENTICATED = "authenticated"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    its = MailServer(tmp_path_factory.mktemp("server"), "main.example", *SECURE_PORTS)
    yield its
    its.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "letter").write_text(STRANGE)
    return tmp_path


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def delivered(server: MailServer, name: str) -> bytes:
    """Return the only message that an account has got."""
    (message,) = server.letters(name)
    return message


# swaks --------------------------------------------------------------------------------------------


def swaks(server: MailServer, home: Path, sender: str, to: str, *options: str) -> Ran:
    return run(
        [
            *(program("swaks"), "--server", server.address, "--helo", "client.example"),
            *("--from", server.mail(sender), "--to", server.mail(to), *options),
        ],
        home=home,
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("security", ["none", "STARTTLS", "at once"])
def test_swaks_logs_in(server: MailServer, home: Path, mechanism: str, security: str) -> None:
    john, jane = server.account(), server.account()
    options = {"none": [], "STARTTLS": ["--tls"], "at once": ["--tls-on-connect"]}[security]
    if security != "none":
        options = [*options, "--tls-verify", "--tls-ca-path", str(server.authority)]
    ran = swaks(
        *(server, home, john, jane, *options),
        *("--port", str(server.port(465 if security == "at once" else 25))),
        *("--auth", mechanism, "--auth-user", john, "--auth-password", PASSWORD),
        *("--data", "@letter"),
    )
    assert ran.status == 0, ran.said
    assert f"235 {server.mail(john)} {AUTHENTICATED}" in ran.said
    assert ("TLS started" in ran.said) is (security != "none")
    # swaks ends a file that it sends with a line of its own.
    assert body_of(delivered(server, jane)).rstrip() == crlf(AWKWARD).rstrip()


def test_swaks_is_refused_with_a_wrong_password(server: MailServer, home: Path) -> None:
    john, jane = server.account(), server.account()
    ran = swaks(
        *(server, home, john, jane, "--port", str(server.port(25))),
        *("--auth", "CRAM-MD5", "--auth-user", john, "--auth-password", "guess"),
    )
    assert ran.status == 28, ran.said
    assert server.letters(jane) == []


def test_swaks_pipelines_over_tls(server: MailServer, home: Path) -> None:
    john, jane = server.account(), server.account()
    ran = swaks(
        *(server, home, john, jane, "--port", str(server.port(25)), "--pipeline"),
        *("--tls", "--tls-verify", "--tls-ca-path", str(server.authority), "--data", "@letter"),
    )
    assert ran.status == 0, ran.said
    group = ran.said[ran.said.index(" ~> MAIL FROM") :].splitlines()[:4]
    for line, begin in zip(group, (" ~> MAIL", " ~> RCPT", " ~> DATA", "<~  250 "), strict=True):
        assert line.startswith(begin)
    assert body_of(delivered(server, jane)).rstrip() == crlf(AWKWARD).rstrip()


def test_swaks_may_send_a_large_message(server: MailServer, home: Path) -> None:
    john, jane = server.account(), server.account()
    attached = home / "attached"
    attached.write_bytes(bytes(range(256)) * 8000)
    ran = swaks(
        *(server, home, john, jane, "--port", str(server.port(25))),
        *("--attach", f"@{attached}", "--silent", "2"),
    )
    assert ran.status == 0, ran.said
    assert len(delivered(server, jane)) > 2_700_000


# msmtp --------------------------------------------------------------------------------------------


def msmtp(server: MailServer, home: Path, sender: str, to: list[str], *options: str) -> Ran:
    configuration = home / "msmtprc"
    configuration.write_text(
        f"account default\nhost {server.address}\nfrom {server.mail(sender)}\nuser {sender}\n"
        f"password {PASSWORD}\ntls on\ntls_trust_file {server.authority}\n"
    )
    configuration.chmod(0o600)
    return run(
        [program("msmtp"), "--file", str(configuration), *options, *map(server.mail, to)],
        home=home,
        text=STRANGE.encode(),
    )


@pytest.mark.parametrize("method", ["plain", "login", "cram-md5", "ntlm", "on"])
@pytest.mark.parametrize(("starttls", "port"), [("on", 25), ("off", 465)])
def test_msmtp_logs_in_over_tls(
    server: MailServer, home: Path, method: str, starttls: str, port: int
) -> None:
    john, jane, jim = server.account(), server.account(), server.account()
    ran = msmtp(
        *(server, home, john, [jane, jim], "--debug", f"--auth={method}"),
        *(f"--tls-starttls={starttls}", f"--port={server.port(port)}"),
    )
    assert ran.status == 0, ran.said
    assert f"235 {server.mail(john)} {AUTHENTICATED}" in ran.said
    assert PASSWORD not in ran.said
    for name in (jane, jim):
        assert body_of(delivered(server, name)) == crlf(AWKWARD)


def test_msmtp_learns_what_the_server_offers(server: MailServer, home: Path) -> None:
    john = server.account()
    ran = msmtp(server, home, john, [], "--serverinfo", f"--port={server.port(25)}")
    assert ran.status == 0, ran.said
    for extension in ("PIPELINING", "DSN", "ETRN", "AUTH", "STARTTLS"):
        assert f"\n    {extension}" in ran.said, ran.said


# curl ---------------------------------------------------------------------------------------------


def curl(server: MailServer, home: Path, account: str, url: str, *options: str) -> Ran:
    """Run curl with its message of progress left out."""
    words = (program("curl"), "--silent", "--show-error", "--cacert", str(server.authority))
    return run([*words, "--user", f"{account}:{PASSWORD}", *options, url], home=home)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "CRAM-MD5", "NTLM", "*"])
@pytest.mark.parametrize("scheme", ["smtp", "smtp+tls", "smtps"])
def test_curl_sends(server: MailServer, home: Path, mechanism: str, scheme: str) -> None:
    john, jane = server.account(), server.account()
    protocol, _, tls = scheme.partition("+")
    ran = curl(
        *(server, home, john, f"{protocol}://{server.at(465 if protocol == 'smtps' else 25)}/me"),
        *(["--ssl-reqd"] if tls else []),
        *("--login-options", f"AUTH={mechanism}", "--mail-from", server.mail(john)),
        # Without --crlf curl would send bare line feeds, which no mail may have.
        *("--mail-rcpt", server.mail(jane), "--crlf", "--upload-file", "letter"),
    )
    assert ran == Ran(0, "")
    assert body_of(delivered(server, jane)) == crlf(AWKWARD)


@pytest.fixture
def full(server: MailServer, home: Path) -> str:
    """Return the name of an account with two letters."""
    john = server.account()
    for subject in ("first", "second"):
        letter = home / subject
        letter.write_text(f"Subject: {subject}\n\n{AWKWARD}")
        ran = curl(
            *(server, home, john, f"smtp://{server.at(25)}/me", "--mail-from", server.mail(john)),
            *("--mail-rcpt", server.mail(john), "--crlf", "--upload-file", subject),
        )
        assert ran == Ran(0, "")
        server.rest()
    return john


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "CRAM-MD5", "+APOP"])
@pytest.mark.parametrize("scheme", ["pop3", "pop3+tls", "pop3s"])
def test_curl_fetches_by_pop(
    server: MailServer, home: Path, full: str, mechanism: str, scheme: str
) -> None:
    protocol, _, tls = scheme.partition("+")
    place = f"{protocol}://{server.at(995 if protocol == 'pop3s' else 110)}"
    options = [*(["--ssl-reqd"] if tls else []), "--login-options", f"AUTH={mechanism}"]
    listing = curl(server, home, full, f"{place}/", *options)
    assert listing.status == 0, listing.said
    assert [line.split()[0] for line in listing.said.splitlines()] == ["1", "2"]
    sizes = [int(line.split()[1]) for line in listing.said.splitlines()]
    for number, subject in enumerate(("first", "second"), 1):
        ran = curl(server, home, full, f"{place}/{number}", *options, "--output", "got")
        assert ran == Ran(0, "")
        got = (home / "got").read_bytes()
        assert len(got) == sizes[number - 1]
        assert f"\r\nSubject: {subject}\r\n".encode() in got
        assert body_of(got) == crlf(AWKWARD)
    deleted = curl(server, home, full, f"{place}/1", *options, "--request", "DELE", "--head")
    assert deleted.status == 0, deleted.said
    assert b"\r\nSubject: second\r\n" in delivered(server, full)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "CRAM-MD5"])
@pytest.mark.parametrize("scheme", ["imap", "imap+tls", "imaps"])
def test_curl_fetches_by_imap(
    server: MailServer, home: Path, full: str, mechanism: str, scheme: str
) -> None:
    protocol, _, tls = scheme.partition("+")
    place = f"{protocol}://{server.at(993 if protocol == 'imaps' else 143)}"
    options = [*(["--ssl-reqd"] if tls else []), "--login-options", f"AUTH={mechanism}"]
    listing = curl(server, home, full, f"{place}/", *options)
    assert '"INBOX"' in listing.said
    found = curl(server, home, full, f"{place}/INBOX?UID%202%20UNSEEN", *options)
    assert found.said.split() == ["*", "SEARCH", "2"]
    ran = curl(server, home, full, f"{place}/INBOX;MAILINDEX=2", *options, "--output", "got")
    assert ran == Ran(0, "")
    got = (home / "got").read_bytes()
    assert b"\r\nSubject: second\r\n" in got
    assert body_of(got) == crlf(AWKWARD)
    ran = curl(server, home, full, f"{place}/INBOX;UID=1;SECTION=TEXT", *options, "--output", "got")
    assert ran == Ran(0, "")
    assert (home / "got").read_bytes() == crlf(AWKWARD)


def test_curl_does_not_trust_another_authority(server: MailServer, home: Path) -> None:
    john = server.account()
    program("curl")
    ran = run(
        ["curl", "--silent", "--ssl-reqd", f"pop3://{server.at(110)}/", "-u", f"{john}:{PASSWORD}"],
        home=home,
    )
    assert ran.status == 60
    # The connection that was broken off has done no harm.
    assert curl(server, home, john, f"pop3://{server.at(110)}/").status == 0

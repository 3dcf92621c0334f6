"""Dovecot beside a mail server: access by POP3 and IMAP, and SASL for the server's SMTP AUTH.

:func:`dovecot` reads the accounts and the settings of POP and IMAP of a site and returns the parts
of a session: files, folders and one service. The mail server delivers into
:func:`maildir` of an account, as user and group ``vmail``, and asks for authentication at the
socket :data:`AUTH_SOCKET` (Dovecot's auth protocol; mode 0666).

An account logs in by its full address, by an alias of its own or of the domain, and those of the
Main Domain by the name alone; at a dedicated address the name alone is that domain's. Passwords
stand in a passwd-file in clear text, for CRAM-MD5 needs
them so.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.adapters.certificates import certificates
from conformance.adapters.listeners import Listener, listeners_of
from conformance.adapters.sandbox import INSIDE, USERS, Service
from conformance.adapters.site import Settings, Site, SiteAccount, SiteDomain
from conformance.adapters.target import File, Folder
from conformance.targets.base import NotApplicable

PROGRAMS = {
    "/usr/sbin/dovecot": "dovecot-core",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
}
HIDDEN = ("/etc/dovecot",)
RUNNING = "dovecot"
"""The folder of its sockets and locks."""
MISSING: Mapping[str, str] = {
    "cli": "no server here speaks the documents' CLI (PWD port): what it would say is set in files",
    "http": "there is no web server",
    "rpop": "nothing fetches mail from remote POP accounts (fetchmail does, a package of its own)",
    "mobile": (
        "nothing remembers for SMTP from where somebody has logged in by POP or IMAP: a script of "
        "one's own (Dovecot's script-login) would have to, and the adapter writes none"
    ),
    "certificates": (
        "keys, requests and certificates are made by programs like openssl, not by commands "
        "to the server"
    ),
    "files": (
        "there is no base directory with the documents' files: the queue, the mailboxes and the "
        "settings are files of other forms, and the adapter lends no disk to be filled or locked"
    ),
    "xtnd-xmit": "Dovecot's pop3 has no XTND XMIT",
    "clock-jumps": (
        "libfaketime's clock is moved as time passes, and the adapter has no second one "
        "for a wall clock that goes wrong"
    ),
}
"""Capability → what Dovecot has not, nor either of the servers that it is put beside here."""
AUTH_SOCKET = f"{INSIDE}/{RUNNING}/auth-client"


@dataclass(frozen=True, slots=True)
class Access:
    """The parts of a session that give access."""

    files: dict[str, File]
    folders: dict[str, Folder]
    service: Service


def maildir(domain: str, account: str) -> str:
    """Return where mail of an account is delivered: a maildir, with a slash at its end."""
    return f"{INSIDE}/mail/{domain.lower()}/{account.lower()}/Maildir/"


def dovecot(site: Site) -> Access:
    """Return the parts for a site. Raises NotApplicable for what Dovecot cannot do."""
    _check(site)
    files = {"etc/dovecot-users": File("".join(_users(site)), mode=0o640, owner="dovecot")}
    listeners = "".join(
        _login_service(listeners_of(site.settings, module, port), module)
        for module, port in (("POP", 110), ("IMAP", 143))
    )
    config = _CONFIG.format(
        base=f"{INSIDE}/{RUNNING}",
        users=f"{INSIDE}/etc/dovecot-users",
        realm=site.main_domain.lower(),
        number=USERS["vmail"][0],
    )
    files["etc/dovecot.conf"] = File(config + listeners + _secured(site, files))
    return Access(
        files=files,
        folders={
            # A lock that is left in it would be waited for.
            RUNNING: Folder(volatile=True),
            "mail": Folder(owner="vmail"),
        },
        service=Service(
            name="dovecot",
            command=["/usr/sbin/dovecot", "-F", "-c", f"{INSIDE}/etc/dovecot.conf"],
            ready=r"^dovecot: master: Dovecot .* starting up",
            # It would wait for its own log process; nothing is lost, for a maildir is always whole.
            end=signal.SIGKILL,
        ),
    )


def _check(site: Site) -> None:
    """Raise NotApplicable for what Dovecot cannot do."""
    for module in ("POP", "IMAP"):
        site.settings.refuse(
            module,
            "SameAddressLimit",
            "Dovecot limits the connections of one user from an address "
            "(mail_max_userip_connections), not those of an address, whoever logs in",
        )
    for domain in site.domains:
        for account in domain.accounts:
            for service in ("POP", "IMAP"):
                if not has_service(service, domain.settings, account.settings):
                    raise NotApplicable(
                        f"the service {service} is disabled for {account.name}@{domain.name}: "
                        "Dovecot could refuse the login (a passdb with %s), "
                        "but the adapter opens all accounts for both protocols"
                    )


def _login_service(listeners: list[Listener], module: str) -> str:
    """Return the sockets of a protocol. Raises NotApplicable for one that lets some hosts in."""
    protocol = {"POP": "pop3", "IMAP": "imap"}[module]
    sockets = []
    for number, listener in enumerate(listeners):
        if listener.grant is not None:
            raise NotApplicable(
                f"{module} listeners: Dovecot turns hosts away by TCP wrappers only "
                "(login_access_sockets): for a protocol, not for a port, and by /etc/hosts.allow, "
                "which the adapter does not write"
            )
        address = f"address = {listener.address}\n" if listener.address else ""
        tls = "ssl = yes\n" if listener.tls else ""
        sockets.append(f"inet_listener l{number} {{\nport = {listener.port}\n{address}{tls}}}\n")
    sockets += [f"inet_listener {name} {{\nport = 0\n}}\n" for name in (protocol, f"{protocol}s")]
    return f"service {protocol}-login {{\n{''.join(sockets)}}}\n"


def _secured(site: Site, files: dict[str, File]) -> str:
    """Return the certificates, by the server's address; their texts go into ``files``."""
    shown = certificates(site)
    if not any(shown.values()):
        return "ssl = no\n"
    lines = ["ssl = yes\n"]
    for number, (address, certificate) in enumerate(shown.items()):
        if certificate is None:
            lines.append(f"local {address} {{\nssl = no\n}}\n")
            continue
        key, chain = f"etc/dovecot-{number}.key", f"etc/dovecot-{number}.pem"
        files[key] = File(certificate.key, mode=0o600)
        files[chain] = File(certificate.chain)
        pair = f"ssl_cert = <{INSIDE}/{chain}\nssl_key = <{INSIDE}/{key}\n"
        if not any(line.startswith("ssl_cert") for line in lines):
            lines.append(pair)
        lines.append(f"local {address} {{\n{pair}}}\n")
    return "".join(lines)


def _users(site: Site) -> Iterator[str]:
    """Yield the lines of the passwd-file."""
    own = [f"{address}/32" for address in site.addresses]
    clients = [*own, *(str(network) for network in site.clients.networks)]
    closed = site.settings.choice(
        "Protection", "NonClientLogins", {"reject": True, "mobile": False}, False
    )
    if closed and site.client_names:
        raise NotApplicable(
            "Dovecot compares the address of who logs in with networks (allow_nets), "
            "and never looks for its name"
        )
    for domain in site.domains:
        for account in domain.accounts:
            mobile = has_service("Mobile", domain.settings, account.settings)
            nets = clients if closed or not mobile else []
            for name in (account.name, *account.aliases):
                for host in (domain.name, *domain.aliases):
                    yield _line(f"{name}@{host}".lower(), domain, account, nets)
                for address in domain.addresses:
                    yield _line(f"{name}/{address}".lower(), domain, account, nets)


def has_service(service: str, domain: Settings, account: Settings) -> bool:
    """Tell whether a service is enabled for an account and for its domain."""
    for settings, module, keyword in (
        (domain, "Domain", "DomainAccessModes"),
        (account, "Account", "AccessModes"),
    ):
        modes = settings.value(module, keyword, "All")
        words = {str(mode).lower() for mode in ([modes] if isinstance(modes, str) else modes)}
        if "all" not in words and service.lower() not in words:
            return False
    return True


def _line(login: str, domain: SiteDomain, account: SiteAccount, nets: Sequence[str]) -> str:
    mail = maildir(domain.name, account.name)
    home = mail.removesuffix("Maildir/")
    number = USERS["vmail"][0]
    extra = f"user={account.name.lower()}@{domain.name.lower()}"
    if nets:
        extra += f" allow_nets={','.join(nets)}"
    return f"{login}:{{PLAIN}}{account.password}:{number}:{number}::{home}::{extra}\n"


_CONFIG = """\
base_dir = {base}
state_dir = {base}/state
protocols = imap pop3
listen = *
log_path =
syslog_facility = mail
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_verbose = no
auth_username_chars =
auth_failure_delay = 0
mail_location = maildir:~/Maildir
first_valid_uid = {number}
mail_fsync = never
pop3_uidl_format = %08Xu%08Xv
service stats {{
  client_limit = 200
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu/%l {users}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Ln@%{{if;%d;eq;;{realm};%Ld}} {users}
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {users}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
"""

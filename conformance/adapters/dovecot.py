"""Dovecot beside a mail server: access by POP3 and IMAP, and SASL for the server's SMTP AUTH.

:func:`dovecot` reads the accounts and the settings of POP and IMAP of a site and returns the parts
of a session: files, folders and one service. The mail server delivers into
:func:`maildir` of an account, as user and group ``vmail``, and asks for authentication at the
socket :data:`AUTH_SOCKET` (Dovecot's auth protocol; mode 0666).

An account logs in by its full address, by an alias of its own or of the domain, and those of the
Main Domain by the name alone. Passwords stand in a passwd-file in clear text, for CRAM-MD5 needs
them so.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.adapters.sandbox import INSIDE, USERS, Service
from conformance.adapters.site import Site, SiteAccount, SiteDomain
from conformance.adapters.target import File, Folder

PROGRAMS = {
    "/usr/sbin/dovecot": "dovecot-core",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
}
HIDDEN = ("/etc/dovecot",)
AUTH_SOCKET = f"{INSIDE}/dovecot/auth-client"


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
    users = "".join(_lines(site))
    config = _CONFIG.format(
        base=f"{INSIDE}/dovecot",
        users=f"{INSIDE}/etc/dovecot-users",
        realm=site.main_domain.lower(),
        number=USERS["vmail"][0],
    )
    return Access(
        files={
            "etc/dovecot.conf": File(config),
            "etc/dovecot-users": File(users, mode=0o640, owner="dovecot"),
        },
        folders={
            "dovecot": Folder(),
            "mail": Folder(owner="vmail"),
        },
        service=Service(
            name="dovecot",
            command=["/usr/sbin/dovecot", "-F", "-c", f"{INSIDE}/etc/dovecot.conf"],
            ready=r"^dovecot: master: Dovecot .* starting up",
        ),
    )


def _lines(site: Site) -> list[str]:
    """Return the lines of the passwd-file."""
    return [
        _line(f"{name}@{host}".lower(), domain, account)
        for domain in site.domains
        for account in domain.accounts
        for name in (account.name, *account.aliases)
        for host in (domain.name, *domain.aliases)
    ]


def _line(login: str, domain: SiteDomain, account: SiteAccount) -> str:
    mail = maildir(domain.name, account.name)
    home = mail.removesuffix("Maildir/")
    number = USERS["vmail"][0]
    return f"{login}:{{PLAIN}}{account.password}:{number}:{number}::{home}::\n"


_CONFIG = """\
base_dir = {base}
state_dir = {base}/state
protocols = imap pop3
listen = *
log_path =
syslog_facility = mail
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_default_realm = {realm}
auth_verbose = no
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
  args = scheme=PLAIN username_format=%u {users}
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

"""The pages that a domain shows to everybody: its login page, and the archives of its lists.

Guide 3.5.2, WebUser Interface, Mailing Lists (Who can Browse) and Code Components for Stateless
Requests: ``/`` and ``/default.html`` are the login page, ``/List/`` names the lists that can be
browsed, ``/List/name/`` and ``/List/name/List.html`` are a list's archive, the mailbox of that name
in its owner's account. Plain HTML from plain values: nothing here checks a password or knows a
request. The pages that ask subscribers for their Confirmation IDs are not offered, so only lists
that anybody can browse are shown.
"""

from __future__ import annotations

from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from html import escape
from urllib.parse import quote

from reference.protocols.http_certificate import CERTIFICATE_NAME
from reference.storage.account import Account
from reference.storage.domain import Domain
from reference.storage.errors import StorageError
from reference.storage.objects import MailingList


def login_page(
    domain: Domain, *, certificate: bool = False, name: str = "", error: str = ""
) -> str:
    """Return the login page of a domain, with what was wrong with the last try.

    ``certificate``: the domain has one, and browsers may take it for a trusted one.
    """
    complaint = f"<p>{escape(error)}</p>" if error else ""
    trust = f'<p><a href="/{CERTIFICATE_NAME}">Secure Certificate</a></p>' if certificate else ""
    archives = '<p><a href="/List/">Mailing Lists</a></p>' if domain.lists else ""
    return _html(
        domain.name,
        f'{complaint}<form method="post" action="/">'
        f'<p>Name: <input name="username" value="{escape(name)}"></p>'
        '<p>Password: <input type="password" name="password"></p>'
        '<p><input type="submit" value="Enter"></p></form>'
        f"{archives}{trust}",
    )


def jump_page(session: str) -> str:
    """Return the page that leads the browser into the session realm."""
    target = escape(f"/Session/{session}/")
    return _html(
        "Welcome",
        f'<p><a href="{target}">Enter</a></p>',
        head=f'<meta http-equiv="refresh" content="0;url={target}">',
    )


def entry_page(label: str, session: str) -> str:
    """Return the first page of a session, which belongs to the account ``label``."""
    return _html(label, f'<p><a href="/Session/{escape(session)}/Bye.wssp">Log out</a></p>')


def bye_page() -> str:
    """Return the page behind the end of a session, or without one."""
    return _html("Disconnected", '<p><a href="/">Log in</a></p>')


def open_to_anybody(mailing_list: MailingList) -> bool:
    """Tell whether anybody may browse a list (Who can Browse). Raises FileError."""
    return str(mailing_list.settings.get("Browse", "nobody")).lower() == "anybody"


def lists_page(domain: Domain) -> str:
    """Return the page that names the lists which can be browsed. Raises FileError."""
    names = [each.name for each in domain.lists.values() if open_to_anybody(each)]
    items = "".join(
        f'<li><a href="/List/{quote(name)}/List.html">{escape(name)}</a></li>' for name in names
    )
    return _html(f"Mailing Lists of {domain.name}", f"<ul>{items}</ul>")


def archive_page(mailing_list: MailingList) -> str:
    """Return the subjects of a list's archived messages. Raises FileError."""
    items = "".join(f"<li>{escape(subject)}</li>" for subject in _subjects(mailing_list))
    return _html(f"{mailing_list.name}@{mailing_list.domain.name}", f"<ol>{items}</ol>")


def _subjects(mailing_list: MailingList) -> list[str]:
    owner = mailing_list.domain.find(mailing_list.owner)
    if not isinstance(owner, Account):
        return []
    try:
        archive = owner.mailbox(mailing_list.name)
    except StorageError:  # nothing has been archived yet
        return []
    return [_subject(archive.read(message)) for message in archive.messages()]


def _subject(message: bytes) -> str:
    raw = str(BytesHeaderParser().parsebytes(message).get("Subject", ""))
    try:
        return str(make_header(decode_header(raw)))
    except (LookupError, UnicodeError, ValueError):  # a charset or an encoding that nobody knows
        return raw


def _html(title: str, body: str, *, head: str = "") -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{head}'
        f"<title>{escape(title)}</title></head>\n<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )

"""Capabilities: what a scenario needs of a server and its target, by name.

``given`` and the steps imply some; a file names others in ``requires``. A scenario that needs what
a target lacks is *not applicable*; a misspelt name would make it so for ever, so names are checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from conformance.scenario.dialogue import ExchangeRoles, StartTLS
from conformance.scenario.model import Given, Step
from conformance.scenario.steps import (
    BouncedStep,
    DeliveredStep,
    DialogueStep,
    MailStep,
    NotDeliveredStep,
    PeerStep,
)

#: Name → what it means. Names of one's own begin with ``x-``.
CAPABILITIES: Mapping[str, str] = {
    "smtp": "mail is received by SMTP",
    "pop": "mailboxes are read by POP3",
    "imap": "mailboxes are read by IMAP",
    "cli": "the CLI over the PWD port",
    "files": "the files below the base directory can be seen",
    "queue": "the message files in the queue can be counted",
    "settings": "settings of modules can be changed while the server runs",
    "log": "the log can be read",
    "clock": "the server's clock can be moved",
    "clock-jumps": "the server's wall clock can be set",
    "restart": "the server can be stopped and started again",
    "kill": "the server can be killed and started again",
    "tls": "TLS, with certificates",
    "lists": "mailing lists",
    "forwarders": "forwarders",
    "blacklist": "the lists of Blacklisted and UnBlacklistable IP Addresses",
    "client-names": "Detect Clients by DNS Name",
    "router": "a Routing Table",
    "route": "the Route command: where an address would go",
    "mobile": "temporary client addresses (read, then send)",
    "auth": "SMTP AUTH",
    "etrn": "ETRN",
    "atrn": "ATRN and TURN: mail is sent over the connection of who comes for it",
    "wakeups": "Send Wakeups: ETRN and ATRN to a back-up server",
    "schedule": "the TCP Activity Schedule",
    "xtnd-xmit": "submission by the POP3 command XTND XMIT",
    "rules": "account and server rules",
    "execute": "the rule action Execute: programs are run",
    "rpop": "polling of remote POP accounts",
    "pipe": "the PIPE module",
    "http": "Personal Web Sites on the port of users",
    "certificates": "commands that make keys, signing requests and certificates of domains",
    "ldap": "LDAP",
    "acap": "ACAP",
    "ftp": "FTP",
    "snmp": "SNMP",
}

_PROTOCOLS = {"smtp": "smtp", "pop": "pop", "imap": "imap", "pwd": "cli"}
_KINDS = {
    "cli": "cli",
    "settings": "settings",
    "settings refused": "settings",
    "log": "log",
    "not log": "log",
    "http": "http",
    "route": "route",
    "file": "files",
    "write": "files",
    "queued": "queue",
    "tls": "tls",
    "wait": "clock",
    "clock": "clock-jumps",
    "disk": "files",
    "stop": "restart",
    "start": "restart",
    "restart": "restart",
    "kill": "kill",
}
_TLS_PORTS = frozenset({465, 993, 995})


def implied(given: Given, steps: Collection[Step]) -> frozenset[str]:
    """Return the capabilities that a scenario needs without saying so."""
    needs = set(_of_given(given))
    for step in steps:
        needs.update(_of_step(step))
    if "kill" in needs and not {"stop", "restart"} & {step.kind for step in steps}:
        # Starting again after kill -9 is part of ``kill``.
        needs.discard("restart")
    return frozenset(needs)


def _of_given(given: Given) -> Iterator[str]:
    if given.router is not None:
        yield "router"
    if given.blacklisted is not None or given.white_holes is not None:
        yield "blacklist"
    if given.client_names is not None:
        yield "client-names"
    if any(domain.lists for domain in given.domains):
        yield "lists"
    if any(domain.forwarders for domain in given.domains):
        yield "forwarders"
    if any(peer.certificate for peer in given.peers):
        yield "tls"
    if any(account.polls for domain in given.domains for account in domain.accounts):
        yield "rpop"


def _of_dialogue(dialogue: DialogueStep) -> Iterator[str]:
    yield _PROTOCOLS[dialogue.protocol]
    if dialogue.port in _TLS_PORTS or any(isinstance(event, StartTLS) for event in dialogue.events):
        yield "tls"
    if any(isinstance(event, ExchangeRoles) for event in dialogue.events):
        yield "atrn"


def _of_step(step: Step) -> Iterator[str]:
    if step.kind in _KINDS:
        yield _KINDS[step.kind]
    match step.value:
        case DialogueStep() as dialogue:
            yield from _of_dialogue(dialogue)
        case MailStep(refused=refusals):
            yield "smtp"
            if any(refusal.place == "sometime" for refusal in refusals):
                yield "pop"
        case DeliveredStep(mailbox=mailbox):
            yield "pop" if mailbox.upper() == "INBOX" else "imap"
        case NotDeliveredStep() | BouncedStep(host=""):
            yield "pop"
        case PeerStep(peers=peers):
            if any(peer.certificate for peer in peers):
                yield "tls"

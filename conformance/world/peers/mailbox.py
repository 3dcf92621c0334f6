"""The mailboxes of a remote POP3 host: messages with their numbers and unique ids."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.scenario.model import PeerSpec, StoredMail


@dataclass(slots=True)
class Mailbox:
    """A mailbox as it is now."""

    password: str
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    """Unique id and octets, in their order."""
    locked: bool = False
    """A session has it."""

    @property
    def uids(self) -> list[str]:
        """The unique ids."""
        return [uid for uid, _ in self.messages]

    def remove(self, uids: set[str]) -> None:
        """Remove messages for good."""
        self.messages = [each for each in self.messages if each[0] not in uids]


def mailboxes_of(spec: PeerSpec) -> dict[str, Mailbox]:
    """Return the mailboxes of a host as its specification describes them."""
    return {
        name: Mailbox(
            password=mailbox.password,
            messages=[
                (mail.uid or f"{name}-{number}", stored_content(mail))
                for number, mail in enumerate(mailbox.messages, 1)
            ],
        )
        for name, mailbox in spec.mailboxes.items()
    }


def stored_content(mail: StoredMail) -> bytes:
    """Return a message's octets; lines end with CR LF."""
    fields = [f"{name}: {value}" for name, value in mail.header.items()]
    body = mail.body.removesuffix("\n").split("\n")
    lines = [line for field in fields for line in field.split("\n")] + ["", *body]
    return "".join(f"{line}\r\n" for line in lines).encode()

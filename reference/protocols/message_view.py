"""What a mail reader's session shows of a message: whose it is, and its first lines.

Guide 3.5.2, POP Module (Accessing Individual Mail in a Unified Account; TOP). Plain functions over
the octets of a message with CR LF line ends.
"""

from __future__ import annotations


def names_recipient(message: bytes, field: str, name: str) -> bool:
    """Tell whether a field of a message's header lists a name; letter case does not matter."""
    header = message.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    wanted, prefix = name.lower(), f"{field.lower()}:"
    for line in header.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        if line.lower().startswith(prefix):
            names = line[len(prefix) :].split(",")
            if any(listed.strip().lower() == wanted for listed in names):
                return True
    return False


def top(message: bytes, lines: int) -> bytes:
    """Return the header of a message, the empty line and the first lines of its body."""
    header, blank, body = message.partition(b"\r\n\r\n")
    if not blank:
        return message
    end = 0
    for _ in range(lines):
        found = body.find(b"\r\n", end)
        if found < 0:
            return message
        end = found + 2
    return header + blank + body[:end]

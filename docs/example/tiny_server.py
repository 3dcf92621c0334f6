"""The vendor's mail server of the example: it takes mail for its accounts and refuses the rest.

``python tiny_server.py ACCOUNTS.json``: address → maildir. It listens on port 25 of all addresses
and logs to syslog when it is ready.
"""

import asyncio
import json
import mailbox
import shutil
import sys
import syslog
from pathlib import Path

from aiosmtpd.smtp import SMTP


class Delivery:
    """What becomes of each message (the handler of aiosmtpd)."""

    root = Path("/run/mailproof/mail")

    def __init__(self, accounts):
        self.maildirs = {address.lower(): path for address, path in accounts.items()}

    async def handle_RCPT(self, server, session, envelope, address, options):
        """Take a recipient who is known here."""
        if address.lower() not in self.maildirs:
            return "550 no such account here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        """Deliver a message to all its recipients."""
        for address in envelope.rcpt_tos:
            self.deliver(self.maildirs[address.lower()], envelope.content)
        return "250 delivered"

    def deliver(self, path, content):
        """Store a message; it belongs to the owner of the folder that the maildirs are in."""
        home = Path(path).parent
        home.mkdir(parents=True, exist_ok=True)
        mailbox.Maildir(path).add(content)
        owner = self.root.stat()
        for made in (home.parent, home, *home.rglob("*")):
            shutil.chown(made, owner.st_uid, owner.st_gid)


async def main(path):
    """Serve until the end."""
    delivery = Delivery(json.loads(Path(path).read_text(encoding="utf-8")))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(delivery, hostname="tiny.example"), "0.0.0.0", 25)
    syslog.openlog("tiny", syslog.LOG_PID, syslog.LOG_MAIL)
    syslog.syslog("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

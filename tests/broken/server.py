"""A toy mail server for the harness's own tests, with faults to order.

It knows just enough of SMTP, POP3 and PWD, delivers to accounts that the CLI created, relays to a
domain's A record, speaks the control protocol, and misbehaves as ``--fault`` says. It proves
nothing about mail: it lets tests see what the harness makes of each misbehaviour.
"""

import argparse
import asyncio
import json
import os
import re
import sys
from pathlib import Path

import dnslib

ADDRESS = re.compile(r"<([^>]*)>")


class Toy:
    """One toy server."""

    def __init__(self, options):
        self.options = options
        self.fault = options.fault
        self.base = Path(options.base)
        self.main = "mycompany.com"
        self.accounts = {"postmaster": "first"}
        self.inboxes = {}
        self.tasks = 0
        self.waits = []
        self.asked = []
        self.control = None
        self.timers = []
        self.now = 0.0
        self.end = asyncio.Event()
        self.children = set()

    async def run(self):
        self.install()
        for port, session in ((25, self.smtp), (110, self.pop), (106, self.pwd)):
            for address in self.options.address.split(","):
                await asyncio.start_server(session, address, port + self.options.port_offset)
        if self.fault == "silent":
            await asyncio.Event().wait()
        if self.options.control:
            await self.connect_control()
        await self.end.wait()

    def install(self):
        folder = self.base / "Accounts" / "postmaster.macnt"
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "account.settings"
        if settings.exists():
            self.accounts.update(json.loads((self.base / "accounts.json").read_text()))
            self.inboxes = json.loads((self.base / "inboxes.json").read_text())
        else:
            settings.write_text("{Password=first;}\n")
        (self.base / "SystemLogs").mkdir(exist_ok=True)
        (self.base / "Queue").mkdir(exist_ok=True)
        self.log("server started")
        self.save()

    def save(self):
        (self.base / "accounts.json").write_text(json.dumps(self.accounts))
        (self.base / "inboxes.json").write_text(json.dumps(self.inboxes))

    def log(self, text):
        with (self.base / "SystemLogs" / "today.log").open("a") as log:
            log.write(f"12:00:00.000 4 TOY {text}\n")

    # Control

    async def connect_control(self):
        reader, self.control = await asyncio.open_unix_connection(self.options.control)
        self.say(event="ready", pid=os.getpid())
        self.serving = asyncio.ensure_future(self.listen(reader))

    async def listen(self, reader):
        while line := await reader.readline():
            request = json.loads(line)
            if self.fault == "deaf":
                continue
            await getattr(self, "op_" + request["op"])(request)
        self.end.set()

    async def op_quiet(self, request):
        self.asked.append(request["id"])
        self.look()

    async def op_state(self, request):
        self.say(id=request["id"], tasks=self.tasks, waits=self.waits)

    async def op_held(self, request):
        pass

    async def op_stop(self, request):
        if self.fault != "immortal":
            self.end.set()

    async def op_advance(self, request):
        self.now += request["seconds"]
        due = [call for when, call in self.timers if when <= self.now]
        self.timers = [(when, call) for when, call in self.timers if when > self.now]
        for call in due:
            self.tasks += 1
            await call()
            self.tasks -= 1
        self.say(id=request["id"], waits=self.waits)

    def say(self, **message):
        if self.control is not None:
            self.control.write(json.dumps(message).encode() + b"\n")

    def look(self):
        if self.tasks == 0:
            self.say(event="quiet", serial=0, waits=self.waits)
            while self.asked:
                self.say(id=self.asked.pop(), waits=self.waits, next_timer=None)

    def begin(self, work):
        self.tasks += 1

        async def wrapped():
            try:
                await work
            finally:
                self.tasks -= 1
                self.look()

        child = asyncio.ensure_future(wrapped())
        self.children.add(child)
        child.add_done_callback(self.children.discard)

    # Mail

    def local(self, address):
        local, _, domain = address.partition("@")
        if domain in ("", self.main):
            return local if local in self.accounts else None
        return address if address in self.accounts else None

    async def deliver(self, sender, recipients, content):
        for recipient in recipients:
            account = self.local(recipient)
            if account is not None:
                if self.fault != "lose":
                    stored = f"Return-Path: <{sender}>\r\n{content}"
                    self.inboxes.setdefault(account, []).append(stored)
                    self.save()
            else:
                await self.relay(sender, recipient, content)

    async def relay(self, sender, recipient, content):
        host = recipient.partition("@")[2]
        self.wait(f"dns:A {host}", True)
        address = await asyncio.get_running_loop().run_in_executor(None, self.resolve, host)
        self.wait(f"dns:A {host}", False)
        if address is None:
            return self.bounce(sender, recipient)
        reader, writer = await asyncio.open_connection(
            address,
            25 + self.options.port_offset,
            local_addr=(self.options.address.split(",")[0], 0),
        )
        queued = self.base / "Queue" / "1.msg"
        queued.write_text(content)
        wait = f"smtp:{address}:25"
        self.wait(wait, True)
        failed = await self.converse(reader, writer, sender, recipient, content)
        self.wait(wait, False)
        if failed:
            self.timers.append((self.now + 1800, lambda: self.relay(sender, recipient, content)))
        else:
            queued.unlink()
        return None

    async def converse(self, reader, writer, sender, recipient, content):
        await reader.readline()
        for line in ("HELO toy", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            writer.write(line.encode() + b"\r\n")
            reply = await reader.readline()
            if reply[:1] not in b"23":
                writer.close()
                return True
        writer.write(content.encode() + b".\r\nQUIT\r\n")
        await reader.readline()
        await reader.readline()
        writer.close()
        return False

    def resolve(self, host):
        question = dnslib.DNSRecord.question(host, "A")
        answer = question.send(self.options.dns, 53 + self.options.port_offset, timeout=3)
        records = dnslib.DNSRecord.parse(answer).rr
        return str(records[0].rdata) if records else None

    def bounce(self, sender, recipient):
        account = self.local(sender)
        if account is not None:
            report = (
                "From: MAILER-DAEMON\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
                "--b\r\n\r\nno such host\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
                f"Reporting-MTA: dns; toy\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n"
                "Action: failed\r\nStatus: 5.1.2\r\n\r\n--b--\r\n"
            )
            self.inboxes.setdefault(account, []).append(report)

    def wait(self, name, begin):
        if begin:
            self.waits.append(name)
            self.tasks -= 1
            self.look()
        else:
            self.waits.remove(name)
            self.tasks += 1

    # Sessions

    async def smtp(self, reader, writer):
        def reply(text):
            writer.write(text.encode() + b"\r\n")

        if self.fault == "yes-man":
            await self.agree(reader, reply)
            return
        reply("220 toy ready")
        sender, recipients = "", []
        while line := (await reader.readline()).decode().strip():
            verb = line.upper()
            self.log(f"got {line}")
            if verb.startswith("MAIL"):
                await self.misbehave()
            if verb.startswith("EHLO"):
                reply("250-toy\r\n250-8BITMIME\r\n250 SIZE 1000")
            elif verb.startswith("MAIL"):
                sender = ADDRESS.search(line)[1]
                reply("250 ok")
            elif verb.startswith("RCPT"):
                recipient = ADDRESS.search(line)[1]
                refused = recipient.endswith("@mycompany.com") and not self.local(recipient)
                reply("550 unknown" if refused else "250 ok")
                if not refused:
                    recipients.append(recipient)
            elif verb == "DATA":
                reply("354 go on")
                content = ""
                while (data := (await reader.readline()).decode()) != ".\r\n":
                    content += data.removeprefix(".")
                self.begin(self.deliver(sender, list(recipients), content))
                recipients.clear()
                reply("250 taken")
            elif verb == "QUIT":
                reply("221 bye")
                break
            else:
                reply("250 ok")
        writer.close()

    async def agree(self, reader, reply):
        reply("250 yes")
        while await reader.readline():
            reply("250 yes")

    async def misbehave(self):
        if self.fault == "hang":
            await asyncio.Event().wait()
        if self.fault == "die":
            print("toy: this is the end", file=sys.stderr, flush=True)
            os._exit(3)

    async def pop(self, reader, writer):
        user, messages = "", []
        writer.write(b"+OK toy\r\n")
        while line := (await reader.readline()).decode().strip():
            verb, _, argument = line.partition(" ")
            answer = "+OK"
            if verb == "USER":
                user = argument
            elif verb == "PASS":
                account = self.local(user)
                if account is None or self.accounts[account] != argument:
                    answer = "-ERR no"
                else:
                    messages = self.inboxes.get(account, [])
            elif verb == "STAT":
                answer = f"+OK {len(messages)} 1"
            elif verb == "RETR":
                answer = f"+OK\r\n{messages[int(argument) - 1].rstrip()}\r\n."
            writer.write(answer.encode() + b"\r\n")
            if verb == "QUIT":
                break
        writer.close()

    async def pwd(self, reader, writer):
        writer.write(b"200 toy PWD Server ready\r\n")
        user = ""
        while line := (await reader.readline()).decode().strip():
            words = line.split()
            answer = "200 OK"
            if words[0] == "USER":
                user, answer = words[1], "300 go on"
            elif words[0] == "PASS":
                if self.accounts.get(self.local(user)) != words[1]:
                    answer = "515 wrong"
            elif words[0] == "Shutdown":
                self.end.set()
            elif words[0] == "Fault":
                self.fault = words[1]
            elif words[0] == "Echo":
                answer = f"201 {line[5:]}"
            else:
                answer = self.command(line, words)
            writer.write(answer.encode() + b"\r\n")
        writer.close()

    def command(self, line, words):
        name = words[1].strip('"') if len(words) > 1 else ""
        if words[0] == "Nonsense":
            return "500 unknown command"
        if self.fault == "refuse" and words[0] == "CreateAccount":
            return "501 not today"
        if words[0] == "INLINE":
            return "200 OK"
        if words[0] == "CreateAccount":
            self.accounts[name] = re.search(r"Password=(\w+)", line)[1]
        elif words[0] == "SetAccountPassword":
            self.accounts[name] = words[3]
        elif words[0] == "Route":
            account = self.local(name)
            if account is None and name.endswith("@mycompany.com"):
                return "501 unknown user account"
            host = name.partition("@")[2]
            return f'201 (LOCAL,{account},"")' if account else f'201 (SMTP,"{host}","{name}")'
        elif words[0] == "SetRouterTable" and self.fault == "no-router":
            return "500 unknown command"
        self.save()
        return "200 OK"


def main(arguments=None):
    parser = argparse.ArgumentParser()
    for name in ("--base", "--address", "--dns"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--control", default="")
    parser.add_argument("--fault", default="")
    options = parser.parse_args(arguments)
    if options.fault == "exit":
        print("toy: cannot start today", file=sys.stderr)
        return 7
    asyncio.run(Toy(options).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The servers that ``bench/transport.py`` compares, each in a private directory of its own.

None touches the configuration, the spool or the users of an installed server: Postfix gets its
configuration with ``master -c``; Exim, whose configuration and user are compiled in, sees a private
copy of /etc in a mount namespace. Both need root, as mail servers do. All have the same accounts
(``u0@main.example`` and so on), log as they do by default, and look up no names.

Each says in :attr:`Server.syncs` what of a message it forces to the disk, and when.
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hardy.places import OFFSET, Place
from hardy.talk import command

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "main.example"
#: Seconds that a server gets to start, to end, and to deliver the last message.
BOUND = 60.0


class Absent(Exception):  # noqa: N818 - it is what a server is
    """A server cannot run here. ``str()`` says why."""


class Server:
    """A mail server on a private directory."""

    name = ""
    #: What of a message is forced to the disk, and when.
    syncs = ""

    def __init__(self, *, folder: Path, place: Place, number: int, boxes: int) -> None:
        """``number`` tells the servers of a place apart, ``boxes`` is how many accounts exist."""
        self.folder = folder
        self.boxes = [f"u{box}" for box in range(boxes)]
        self.address = place.server
        self.port = OFFSET + 1000 + number
        self.process: subprocess.Popen[bytes] | None = None
        self._place = place

    def start(self) -> None:
        """Start it; return when it answers. Raises Absent."""
        self.folder.mkdir(mode=0o755)
        self.launch(self.prepare())

    def launch(self, arguments: Sequence[str]) -> None:
        """Run the server; return when it answers. Raises Absent."""
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._wait_for_prompt()

    def prepare(self) -> Sequence[str]:
        """Write the configuration; return the command that runs the server. Raises Absent."""
        raise NotImplementedError

    def delivered(self) -> int:
        """Return how many messages are in mailboxes."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(BOUND)

    def memory(self) -> int:
        """Return the octets that the server's process has in memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def output(self) -> str:
        """Return what the server has printed."""
        return (self.folder / "output").read_text("utf-8", "replace")

    def _wait_for_prompt(self) -> None:
        assert self.process is not None
        end = time.monotonic() + BOUND
        while time.monotonic() < end:
            try:
                with socket.create_connection((self.address, self.port), timeout=BOUND) as client:
                    if client.recv(3) == b"220":
                        return
            except OSError:
                # Others cannot tell us when they are ready.
                time.sleep(0.05)
            if self.process.poll() is not None:
                break
        raise Absent(f"it does not start: {self.output().strip() or 'it says nothing'}")


class Reference(Server):
    """The reference server."""

    name = "reference"
    syncs = (
        "the queue file and its directory before the 250; the .mbox before the queue file goes;"
        " concurrent messages share what can be shared"
    )

    def __init__(self, *, folder: Path, place: Place, number: int, boxes: int) -> None:
        super().__init__(folder=folder, place=place, number=number, boxes=boxes)
        self.port = OFFSET + 25
        self.base = folder / "base"
        self.extra: list[str] = []
        """CLI commands after those that make the accounts."""
        self._counted: dict[str, tuple[int, int]] = {}

    def prepare(self) -> Sequence[str]:
        """Return the command."""
        options = ("--base", str(self.base), *self._place.options())
        return sys.executable, "-m", "reference", *options

    def start(self) -> None:
        """Start it and make the accounts."""
        super().start()
        commands = [
            f"UpdateServerSettings {{DomainName={DOMAIN};}}",
            r'SetClientIPs "127.0.0.0-127.255.255.255\e"',
            *(f"CreateAccount {box}" for box in self.boxes),
            *self.extra,
        ]
        asyncio.run(command(self.address, self.base, commands))

    def delivered(self) -> int:
        """Return how many messages the mailboxes have; what was counted is not read again."""
        total = 0
        for box in self.boxes:
            path = self.base / "Accounts" / f"{box}.macnt" / "INBOX.mbox"
            known, end = self._counted.get(box, (0, 0))
            with path.open("rb") as file:
                file.seek(end)
                octets = file.read()
            # Only whole messages: an empty line ends each.
            whole = octets.rfind(b"\n\n") + 2 if octets.endswith(b"\n\n") else 0
            known += octets[:whole].count(b"\nFrom <") + octets[:whole].startswith(b"From <")
            self._counted[box] = known, end + whole
            total += known
        return total


class Aiosmtpd(Server):
    """aiosmtpd with its Maildir handler, which stores before it answers and has no queue."""

    name = "aiosmtpd"
    syncs = "the file in the Maildir before the 250, without its directory"

    def prepare(self) -> Sequence[str]:
        """Return the command."""
        return (
            *(sys.executable, "-m", "aiosmtpd", "-n", "-l", f"{self.address}:{self.port}"),
            *("-c", "aiosmtpd.handlers.Mailbox", str(self.folder / "mail")),
        )

    def delivered(self) -> int:
        """Return how many files there are."""
        return _files(self.folder / "mail/new")


class Postfix(Server):
    """Postfix; its virtual(8) agent delivers to Maildirs."""

    name = "Postfix"
    syncs = (
        "the queue file before the 250; the file in the Maildir before the queue file goes;"
        " no directory"
    )
    owner = "postfix"

    def prepare(self) -> Sequence[str]:
        """Write main.cf, master.cf and the queue's directories."""
        _must_be_root()
        postconf = shutil.which("postconf", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if postconf is None:
            raise Absent("it is not installed")
        asked = (postconf, "-d", "-h", "daemon_directory")
        daemons = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        folder = self.folder
        for name in ("config", "data", "mail", "queue"):
            (folder / name).mkdir()
        owner, group = pwd.getpwnam(self.owner).pw_uid, grp.getgrnam("postdrop").gr_gid
        os.chown(folder / "data", owner, 0)
        os.chown(folder / "mail", owner, 0)
        (folder / "queue/pid").mkdir()
        for name in _POSTFIX_QUEUES:
            (folder / "queue" / name).mkdir(mode=0o700)
            os.chown(folder / "queue" / name, owner, 0)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (folder / "queue" / name).mkdir()
            (folder / "queue" / name).chmod(mode)
            os.chown(folder / "queue" / name, owner, group)
        lines = "".join(f"{box}@{DOMAIN} {box}/\n" for box in self.boxes)
        (folder / "config/boxes").write_text(lines)
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": folder / "queue",
            "data_directory": folder / "data",
            "daemon_directory": daemons,
            "mail_owner": self.owner,
            "myhostname": f"host.{DOMAIN}",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "all",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            # A second of pause when mail comes faster than it goes would be measured otherwise.
            "in_flow_delay": "0",
            "maillog_file": "/dev/stdout",
            "smtpd_peername_lookup": "no",
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_maps": f"texthash:{folder}/config/boxes",
            "virtual_mailbox_base": folder / "mail",
            "virtual_mailbox_limit": "0",
            "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{owner}",
            "virtual_gid_maps": f"static:{group}",
        }
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        (folder / "config/main.cf").write_text(text)
        smtpd = f"{self.address}:{self.port} inet n - n - - smtpd\n"
        (folder / "config/master.cf").write_text(smtpd + _POSTFIX_SERVICES)
        return f"{daemons}/master", "-c", str(folder / "config"), "-d"

    def delivered(self) -> int:
        """Return how many files there are."""
        return sum(_files(self.folder / "mail" / box / "new") for box in self.boxes)


_POSTFIX_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("private", "saved", "trace"),
)
_POSTFIX_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Exim(Server):
    """Exim; its appendfile transport delivers to Maildirs, a process for each message."""

    name = "Exim"
    syncs = (
        "both spool files before the 250; the file in the Maildir before the spool files go;"
        " no directory"
    )
    owner = "Debian-exim"
    program = "exim4"

    def prepare(self) -> Sequence[str]:
        """Write the configuration and a copy of /etc that has it and the user."""
        _must_be_root()
        program = shutil.which(self.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise Absent("it is not installed")
        if shutil.which("unshare") is None:
            raise Absent("it needs a mount namespace, and unshare is not installed")
        folder = self.folder
        shutil.copytree("/etc", folder / "etc", symlinks=True, ignore=_no_devices)
        shutil.rmtree(folder / "etc/exim4", ignore_errors=True)
        (folder / "etc/exim4").mkdir()
        user, group = self._user()
        for name in ("spool", "log", "mail"):
            (folder / name).mkdir()
            os.chown(folder / name, user, group)
        for box in self.boxes:
            (folder / "mail" / box).mkdir()
            os.chown(folder / "mail" / box, user, group)
        configuration = _EXIM.format(
            domain=DOMAIN,
            folder=folder,
            program=program,
            address=self.address,
            port=self.port,
            owner=self.owner,
        )
        (folder / "etc/exim4/exim4.conf").write_text(configuration)
        inside = f"mount --bind {folder}/etc /etc && exec {program} -bdf -q1h"
        return "unshare", "--mount", "sh", "-c", inside

    def _user(self) -> tuple[int, int]:
        """Return the numbers of Exim's user, added to the private /etc if there is none."""
        try:
            known = pwd.getpwnam(self.owner)
        except KeyError:
            user = group = 64_444
            with (self.folder / "etc/passwd").open("a") as file:
                file.write(f"{self.owner}:x:{user}:{group}::/nonexistent:/usr/sbin/nologin\n")
            with (self.folder / "etc/group").open("a") as file:
                file.write(f"{self.owner}:x:{group}:\n")
            return user, group
        return known.pw_uid, known.pw_gid

    def delivered(self) -> int:
        """Return how many files there are."""
        return sum(_files(self.folder / "mail" / box / "new") for box in self.boxes)


_EXIM = """\
exim_path = {program}
primary_hostname = host.{domain}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = {port}
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
split_spool_directory = true
smtp_accept_max = 200
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
boxes:
  driver = accept
  domains = {domain}
  local_parts = dsearch,filter=dir;{folder}/mail
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail/$local_part_data
  maildir_format
  user = {owner}
  group = {owner}
"""


@contextmanager
def running(servers: Sequence[Server]) -> Iterator[list[Server]]:
    """Start servers and end them; gives those that run, and says why others do not."""
    started: list[Server] = []
    try:
        for server in servers:
            try:
                server.start()
            except Absent as absent:
                server.stop()
                print(f"{server.name}: skipped, {absent}")
            else:
                started.append(server)
        yield started
    finally:
        for server in started:
            server.stop()


def _no_devices(folder: str, names: list[str]) -> list[str]:
    """Return what of a folder is neither a file nor a folder."""
    paths = ((name, Path(folder, name)) for name in names)
    return [name for name, p in paths if not (p.is_symlink() or p.is_file() or p.is_dir())]


def _must_be_root() -> None:
    if os.geteuid() != 0:
        raise Absent("it needs root to start")


def _files(folder: Path) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - names only: nothing is cheaper
    except FileNotFoundError:
        return 0

"""The registry of the server's settings: keyword, label, kind, default, document.

This is the only place that knows them: the CLI, validation and help are made from it. The labels
are those of the documents' pages; the keywords of modules stand in no document (the documents'
pages show labels only), those of accounts and domains do. Durations are seconds when typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reference.storage.kinds import (
    Choice,
    Duration,
    Lines,
    LogLevel,
    Number,
    Size,
    StringMap,
    Strings,
    Text,
    YesNo,
)
from reference.storage.registry_objects import ACCOUNT_SETTINGS, DOMAIN_SETTINGS
from reference.storage.remote_accounts import RemoteAccounts
from reference.storage.schedule_kind import Schedule
from reference.storage.sockets import Sockets
from reference.storage.table import Setting, Table

_FLAG = YesNo()
_DURATION = Duration()
_TEXT = Text()
_STRINGS = Strings()
_WHOM = Choice(
    ("nobody", "no"), ("non-clients", "nonclients"), ("everybody", "anybody", "all", "yes")
)
_EVERYBODY = ("everybody", "anybody", "anyone", "if received from everybody")


def _log(document: str, default: str = "3") -> Setting:
    return Setting("LogLevel", "Log", LogLevel(), default, document)


_LISTENERS = "TCP/IP Listeners"


def _listener(document: str, port: str) -> tuple[Setting, ...]:
    return (
        Setting("ListenerPorts", "listener", Sockets(), [port], document),
        Setting(
            "SameAddressLimit",
            "Max Connections from same Address",
            Number(least=-1),
            "unlimited",
            f"{_LISTENERS}, Limiting Connections from the same Address",
        ),
    )


def _access(document: str, port: str, channels: str = "100") -> tuple[Setting, ...]:
    return (
        _log(document),
        Setting("Channels", "Channels", Number(), channels, document),
        *_listener(document, port),
    )


_SMTP = "SMTP Module"
_SENDING = f"{_SMTP}, Sending Messages via the Internet"
_SECURE_SENDING = f"{_SMTP}, Secure (encrypted) Message Relaying"
_RECEIVING = f"{_SMTP}, Receiving Messages"
_RELAYING = f"{_SMTP}, Message Relaying"
_WAKEUPS = f"{_SMTP}, Waking up the Backup Server"
_SCHEDULE = "Dialup, TCP Activity Schedule"
_HEADER_CHECKS = "Admin article, Reception, Header Checks"
_PROTECTION = "Protection"
_TLS = "Security, Using SSL/TLS Secure Connections"
_BLACKLISTING = f"{_PROTECTION}, Blacklisting Offenders"
_BANNING = f"{_PROTECTION}, Banning Mail by Header and Body Lines"
_DNR = "System Administration, Domain Name Resolver"

SMTP = Table(
    (
        _log(f"{_SMTP}, Configuring the SMTP module"),
        Setting("OutputChannels", "Channels", Number(), "100", _SENDING),
        Setting("Forward", "Forward to", _TEXT, "", _SENDING),
        Setting("ForwardAUTHName", "Send AUTH", _TEXT, "", _SENDING),
        Setting("ForwardAUTHPassword", "Send AUTH Password", _TEXT, "", _SENDING),
        Setting("ChannelsPerHost", "Channels/Host", Number(least=1), "3", _SENDING),
        Setting("AddChannelAfter", "Add Channel after", _DURATION, "1m", _SENDING),
        Setting("SecureDomains", "Send Encrypted To Domains", _STRINGS, [], _SECURE_SENDING),
        Setting("SecureWherePossible", "wherever possible", _FLAG, "NO", _SECURE_SENDING),
        Setting("RetryInterval", "Retry Every", _DURATION, "30m", _SENDING),
        Setting("RetryInterval2", "then Every", _DURATION, "2h", _SENDING),
        Setting("RetryPeriod1", "After", _DURATION, "1d", _SENDING),
        Setting("GiveUpAfter", "Keep Trying for", _DURATION, "5d", _SENDING),
        Setting("WarnAfter", "Send Warnings After", _DURATION, "never", _SENDING),
        Setting("InputChannels", "Channels", Number(), "100", _RECEIVING),
        *_listener(_RECEIVING, "25"),
        Setting("MessageLimit", "Size", Size(), "unlimited", _RECEIVING),
        Setting("RecipientLimit", "Recipients", Number(least=1), "1000", _RECEIVING),
        Setting("ErrorLimit", "Errors", Number(least=1), "20", _RECEIVING),
        Setting("CommandTimeout", "Command Timeout", _DURATION, "5m", _RECEIVING),
        Setting("AdvertiseAUTH", "Advertise AUTH capability to", _WHOM, "everybody", _RECEIVING),
        Setting("AdvertiseSecureSASL", "Advertise Secure SASL methods", _FLAG, "YES", "Security"),
        Setting("AdvertiseNTLM", "Advertise NTLM AUTH", _WHOM, "nobody", _RECEIVING),
        Setting("Advertise8BITMIME", "Advertise 8BITMIME to", _WHOM, "everybody", _RECEIVING),
        Setting("VerifyReturnPath", "Verify HELO and Return-Path", _WHOM, "nobody", _RECEIVING),
        Setting("ReverseConnect", "Reverse Connect for", _WHOM, "nobody", _HEADER_CHECKS),
        Setting("CheckSPF", "Check SPF Records for", _WHOM, "nobody", _HEADER_CHECKS),
        Setting("ForceAUTH", "Force AUTH for", _WHOM, "nobody", _RECEIVING),
        Setting(
            "RelayToNonClients",
            "Relay to non-Clients: If Received from",
            Choice(("clients", "if received from clients"), _EVERYBODY),
            "clients",
            _RELAYING,
        ),
        Setting(
            "RelayToClients",
            "Relay to Clients",
            Choice(
                ("simple", "simple addresses", "to simple addresses"),
                ("all", "any", "all addresses", "to all addresses"),
                "no",
            ),
            "simple",
            _RELAYING,
        ),
        Setting("RelayToBackup", "Relay to Hosts We Backup", _FLAG, "NO", _RELAYING),
        Setting(
            "AcceptWakeups",
            "Accept Wakeups from",
            Choice(_EVERYBODY, "clients"),
            "everybody",
            _RELAYING,
        ),
        Setting("HoldDomains", "Hold Mail for Domains", _STRINGS, [], _RELAYING),
        Setting("SendWakeupsEvery", "Send Wakeups Every", _DURATION, "never", _WAKEUPS),
        Setting("SendWakeupsTo", "Send Wakeups to", _TEXT, "", _WAKEUPS),
        Setting("UseATRN", "Use ATRN", _FLAG, "NO", _WAKEUPS),
        Setting("ATRNName", "ATRN login name", _TEXT, "", _WAKEUPS),
        Setting("ATRNPassword", "ATRN password", _TEXT, "", _WAKEUPS),
    )
)

PROTECTION = Table(
    (
        Setting("DetectClientsByName", "Detect Clients by DNS Name", _FLAG, "NO", _PROTECTION),
        Setting("ClientNames", "Client Names", _STRINGS, [], _PROTECTION),
        Setting(
            "NonClientLogins",
            "Non-Client IP Addresses",
            Choice(
                ("mobile", "Allow Mobile Users to Login"),
                ("reject", "Reject all Logins from Non-Client IP Addresses"),
            ),
            "mobile",
            f"{_PROTECTION}, Client-only Logins",
        ),
        Setting(
            "ProcessAsClient",
            "Process as a Client IP Address",
            _FLAG,
            "NO",
            f"{_PROTECTION}, Relaying for Mobile Users",
        ),
        Setting(
            "ProcessAsClientFor",
            "Process as a Client IP Address for",
            _DURATION,
            "15m",
            f"{_PROTECTION}, Relaying for Mobile Users",
        ),
        Setting(
            "RememberClients",
            "Remember up to",
            Number(),
            "100",
            f"{_PROTECTION}, Relaying for Mobile Users",
        ),
        Setting("UseBlacklistingDNS", "Use Blacklisting DNS", _FLAG, "NO", _BLACKLISTING),
        Setting("RBLServers", "RBL Servers", _STRINGS, [], _BLACKLISTING),
        Setting("BlacklistByName", "Blacklist by DNS Name", _FLAG, "NO", _BLACKLISTING),
        Setting("BlacklistedNames", "Blacklisted Names", _STRINGS, [], _BLACKLISTING),
        Setting("UnBlacklistByName", "UnBlacklist by DNS Name", _FLAG, "NO", _BLACKLISTING),
        Setting("UnBlacklistedNames", "UnBlacklisted Names", _STRINGS, [], _BLACKLISTING),
    )
)

BANNED = Table(
    (
        Setting("HeaderLines", "Banned Header Lines", Lines(), [], _BANNING),
        Setting("BodyLines", "Banned Body Lines", Lines(), [], _BANNING),
    )
)

_ALERT_TEXT = "Your account is over its storage quota; delete some messages"

LOCAL = Table(
    (
        _log("Local Delivery Module, Configuring"),
        Setting("Processes", "Processes", Number(most=1000), "4", "Local Delivery Module"),
        Setting(
            "KeepIfFull", "Keep if the Account is full", _DURATION, "1d", "Local Delivery Module"
        ),
        Setting(
            "FullPercent", "Account is % full", Number(most=100), "100", "Local Delivery Module"
        ),
        Setting(
            "KeepIfDisabled",
            "Keep if Mail Service is disabled",
            _DURATION,
            "7d",
            "Local Delivery Module",
        ),
        Setting("WarnAfter", "Send Warnings after", _DURATION, "never", "Local Delivery Module"),
        Setting(
            "AlertPercent",
            "Send Alerts if Account is % full",
            Number(most=100),
            "0",
            "Local Delivery Module",
        ),
        Setting("AlertText", "Alert Text", _TEXT, _ALERT_TEXT, "Local Delivery Module"),
        Setting(
            "FlowLimit",
            "Suspend Account Queue if Received",
            Number(),
            "0",
            "Local Delivery Module, Message Flow Control",
        ),
        Setting(
            "FlowPeriod",
            "messages within",
            _DURATION,
            "5m",
            "Local Delivery Module, Message Flow Control",
        ),
        Setting(
            "EnvelopeRecipientsField",
            "Envelope Recipients field",
            _TEXT,
            "X-Real-To",
            "Local Delivery Module, Routing Settings",
        ),
        Setting(
            "DirectMailbox",
            "Direct Mailbox (mailbox#account)",
            _FLAG,
            "YES",
            "Local Delivery Module, Routing Settings",
        ),
        Setting(
            "AccountDetail",
            "Account Detail (account+detail)",
            Choice("Disabled", "Enabled", "Direct Mailbox"),
            "Disabled",
            "Local Delivery Module, Routing Settings",
        ),
        Setting(
            "AllDomainAliases",
            "All-Domain Aliases",
            StringMap(),
            {},
            "Local Delivery Module, All-Domain Aliases",
        ),
    )
)

DNR = Table(
    (
        _log(_DNR),
        Setting("ConcurrentRequests", "Concurrent Requests", Number(least=1), "10", _DNR),
        Setting("InitialTimeout", "Initial Time-out", _DURATION, "5s", _DNR),
        Setting("RetryLimit", "Retry Limit", Number(most=100), "5", _DNR),
        Setting("Servers", "DNS Addresses", _STRINGS, [], _DNR),
    )
)

_PIPE = "PIPE Module, Configuring the PIPE module"

PIPE = Table(
    (
        _log(_PIPE),
        Setting("CheckSubmittedEvery", "Check Submitted Directory Every", _DURATION, "10s", _PIPE),
        Setting("Processes", "Processes", Number(most=100), "3", _PIPE),
        Setting("ApplicationDirectory", "Application Directory", _TEXT, "", _PIPE),
        Setting("TimeLimit", "Processing Time Limit", _DURATION, "2m", _PIPE),
    )
)

_RPOP = "RPOP Module, Configuring the RPOP module"

RPOP = Table(
    (
        _log(_RPOP),
        Setting("Channels", "Polling Channels Limit", Number(), "25", _RPOP),
        Setting("FailedHostDelay", "Delay Failed Hosts for", _DURATION, "2h", _RPOP),
        Setting("UseAPOP", "Use APOP", _FLAG, "YES", _RPOP),
        Setting("FailedAccountDelay", "Delay Failed Accounts for", _DURATION, "30m", _RPOP),
        Setting("SelfPoll", "Allow Self-Poll", _FLAG, "NO", _RPOP),
        Setting(
            "UnifiedAccounts",
            "Unified Domain-wide Accounts",
            RemoteAccounts(),
            [],
            "RPOP Module, Specifying Unified Domain-Wide Accounts",
        ),
    )
)

_SUBMITTING = "Message Transfer, Submitting Messages"
_ENQUEUEING = "Message Transfer, Enqueueing"
_DEQUEUEING = "Message Transfer, Dequeueing"

QUEUE = Table(
    (
        _log(_ENQUEUEING),
        Setting("TempFilerLogLevel", "TempFiler Log", LogLevel(), "1", _SUBMITTING),
        # Message files are never used again: a name, once given, stands for one message.
        Setting("RecycleTempFiles", "Recycle Temp Files", _FLAG, "NO", _SUBMITTING),
        Setting("EnqueuerLogLevel", "Enqueuer Log", LogLevel(), "1", _ENQUEUEING),
        Setting("EnqueuerProcessors", "Enqueuer Processors", Number(1, 100), "1", _ENQUEUEING),
        Setting("DequeuerLogLevel", "Dequeuer Log", LogLevel(), "2", _DEQUEUEING),
        Setting("DequeuerProcessors", "Dequeuer Processors", Number(1, 100), "1", _DEQUEUEING),
        Setting("ReportingDelay", "Reporting Delay", _DURATION, "15s", _DEQUEUEING),
        Setting(
            "FailureReturn",
            "On Failure, Return",
            Choice("headers by default", "body by default", "always headers", "always body"),
            "headers by default",
            _DEQUEUEING,
        ),
        Setting("CopyFailuresTo", "Copy Failure Reports to", _TEXT, "", _DEQUEUEING),
    )
)

ROUTER = Table(
    (
        _log("Router, Routing Table"),
        Setting(
            "AddToNonQualified",
            "Add to Non-Qualified Domain Names",
            _FLAG,
            "NO",
            "Router, Default Records",
        ),
        Setting("NonQualifiedSuffix", "Non-Qualified Suffix", _TEXT, "", "Router"),
    )
)

SERVER = Table(
    (
        Setting("DomainName", "Main Domain Name", _TEXT, "", "System Administration"),
        _log("System Administration, System Internals Log"),
        Setting("CrashRecovery", "Crash Recovery", _FLAG, "YES", "System Administration"),
        Setting(
            "HideAccountUnknown",
            "Hide Unknown Account messages",
            _FLAG,
            "YES",
            "Security, Account Name Harvesting",
        ),
        Setting("AccountStatistics", "Account Statistics", _FLAG, "NO", "System Administration"),
    )
)

LOGS = Table(
    (
        Setting("NewFileEvery", "Start New File every", _DURATION, "1d", "Server Logs"),
        Setting("LargerThan", "or if Larger than", Size(), "unlimited", "Server Logs"),
        Setting("DeleteOldFiles", "Delete Old Files in", _DURATION, "never", "Server Logs"),
    )
)

_STRINGS_DOCUMENT = "System Administration, Customizing Server Prompts"

STRINGS = Table(
    Setting(keyword, keyword, _TEXT, text, _STRINGS_DOCUMENT)
    for keyword, text in (
        ("POPPrompt", "CommuniGate Pro POP3 Server ^0 ready"),
        ("SMTPByeBye", "CommuniGate Pro SMTP closing connection"),
        ("SMTPNoRelay", "we do not relay"),
        ("SMTPNonInternet", "will leave the Internet"),
        ("SMTPNormalPrompt", "^1 ESMTP CommuniGate Pro ^0"),
    )
)

#: All modules. The two last ones are the server-wide defaults of domains and accounts.
SETTINGS: Mapping[str, Table] = MappingProxyType(
    {
        "Server": SERVER,
        "Router": ROUTER,
        "Queue": QUEUE,
        "SMTP": SMTP,
        "LOCAL": LOCAL,
        "LIST": Table((_log("LIST Module, Configuring the LIST module"),)),
        "PIPE": PIPE,
        "RPOP": RPOP,
        "POP": Table(_access("POP Module, Configuring the POP module", "110")),
        "IMAP": Table(_access("IMAP Module, Configuring the IMAP module", "143")),
        "PWD": Table(_access("PWD Module, Configuring the PWD module", "106")),
        "HTTPA": Table(_access("HTTP Module, Access to the WebAdmin Interface", "8010")),
        "HTTPU": Table(_access("HTTP Module, Configuring the HTTP module", "8100")),
        "DNR": DNR,
        "Schedule": Table(
            (
                _log(_SCHEDULE),
                Setting("Elements", "TCP Activity Schedule", Schedule(), [], _SCHEDULE),
            )
        ),
        "TLS": Table(
            (
                _log(_TLS),
                Setting("TimeToLive", "Time To Live", _DURATION, "10m", _TLS),
            )
        ),
        "Protection": PROTECTION,
        "Banned": BANNED,
        "Logs": LOGS,
        "Strings": STRINGS,
        "DomainDefaults": DOMAIN_SETTINGS,
        "AccountDefaults": ACCOUNT_SETTINGS,
    }
)

#: Other names under which a module is known.
MODULE_ALIASES: Mapping[str, str] = MappingProxyType({"main": "Server", "general": "Server"})

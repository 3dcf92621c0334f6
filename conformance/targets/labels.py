"""The table label → keyword: how the settings' labels of the documents are called in the CLI.

The documents show settings by the labels of their web pages; the CLI knows them by keywords, most
of which no document names. A scenario may write either. A target file overrides this table with
``[keywords.MODULE]``. Values are words: a few labels of values are translated as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.targets.base import TargetError
from conformance.targets.dictionary import Value
from conformance.targets.file import suggest

#: Modules through which users get at their mail.
_ACCESS = {
    "log": "LogLevel",
    "log level": "LogLevel",
    "channels": "Channels",
    "listener ports": "ListenerPorts",
    "max connections from same address": "SameAddressLimit",
}

#: The remote accounts that the RPOP module polls: for a domain, and for an account.
_REMOTE_ACCOUNT = {
    "poll every": "period",
    "account": "authName",
    "at host": "domain",
    "password": "password",
    "leave": "leave",
    "apop": "APOP",
    "special header": "specialHeader",
}

#: Module → label in lower case → keyword. ``Account``, ``Domain``, ``List`` are objects' settings.
KEYWORDS: Mapping[str, Mapping[str, str]] = {
    "SMTP": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "relay to non-clients": "RelayToNonClients",
        "relay to clients": "RelayToClients",
        "relay to client ip addresses": "RelayToClients",
        "relay to hosts we backup": "RelayToBackup",
        "relay to backed-up hosts": "RelayToBackup",
        "forward to": "Forward",
        "forwarding server": "Forward",
        "send auth": "ForwardAUTHName",
        "send auth password": "ForwardAUTHPassword",
        "channels/host": "ChannelsPerHost",
        "add channel after": "AddChannelAfter",
        "add channels after": "AddChannelAfter",
        "send encrypted": "SecureDomains",
        "send encrypted to domains": "SecureDomains",
        "send encrypted (ssl/tls) to domains": "SecureDomains",
        "send secure to domains": "SecureDomains",
        "wherever possible": "SecureWherePossible",
        "advertise auth": "AdvertiseAUTH",
        "advertise secure sasl methods": "AdvertiseSecureSASL",
        "advertise ntlm": "AdvertiseNTLM",
        "advertise ntlm sasl method": "AdvertiseNTLM",
        "advertise 8bitmime": "Advertise8BITMIME",
        "advertise 8bitmime to": "Advertise8BITMIME",
        "advertise auth capability to": "AdvertiseAUTH",
        "advertise ntlm auth": "AdvertiseNTLM",
        "force auth for": "ForceAUTH",
        "verify helo and return paths for": "VerifyReturnPath",
        "message recipients limit": "RecipientLimit",
        "verify helo and return-path": "VerifyReturnPath",
        "verify return-path for": "VerifyReturnPath",
        "reverse connect": "ReverseConnect",
        "reverse connect for": "ReverseConnect",
        "check spf records": "CheckSPF",
        "check spf records for": "CheckSPF",
        "force auth": "ForceAUTH",
        "accept wakeups": "AcceptWakeups",
        "accept wakeups from": "AcceptWakeups",
        "hold mail for domains": "HoldDomains",
        "hold mail for": "HoldDomains",
        "send wakeups every": "SendWakeupsEvery",
        "send wakeups to": "SendWakeupsTo",
        "use atrn": "UseATRN",
        "atrn login name": "ATRNName",
        "atrn password": "ATRNPassword",
        "message size limit": "MessageLimit",
        "size limit": "MessageLimit",
        "recipient limit": "RecipientLimit",
        "limit recipients": "RecipientLimit",
        "error limit": "ErrorLimit",
        "command timeout": "CommandTimeout",
        "input channels": "InputChannels",
        "output channels": "OutputChannels",
        "sending channels": "OutputChannels",
        "retry every": "RetryInterval",
        "retry interval": "RetryInterval",
        "then every": "RetryInterval2",
        "then retry every": "RetryInterval2",
        "retry later every": "RetryInterval2",
        "after": "RetryPeriod1",
        "retry period": "RetryPeriod1",
        "keep trying for": "GiveUpAfter",
        "give up after": "GiveUpAfter",
        "send warnings after": "WarnAfter",
        "listener ports": "ListenerPorts",
        "max connections from same address": "SameAddressLimit",
        "receiving channels": "InputChannels",
    },
    "Router": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "add to non-qualified domain names": "AddToNonQualified",
        "add to non-qualified": "AddToNonQualified",
        "non-qualified suffix": "NonQualifiedSuffix",
    },
    "Protection": {
        "detect clients by dns name": "DetectClientsByName",
        "client names": "ClientNames",
        "non-client ip addresses": "NonClientLogins",
        "process as a client ip address": "ProcessAsClient",
        "process as a client ip address for": "ProcessAsClientFor",
        "remember up to": "RememberClients",
        "use blacklisting dns": "UseBlacklistingDNS",
        "rbl servers": "RBLServers",
        "blacklist by dns name": "BlacklistByName",
        "blacklisted names": "BlacklistedNames",
        "unblacklist by dns name": "UnBlacklistByName",
        "unblacklisted names": "UnBlacklistedNames",
    },
    "Banned": {
        "banned header lines": "HeaderLines",
        "banned body lines": "BodyLines",
    },
    "DNR": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "initial time-out": "InitialTimeout",
        "initial timeout": "InitialTimeout",
        "retry limit": "RetryLimit",
        "concurrent requests": "ConcurrentRequests",
        "name servers": "Servers",
        "dns addresses": "Servers",
    },
    "Schedule": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "tcp activity schedule": "Elements",
    },
    "LOCAL": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "processes": "Processes",
        "keep if the account is full": "KeepIfFull",
        "account is % full": "FullPercent",
        "keep if mail service is disabled": "KeepIfDisabled",
        "send warnings after": "WarnAfter",
        "send alerts if account is % full": "AlertPercent",
        "alert text": "AlertText",
        "suspend account queue if received": "FlowLimit",
        "messages within": "FlowPeriod",
        "envelope recipients field": "EnvelopeRecipientsField",
        "direct mailbox": "DirectMailbox",
        "direct mailbox addressing": "DirectMailbox",
        "account detail": "AccountDetail",
        "all-domain aliases": "AllDomainAliases",
    },
    "POP": _ACCESS,
    "IMAP": _ACCESS,
    "PWD": _ACCESS,
    "HTTPA": _ACCESS,
    "HTTPU": _ACCESS,
    "TLS": {"log": "LogLevel", "log level": "LogLevel", "time to live": "TimeToLive"},
    "LIST": {"log": "LogLevel", "log level": "LogLevel"},
    "PIPE": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "check submitted directory every": "CheckSubmittedEvery",
        "processes": "Processes",
        "application directory": "ApplicationDirectory",
        "processing time limit": "TimeLimit",
    },
    "RPOP": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "channels limit": "Channels",
        "polling channels limit": "Channels",
        "delay failed hosts": "FailedHostDelay",
        "delay failed hosts for": "FailedHostDelay",
        "delay failed accounts": "FailedAccountDelay",
        "delay failed accounts for": "FailedAccountDelay",
        "use apop": "UseAPOP",
        "allow self-poll": "SelfPoll",
        "unified domain-wide accounts": "UnifiedAccounts",
    },
    "Queue": {
        "log": "LogLevel",
        "log level": "LogLevel",
        "tempfiler log": "TempFilerLogLevel",
        "recycle temp files": "RecycleTempFiles",
        "enqueuer log": "EnqueuerLogLevel",
        "enqueuer processors": "EnqueuerProcessors",
        "dequeuer log": "DequeuerLogLevel",
        "dequeuer processors": "DequeuerProcessors",
        "reporting delay": "ReportingDelay",
        "on failure, return": "FailureReturn",
        "copy failure reports to": "CopyFailuresTo",
    },
    "Server": {
        "main domain name": "DomainName",
        "hide unknown account messages": "HideAccountUnknown",
        "account statistics": "AccountStatistics",
    },
    "Domain": {
        "mail to unknown": "MailToUnknown",
        "mail to unknown names": "MailToUnknown",
        "mail to unknown addresses": "MailToUnknown",
        "mail reroute address": "MailRerouteAddress",
        "reroute address": "MailRerouteAddress",
        "rerouted to": "MailRerouteAddress",
        "consult external on unknown": "ExternalOnUnknown",
        "mail to all": "MailToAllAction",
        "send to forwarders": "AllWithForwarders",
        "relay address": "RelayAddress",
        "use ip address": "RelayAddress",
        "secure certificate to use": "CertificateType",
        "private key": "PrivateSecureKey",
        "certificate": "SecureCertificate",
        "certificate authority chain": "CAChain",
        "ca chain": "CAChain",
        "enabled services": "DomainAccessModes",
        "force smtp auth": "ForceSMTPAUTH",
        "accounts limit": "AccountsLimit",
        "lists limit": "ListsLimit",
        "auto-signup": "AutoSignup",
        "foldering method": "Foldering",
    },
    "Account": {
        "communigate password": "Password",
        "password": "Password",
        "real name": "RealName",
        "encryption": "PasswordEncryption",
        "password encryption": "PasswordEncryption",
        "allow to modify": "PWDAllowed",
        "allow to use communigate password": "UseAppPassword",
        "allow to use os password": "UseSysPassword",
        "use os password": "UseSysPassword",
        "allow to use external authentication": "UseExtPassword",
        "secure method required": "RequireAPOP",
        "enabled services": "AccessModes",
        "mail storage": "MaxAccountSize",
        "storage limit": "MaxAccountSize",
        "mailboxes": "MaxMailboxes",
        "automated rules": "RulesAllowed",
        "accept mail to all": "MailToAll",
        "add trailer": "AddMailTrailer",
    },
    # The elements of Listener Ports: what a keyword's value is made of has a table of its own.
    "ListenerPorts": {
        "port": "Port",
        "local address": "Address",
        "ssl/tls": "InitTLS",
        "init ssl/tls": "InitTLS",
        "restriction": "Restriction",
        "remote address restrictions": "Restriction",
        "addresses": "RestrictionList",
    },
    "Elements": {
        "day of week": "Days",
        "days of week": "Days",
        "day(s) of week": "Days",
        "when": "When",
        "pause": "Pause",
    },
    "UnifiedAccounts": _REMOTE_ACCOUNT,
    "RemoteAccount": _REMOTE_ACCOUNT,
    "Rights": {
        "can modify access rights": "Master",
        "can modify access rights (unlimited access)": "Master",
        "unlimited access": "Master",
        "can modify user accounts": "AllDomains",
        "can modify server settings": "Settings",
        "can monitor server": "Monitor",
        "can modify this domain and its account settings": "Domain",
        "domain administration": "Domain",
    },
    "List": {
        "description": "RealName",
        "accept postings": "Postings",
        "request confirmations": "Confirm",
        "who can browse": "Browse",
        "subscribe": "Subscribe",
        "default mode": "DefaultMode",
        "confirmation request subject": "ConfirmationSubject",
        "confirmation request text": "ConfirmationText",
        "welcome subject": "PolicySubject",
        "welcome text": "PolicyText",
        "good bye subject": "ByeSubject",
        "good bye text": "ByeText",
    },
}

#: Labels of values in lower case → the word that the CLI knows.
VALUES: Mapping[str, str] = {
    "if received from clients": "clients",
    "if received from everybody": "everybody",
    "to simple addresses": "simple",
    "to all addresses": "all",
    "reject all logins": "reject",
    "allow mobile users to log in": "mobile",
}


class Keywords:
    """The table with a target file's own words put in."""

    def __init__(self, overrides: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._modules: dict[str, dict[str, str]] = {}
        for tables in (KEYWORDS, overrides or {}):
            for module, table in tables.items():
                known = self._modules.setdefault(module.lower(), {})
                known.update({_plain(label): keyword for label, keyword in table.items()})

    def keyword(self, module: str, label: str) -> str:
        """Return the keyword of a label; a word that can be a keyword stays as it is.

        Raises TargetError for a label of several words that the table lacks.
        """
        table = self._modules.get(module.lower(), {})
        found = table.get(_plain(label))
        if found is not None:
            return found
        if " " not in label.strip():
            return label
        near = suggest(_plain(label), list(table))
        raise TargetError(
            f"no keyword is known for the {module} setting {label!r}{near}: "
            f"name it in the target file under [keywords.{module}]"
        )

    def settings(self, module: str, settings: Mapping[str, Any]) -> dict[str, Value]:
        """Return settings with keywords for keys and words for values. Raises TargetError."""
        found = {self.keyword(module, label): value for label, value in settings.items()}
        return {keyword: word(self._elements(keyword, value)) for keyword, value in found.items()}

    def _elements(self, keyword: str, value: Any) -> Any:
        """Return the value of a keyword that has a table of its own, with keywords inside."""
        if keyword.lower() not in self._modules or not isinstance(value, list | tuple):
            return value
        return [
            self.settings(keyword, element) if isinstance(element, Mapping) else element
            for element in value
        ]


def word(value: Any) -> Value:
    """Return a YAML value as the documents' format writes it: flags are YES and NO."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, Mapping):
        return {str(key): word(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [word(inner) for inner in value]
    if value is None:
        return ""
    text = str(value)
    return VALUES.get(text.lower(), text)


def _plain(label: str) -> str:
    return " ".join(label.lower().rstrip(": ").split())

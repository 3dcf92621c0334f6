"""The settings of accounts and domains: a part of the registry (:mod:`reference.storage.registry`).

Guide 3.5.2, Accounts (Specifying Account Settings) and Domains (Specifying Domain Settings). A
value that is not set explicitly comes from the domain's Default Account Settings and then from the
server-wide ones (for a domain's setting: from the Default Domain Settings), and last from here.
Several settings are kept and shown though this server does nothing with them yet: a domain that
moves here keeps them.
"""

from __future__ import annotations

from reference.storage.kinds import (
    Addresses,
    Choice,
    LogLevel,
    Number,
    Services,
    Size,
    Text,
    YesNo,
)
from reference.storage.kinds_pem import Pem
from reference.storage.table import OpenTable, Setting

_FLAG = YesNo()
_TEXT = Text()
_LIMIT = Number(least=-1)
_SERVICES = Services()

_SETTINGS = "Accounts, Specifying Account Settings"
_AUTHENTICATION = "Accounts, Authentication Methods"
_LIMITS = "Accounts, Resource Usage Limits"
_PROCESSING = "Accounts, Processing Options"
_MISCELLANEOUS = "Accounts, Miscellaneous Options"

ACCOUNT_SETTINGS = OpenTable(
    (
        Setting("RealName", "Real Name", _TEXT, "", _SETTINGS),
        Setting("Password", "CommuniGate Password", _TEXT, "", _SETTINGS),
        Setting(
            "PasswordEncryption",
            "Encryption",
            Choice(("clear", "clear text"), "A-crpt", "U-crpt"),
            "clear",
            _AUTHENTICATION,
        ),
        Setting("PWDAllowed", "Allow to Modify", _FLAG, "YES", _AUTHENTICATION),
        Setting("UseAppPassword", "Allow to Use", _FLAG, "YES", _AUTHENTICATION),
        Setting("UseSysPassword", "Enable OS Password", _FLAG, "NO", _AUTHENTICATION),
        Setting("UseExtPassword", "External Authentication", _FLAG, "NO", _AUTHENTICATION),
        Setting("OSUserName", "OS UserName", _TEXT, "*", _AUTHENTICATION),
        Setting("RequireAPOP", "Secure Login Required", _FLAG, "NO", _AUTHENTICATION),
        Setting("AccessModes", "Enabled Services", _SERVICES, "All", "Accounts, Enabled Services"),
        Setting("MaxAccountSize", "Mail Storage", Size(), "unlimited", _LIMITS),
        Setting("MaxMailboxes", "Mailboxes", _LIMIT, "-1", _LIMITS),
        Setting("MaxWebSize", "Web Storage", Size(), "unlimited", _LIMITS),
        Setting("MaxWebFiles", "Web Files", _LIMIT, "-1", _LIMITS),
        Setting("RPOPAllowed", "RPOP Accounts", _FLAG, "NO", _PROCESSING),
        Setting(
            "RulesAllowed",
            "Automated Rules",
            Choice("No", "Filter Only", "All But Exec", "Any"),
            "Filter Only",
            _PROCESSING,
        ),
        Setting("MailToAll", "Accept Mail to all", _FLAG, "YES", _MISCELLANEOUS),
        Setting(
            "DefaultMailboxType",
            "New Mailboxes",
            Choice(("TextMailbox", "Text Mailbox"), ("MailDirMailbox", "MailDir Mailbox")),
            "TextMailbox",
            _MISCELLANEOUS,
        ),
        Setting("AddMailTrailer", "Add Mail Trailer", _FLAG, "YES", _MISCELLANEOUS),
        Setting("AddWebBanner", "Add Web Banner", _FLAG, "YES", _MISCELLANEOUS),
        Setting("ExternalINBOX", "external INBOX", _FLAG, "NO", "Accounts, Creating an Account"),
    )
)

_UNKNOWN = "Domains, Processing Unknown Names"
_ALL = "Domains, Sending Mail To All Accounts in the Domain"
_CERTIFICATES = "Security, Domain Security Settings"
_FOLDERING = "Domains, Subdirectories for Large Domains"
_DOMAIN_LIMITS = "Domains, Domain Limits"

DOMAIN_SETTINGS = OpenTable(
    (
        Setting("AccountsLogLevel", "Account Log", LogLevel(), "3", "Domains"),
        Setting("MailboxesLogLevel", "Mailbox Log", LogLevel(), "3", "Domains"),
        Setting(
            "DomainAccessModes",
            "Enabled Services",
            _SERVICES,
            "All",
            "Domains, Enabling Messaging Services",
        ),
        Setting(
            "IPMode",
            "Assigned IP Addresses",
            Choice(("All", "All Available"), ("Manual", "Manually Defined")),
            "Manual",
            "Domains, Multihoming and Dedicated IP Addresses",
        ),
        Setting(
            "IPAddresses",
            "Manually Defined",
            Addresses(),
            [],
            "Domains, Multihoming and Dedicated IP Addresses",
        ),
        Setting("AccountsLimit", "Accounts", _LIMIT, "-1", _DOMAIN_LIMITS),
        Setting("ListsLimit", "Mailing Lists", _LIMIT, "-1", _DOMAIN_LIMITS),
        Setting("ExternalOnUnknown", "Consult External Authenticator", _FLAG, "NO", _UNKNOWN),
        Setting(
            "MailToUnknown",
            "Mail to Unknown Names is",
            Choice(
                "Rejected",
                "Discarded",
                ("Rerouted to", "Rerouted to:", "Rerouted"),
                "Accepted and Bounced",
            ),
            "Rejected",
            _UNKNOWN,
        ),
        Setting("MailRerouteAddress", "Rerouted to", _TEXT, "", _UNKNOWN),
        Setting(
            "MailToAllAction",
            "Mail to all is distributed for",
            Choice(
                "nobody",
                ("anybody", "everybody"),
                "Clients",
                "Authenticated Users",
                "Authenticated Domain Users",
                "Authenticated Administrator",
            ),
            "nobody",
            _ALL,
        ),
        Setting("AllWithForwarders", "Send to Forwarders", _FLAG, "NO", _ALL),
        Setting(
            "RelayAddress",
            "Use IP Address",
            Choice("any", "first", "same"),
            "any",
            "Domains, Relaying via a Dedicated IP Address",
        ),
        Setting("ForceSMTPAUTH", "Force SMTP AUTH", _FLAG, "NO", "Domains"),
        Setting("AutoSignup", "Auto Sign-up", _FLAG, "NO", "Domains, Enabling Auto-Signup"),
        Setting("CentralDirectory", "Directory Integration", _TEXT, "", "Domains"),
        Setting(
            "CertificateType",
            "Secure Certificate To Use",
            # Newer versions call the server-wide certificate the test certificate.
            Choice("No", "Server", "Custom", "Test"),
            "No",
            _CERTIFICATES,
        ),
        Setting("PrivateSecureKey", "Private Key", Pem("key"), "", _CERTIFICATES),
        Setting("SecureCertificate", "Certificate", Pem("certificate"), "", _CERTIFICATES),
        Setting("CAChain", "Certificate Authority Chain", Pem("chain"), "", _CERTIFICATES),
        Setting(
            "Foldering",
            "Foldering Method",
            Choice(
                "flat",
                "2 Letters 1 Level",
                "2 Letters 2 Levels",
                "Hashed 1 Level",
                "Hashed 2 Levels",
            ),
            "flat",
            _FOLDERING,
        ),
        Setting("RenameInPlace", "Rename In Place", _FLAG, "NO", _FOLDERING),
        Setting("FolderIndex", "Generate Index", _FLAG, "NO", _FOLDERING),
        Setting(
            "ExternalLockType",
            "synchronize using",
            Choice("FileLevel", "RangeLevel"),
            "FileLevel",
            "Domains, Server OS Integration",
        ),
        Setting("WebSitePrefix", "Web Site Prefix", _TEXT, "", "Domains, WebUser Interface"),
        Setting(
            "AdminDomainName", "Administrator Domain", _TEXT, "", "Domains, Administrator Domain"
        ),
        Setting("TrailerText", "Mail Trailer Text", _TEXT, "", "Domains, WebUser Interface"),
        Setting("WebBanner", "Web Banner Text", _TEXT, "", "Domains, WebUser Interface"),
    )
)

#: Keywords of an Account Template that new accounts do not get as settings of theirs.
TEMPLATE_ONLY = frozenset(
    {"InitialMailboxes", "InitialSubscription", "InitialAliases", "InitialGreeting", "InitialPage"}
)

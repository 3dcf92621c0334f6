"""The communication modules (LOCAL, SMTP sending, LIST) and the Domain Name Resolver (DNR)."""

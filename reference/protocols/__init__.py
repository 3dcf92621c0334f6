"""The listeners' protocols: SMTP receiving, POP3, IMAP4, PWD."""

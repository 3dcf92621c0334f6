"""What lies on disk under the base directory: settings, domains, accounts, mailboxes, logs."""

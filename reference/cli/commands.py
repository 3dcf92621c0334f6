"""All commands of the CLI, in the order of the guide's chapter."""

from __future__ import annotations

from reference.cli import (
    account_settings,
    accounts,
    alerts,
    cluster,
    domains,
    forwarders,
    lists,
    mailboxes,
    monitoring,
    security,
    server_settings,
    web_files,
)
from reference.cli.command import Command

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
    *accounts.COMMANDS,
    *account_settings.COMMANDS,
    *forwarders.COMMANDS,
    *domains.COMMANDS,
    *security.COMMANDS,
    *mailboxes.COMMANDS,
    *alerts.COMMANDS,
    *web_files.COMMANDS,
    *lists.COMMANDS,
    *server_settings.COMMANDS,
    *monitoring.COMMANDS,
    *cluster.COMMANDS,
)

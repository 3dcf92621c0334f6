"""Commands that work in a Dynamic Cluster only, or that ask for a part this server lacks.

Guide 3.5.2, Command Line Interface. This server is a single one without Directory-based Domains, so
all of them are refused, with the reason. Their parameters are not looked at.
"""

from __future__ import annotations

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError

__all__ = ["COMMANDS"]

_SYSTEM = (
    *("GetClusterDomainDefaults", "UpdateClusterDomainDefaults", "SetClusterDomainDefaults"),
    *("GetClusterAccountDefaults", "UpdateClusterAccountDefaults", "SetClusterAccountDefaults"),
    *("GetClusterDirectoryIntegration", "SetClusterDirectoryIntegration", "CreateSharedDomain"),
    *("GetClusterAlerts", "SetClusterAlerts", "PostClusterAlert", "RemoveClusterAlert"),
    *("ListClusterSkins", "CreateClusterSkin", "RenameClusterSkin", "DeleteClusterSkin"),
    *("ListClusterSkinFiles", "ReadClusterSkinFile", "StoreClusterSkinFile"),
)
_SETTINGS = (
    *("GetClusterBlacklistedIPs", "GetClusterClientIPs", "GetClusterWhiteHoleIPs"),
    *("SetClusterBlacklistedIPs", "SetClusterClientIPs", "SetClusterWhiteHoleIPs"),
    *("GetClusterProtection", "SetClusterProtection", "GetClusterBanned", "SetClusterBanned"),
    *("GetClusterRules", "SetClusterRules", "GetClusterRouterTable", "SetClusterRouterTable"),
)
_DIRECTORY = ("CreateDirectoryDomain", "ReloadDirectoryDomains")


def _no_cluster(call: Call) -> Answer:
    raise CommandError("this server is not a member of a Dynamic Cluster")


def _no_directory(call: Call) -> Answer:
    raise CommandError("Directory-based Domains are disabled")


COMMANDS: tuple[Command, ...] = (
    *(row(name, _no_cluster, "[any:rest]", access=Access.SYSTEM) for name in _SYSTEM),
    *(row(name, _no_cluster, "[any:rest]", access=Access.SETTINGS) for name in _SETTINGS),
    *(row(name, _no_directory, "[any:rest]", access=Access.SYSTEM) for name in _DIRECTORY),
)

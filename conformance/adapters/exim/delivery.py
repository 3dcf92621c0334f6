"""Transports, retry rules and authenticators.

Exim specification, chapters 24, 26, 30 (transports), 32 (retry), 33 to 41 (authenticators).
"""

from __future__ import annotations

from conformance.adapters.dovecot import AUTH_SOCKET
from conformance.adapters.exim.tables import ACCOUNTS, PASSWORDS, QUOTAS
from conformance.adapters.site import Site
from conformance.targets.base import NotApplicable

__all__ = ["authenticators", "retry_rules", "transports"]

_LOCAL = f"""\
local_delivery:
  driver = appendfile
  directory = ${{lookup{{$local_part@$domain}}lsearch{{{ACCOUNTS}}}}}FOLDER
  maildir_format
  create_directory
  delivery_date_add = no
  envelope_to_add = no
  return_path_add
  user = vmail
  group = vmail
  mode_fail_narrower = no
"""


def transports(site: Site) -> str:
    """Return the transports."""
    return "\n".join(
        [
            _LOCAL.replace("FOLDER", "").rstrip() + _quota(site),
            _LOCAL.replace("local_delivery:", "mailbox_delivery:").replace(
                "FOLDER", ".${extract{mailbox}{$address_data}}/"
            ),
            _smtp(site),
        ]
    )


def _quota(site: Site) -> str:
    limited = any(
        account.settings.given("Account", "MaxAccountSize")
        for domain in site.domains
        for account in domain.accounts
    )
    if not limited:
        return "\n"
    return (
        f"\n  quota = ${{lookup{{$local_part@$domain}}lsearch{{{QUOTAS}}}{{$value}}{{0}}}}\n"
        "  quota_is_inclusive = yes\n  maildir_use_size_file = no\n"
    )


def _smtp(site: Site) -> str:
    settings = site.settings
    lines = [
        "remote_smtp:",
        "  driver = smtp",
        "  allow_localhost",
        "  hosts_try_fastopen =",
        "  hosts_try_chunking =",
        "  hosts_pipe_connect =",
        "  hosts_try_prdr =",
        "  multi_domain",
        "  max_rcpt = 100",
        "  connect_timeout = 5s",
    ]
    if settings.text("SMTP", "ForwardAUTHName"):
        lines.append("  hosts_require_auth = ${if eq{$address_data}{}{}{*}}")
    where_possible = settings.flag("SMTP", "SecureWherePossible")
    required = settings.texts("SMTP", "SecureDomains")
    if required or where_possible:
        raise NotApplicable("secure sending is not written")
    lines.append("  hosts_avoid_tls = *")
    for keyword in ("ChannelsPerHost", "AddChannelAfter", "OutputChannels"):
        settings.refuse(
            "SMTP",
            keyword,
            "Exim opens connections message by message (remote_max_parallel, "
            "serialize_hosts): it has no number of channels of a host, and none to be added",
        )
    return "\n".join(lines) + "\n"


def retry_rules(site: Site) -> str:
    """Return the retry rules."""
    settings = site.settings
    interval = settings.seconds("SMTP", "RetryInterval", "30m")
    give_up = settings.seconds("SMTP", "GiveUpAfter", "5d")
    first = settings.seconds("SMTP", "RetryPeriod1")
    second = settings.seconds("SMTP", "RetryInterval2")
    if first is not None and second is not None:
        return f"*  *  F,{first}s,{interval}s; F,{give_up}s,{second}s"
    return f"*  *  F,{give_up}s,{interval}s"


def authenticators(site: Site) -> str:
    """Return the authenticators of the server and of the client."""
    settings = site.settings
    advertised = settings.choice(
        "SMTP",
        "AdvertiseAUTH",
        {
            "everybody": "yes",
            "nobody": "no",
            "non-clients": "${if def:acl_c_client{no}{yes}}",
            "clients": "${if def:acl_c_client{yes}{no}}",
        },
        "yes",
    )
    blocks = [
        f"dovecot_{name.lower().replace('-', '_')}:\n"
        "  driver = dovecot\n"
        f"  public_name = {name}\n"
        f"  server_socket = {AUTH_SOCKET}\n"
        "  server_set_id = $auth1\n"
        f"  server_advertise_condition = {advertised}\n"
        for name in ("PLAIN", "LOGIN", "CRAM-MD5")
    ]
    ntlm = settings.choice(
        "SMTP",
        "AdvertiseNTLM",
        {
            "everybody": "yes",
            "nobody": "",
            "non-clients": "${if def:acl_c_client{no}{yes}}",
            "clients": "${if def:acl_c_client{yes}{no}}",
        },
        "",
    )
    if ntlm and advertised != "yes":
        ntlm = f"${{if and{{{{bool{{{advertised}}}}}{{bool{{{ntlm}}}}}}}{{yes}}{{no}}}}"
    if ntlm:
        name = f"${{lc:${{if match{{$auth1}}{{@}}{{$auth1}}{{$auth1@{site.main_domain}}}}}}}"
        blocks.append(
            "ntlm:\n  driver = spa\n  public_name = NTLM\n"
            f"  server_password = ${{lookup{{{name}}}lsearch{{{PASSWORDS}}}{{$value}}fail}}\n"
            "  server_set_id = $auth1\n"
            f"  server_advertise_condition = {ntlm}\n"
        )
    login = settings.text("SMTP", "ForwardAUTHName")
    if login:
        password = settings.text("SMTP", "ForwardAUTHPassword")
        blocks.append(
            "cram_client:\n  driver = cram_md5\n  public_name = CRAM-MD5\n"
            f"  client_name = {login}\n  client_secret = {password}\n"
        )
    return "\n".join(blocks)

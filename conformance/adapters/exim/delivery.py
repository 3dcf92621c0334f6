"""Transports, retry rules and authenticators.

Exim specification, chapters 24, 26, 30 (transports), 32 (retry), 33 to 41 (authenticators).
"""

from __future__ import annotations

from collections.abc import Mapping

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


def transports(site: Site, secure: Mapping[str, str]) -> str:
    """Return the transports; ``secure`` are the options that concern TLS. Raises NotApplicable."""
    return "\n".join(
        [
            _LOCAL.replace("FOLDER", "").rstrip() + _processes(site) + _quota(site),
            _LOCAL.replace("local_delivery:", "mailbox_delivery:").replace(
                "FOLDER", ".${extract{mailbox}{$address_data}}/"
            ),
            _smtp("remote_smtp", site, secure),
            _smtp("remote_smtps", site, {**_AT_ONCE, "protocol": "smtps"}),
        ]
    )


_AT_ONCE = {"tls_verify_hosts": "", "tls_try_verify_hosts": ""}


def _processes(site: Site) -> str:
    """Return how many messages may be delivered to accounts at a time."""
    limit = site.settings.text("LOCAL", "Processes")
    if limit == "0":
        raise NotApplicable(
            "LOCAL Processes 0: a transport's max_parallel = 0 is no limit, "
            "so local delivery cannot be without processes"
        )
    return f"\n  max_parallel = {limit}" if limit else ""


def _quota(site: Site) -> str:
    limited = any(
        account.settings.given("Account", "MaxAccountSize")
        for domain in site.domains
        for account in domain.accounts
    )
    settings = site.settings
    keep = settings.seconds("LOCAL", "KeepIfFull")
    percent = settings.number("LOCAL", "FullPercent", 100) if keep else 100
    settings.value("LOCAL", "FullPercent")
    if not limited:
        return "\n"
    size = f"${{lookup{{$local_part@$domain}}lsearch{{{QUOTAS}}}{{$value}}{{0}}}}"
    return (
        f"\n  quota = ${{eval:{size} * {percent} / 100}}\n"
        # With a percentage, what counts is how full the account was before.
        f"  quota_is_inclusive = {'no' if keep else 'yes'}\n  maildir_use_size_file = no\n"
    )


def _smtp(name: str, site: Site, secure: Mapping[str, str]) -> str:
    settings = site.settings
    options = {
        "hosts_try_fastopen": "",
        "hosts_try_chunking": "",
        "hosts_pipe_connect": "",
        "hosts_try_prdr": "",
        "multi_domain": "yes",
        "max_rcpt": "100",
        "connect_timeout": "5s",
        **secure,
    }
    if settings.text("SMTP", "ForwardAUTHName"):
        # Only the smart host is told the password; what goes elsewhere has an IP address.
        options["hosts_require_auth"] = r"${if match{$domain}{\N^\[\N}{}{*}}"
        options["multi_domain"] = "no" if "multi_domain" not in secure else options["multi_domain"]
    interface = _interface(site)
    if interface:
        options["interface"] = interface
    for keyword in ("ChannelsPerHost", "AddChannelAfter", "OutputChannels"):
        settings.refuse(
            "SMTP",
            keyword,
            "each message's process opens its own connections, to a host either any number or one "
            "(serialize_hosts); a transport's max_parallel puts off what exceeds it until the next "
            "queue run, and no connection waits or is added by time",
        )
    lines = [f"{name}:", "  driver = smtp", "  allow_localhost"]
    return "\n".join([*lines, *(f"  {key} = {value}" for key, value in options.items())]) + "\n"


def _interface(site: Site) -> str:
    """Return the address by which mail of a domain leaves (Relaying via Dedicated IP Addresses)."""
    text = ""
    for domain in site.domains:
        use = domain.settings.choice(
            "Domain", "RelayAddress", {"any": "any", "first": "first", "same": "same"}, "any"
        )
        if use == "any" or not domain.addresses:
            continue
        names = " : ".join(name.lower() for name in (domain.name, *domain.aliases))
        own = "${if match_ip{$received_ip_address}{" + " : ".join(domain.addresses)
        address = domain.addresses[0] if use == "first" else own + "}{$received_ip_address}{}}"
        text = f"${{if match_domain{{$sender_address_domain}}{{{names}}}{{{address}}}{{{text}}}}}"
    return text


def retry_rules(site: Site) -> str:
    """Return the retry rules."""
    settings = site.settings
    interval = settings.seconds("SMTP", "RetryInterval", "30m")
    give_up = settings.seconds("SMTP", "GiveUpAfter", "5d")
    first = settings.seconds("SMTP", "RetryPeriod1")
    second = settings.seconds("SMTP", "RetryInterval2")
    keep = settings.seconds("LOCAL", "KeepIfFull")
    rules = ["*  quota" + (f"  F,{keep}s,5m" if keep else "")]
    if settings.texts("SMTP", "SecureDomains"):
        # Mail that cannot go out safely comes back at once.
        rules.append("*  tls_required")
    if first is not None and second is not None:
        rules.append(f"*  *  F,{first}s,{interval}s; F,{give_up}s,{second}s")
    else:
        rules.append(f"*  *  F,{give_up}s,{interval}s")
    return "\n".join(rules)


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
        blocks += _client(login, settings.text("SMTP", "ForwardAUTHPassword"))
    return "\n".join(blocks)


def _client(login: str, password: str) -> list[str]:
    """Return the authenticators by which the smart host is logged in to."""
    options = {
        "CRAM-MD5": f"cram_md5\n  client_name = {login}\n  client_secret = {password}",
        "PLAIN": f"plaintext\n  client_send = ^{login}^{password}",
        "LOGIN": f"plaintext\n  client_send = : {login} : {password}",
    }
    return [
        f"client_{number}:\n  public_name = {name}\n  driver = {text}\n"
        for number, (name, text) in enumerate(options.items())
    ]

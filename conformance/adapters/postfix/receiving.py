"""What smtpd(8) offers and takes: extensions, AUTH, limits, banned lines."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.adapters.dovecot import AUTH_SOCKET
from conformance.adapters.postfix.config import Config
from conformance.adapters.postfix.names import glob
from conformance.adapters.postfix.restrictions import WHOM, Whom, cidr
from conformance.adapters.site import Site
from conformance.targets.base import NotApplicable


def receiving(site: Site, config: Config) -> None:
    """Write the parameters. Raises NotApplicable."""
    settings = site.settings
    config.main |= {
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": AUTH_SOCKET,
        "smtpd_sasl_authenticated_header": "yes",
        "broken_sasl_auth_clients": "no",
        "message_size_limit": str(settings.size("SMTP", "MessageLimit") or 0),
        "mailbox_size_limit": "0",
        "smtpd_recipient_limit": settings.text("SMTP", "RecipientLimit", "1000"),
        "smtpd_hard_error_limit": settings.text("SMTP", "ErrorLimit", "20"),
        "smtpd_client_connection_count_limit": _same_address(site),
        "smtpd_client_event_limit_exceptions": "",
    }
    timeout = settings.seconds("SMTP", "CommandTimeout", "5m")
    config.main["smtpd_timeout"] = f"{timeout}s"
    if settings.given("TLS", "TimeToLive"):
        config.main["smtpd_tls_session_cache_timeout"] = (
            f"{settings.seconds('TLS', 'TimeToLive') or 0}s"
        )
    _advertised(site, config)
    _banned(site, config)


def _same_address(site: Site) -> str:
    text = site.settings.text("SMTP", "SameAddressLimit", "unlimited").lower()
    return "0" if text in ("unlimited", "-1") else text


def _advertised(site: Site, config: Config) -> None:
    settings = site.settings
    withheld = {
        "auth": settings.choice("SMTP", "AdvertiseAUTH", WHOM, Whom.EVERYBODY),
        "8bitmime": settings.choice("SMTP", "Advertise8BITMIME", WHOM, Whom.EVERYBODY),
    }
    ntlm = settings.choice("SMTP", "AdvertiseNTLM", WHOM, Whom.NOBODY)
    if ntlm is not Whom.NOBODY:
        raise NotApplicable(
            "SMTP AdvertiseNTLM: smtpd(8) offers the SASL mechanisms of Dovecot, and Debian's has "
            "none that is called NTLM (doveconf, auth_mechanisms)"
        )
    config.main["smtpd_discard_ehlo_keywords"] = ", ".join(
        ["silent-discard", *(name for name, whom in withheld.items() if whom is Whom.NOBODY)]
    )
    for_clients = [name for name, whom in withheld.items() if whom is not Whom.EVERYBODY]
    if Whom.NON_CLIENTS in withheld.values():
        words = ", ".join(["silent-discard", *for_clients])
        lines = [f"{address}/32 {words}" for address in site.addresses]
        table = config.table("cidr", "ehlo", [*lines, *cidr(site.clients, words)])
        config.main["smtpd_discard_ehlo_keyword_address_maps"] = table


def _banned(site: Site, config: Config) -> None:
    header = site.settings.texts("Banned", "HeaderLines")
    body = site.settings.texts("Banned", "BodyLines")
    # The header of a part is a part of the body.
    config.main |= {"mime_header_checks": "", "nested_header_checks": ""}
    if header:
        config.add("header_checks", [config.table("regexp", "header-checks", _lines(header))])
    if body:
        table = config.table("regexp", "body-checks", _lines(body))
        places = ("body_checks", "mime_header_checks", "nested_header_checks")
        config.main |= dict.fromkeys(places, table)


def _lines(patterns: Sequence[str]) -> list[str]:
    """Return lines of a table; the flag i turns the case-blindness of regexp_table(5) off."""
    return [f"/^{_picture(pattern)}$/i REJECT banned line" for pattern in patterns]


def _picture(pattern: str) -> str:
    return glob(pattern).replace("\n", "[[:space:]]")

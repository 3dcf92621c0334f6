"""The listeners of smtpd(8): lines of master.cf, from the documents' Listener Ports.

A socket on all addresses is one line for each address where the addresses show different
certificates, for a certificate is a parameter of the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.adapters.addresses import AddressList
from conformance.adapters.certificates import Certificate, certificates
from conformance.adapters.listeners import Listener, listeners_of
from conformance.adapters.postfix.config import ETC, Config
from conformance.adapters.site import Site
from conformance.adapters.target import File

_AWAY = "421 4.7.0 not from your address"


def smtp_listeners(site: Site, config: Config) -> None:
    """Write a service for every listener of the SMTP module. Raises NotApplicable."""
    limit = site.settings.text("SMTP", "InputChannels", "-")
    if limit == "0":
        # In master.cf this would mean: as many as you like.
        site.settings.value("SMTP", "ListenerPorts")
        return
    shown = certificates(site)
    chains: dict[Certificate | None, str] = {None: ""}
    for certificate in shown.values():
        if certificate is not None and certificate not in chains:
            name = f"etc/smtpd-{len(chains)}.pem"
            config.files[name] = File(certificate.key + certificate.chain, mode=0o600)
            chains[certificate] = f"{ETC}/{name.removeprefix('etc/')}"
    if any(chains.values()):
        cache = "btree:${data_directory}/smtpd_scache"
        # Sessions are kept where a change of settings does not touch them.
        config.main |= {"smtpd_tls_session_cache_database": cache, "tls_ssl_options": "NO_TICKET"}
    for number, listener in enumerate(listeners_of(site.settings, "SMTP", 25)):
        restriction = _restriction(listener, number, config)
        for place, chain in _places(listener, shown, chains):
            options = [*restriction]
            if chain:
                options += [f"smtpd_tls_chain_files={chain}", "smtpd_tls_security_level=may"]
            if listener.tls:
                options.append("smtpd_tls_wrappermode=yes")
            words = "".join(f" -o {option}" for option in options)
            config.services.append(f"{place} inet n - n - {limit} smtpd{words}")


def _places(
    listener: Listener,
    shown: Mapping[str, Certificate | None],
    chains: Mapping[Certificate | None, str],
) -> Iterator[tuple[str, str]]:
    """Yield where to listen, and the file of the certificate that is shown there."""
    if listener.address:
        yield f"{listener.address}:{listener.port}", chains[shown[listener.address]]
    elif len(set(shown.values())) == 1:
        yield str(listener.port), chains[next(iter(shown.values()))]
    else:
        for address, certificate in shown.items():
            yield f"{address}:{listener.port}", chains[certificate]


def _restriction(listener: Listener, number: int, config: Config) -> list[str]:
    if listener.grant is None:
        return []
    named, others = ("DUNNO", _AWAY) if listener.grant else (_AWAY, "DUNNO")
    networks = AddressList(listener.addresses).networks
    lines = [f"{network} {named}" for network in networks]
    table = config.table("cidr", f"listener-{number}", [*lines, f"0.0.0.0/0 {others}"])
    return [f"{{smtpd_client_restrictions=check_client_access {table}}}"]

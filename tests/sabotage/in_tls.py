"""Faults of SSL/TLS on the server's side (Guide 3.5.2, Security)."""

from sabotage.case import LISTENERS, TLS, cases

_PEM = "storage/kinds_pem.py"
_SIDE = "protocols/tls.py"

CASES = (
    *cases(
        TLS,
        sessions_die_with_the_first_connection=(
            _SIDE,
            "        if self._open == 0:\n            self._forgetting",
            "        if self._open >= 0:\n            self._forgetting",
            "tls/sessions",
        ),
        sessions_live_for_ever=(
            _SIDE,
            (
                "        # Sessions and the keys of session tickets live in the context.\n"
                "        self._context = None\n"
            ),
            "        self._forgetting = None\n",
            "tls/sessions",
        ),
        chains_are_not_shown=(
            _SIDE,
            "        context.add_extra_chain_cert(issuer)\n",
            "        str(issuer)\n",
            "tls/chain",
        ),
        certificates_outlive_their_key=(
            _PEM,
            'return {CERTIFICATE: "default", CHAIN: "default", **changes}',
            "return dict(changes)",
            "tls/key-removed",
        ),
        any_certificate_fits_the_key=(
            _PEM,
            "if not pem.belongs(pem.read_certificate(certificate), pem.read_key(key)):",
            "if not pem.belongs:",
            "tls/another-key",
        ),
        domains_without_an_address_have_keys=(
            _PEM,
            "    if not has_address:\n",
            "    if has_address is None:\n",
            "tls/no-address",
        ),
        records_of_tls_bear_another_tag=(
            _SIDE,
            'self._log.write(level, "TLS", text)',
            'self._log.write(level, "SECURE", text)',
            "tls/log",
        ),
    ),
    *cases(
        TLS,
        LISTENERS,
        prohibited_connections_are_secured=(
            _SIDE,
            'return self._server_wide if use in ("Server", "Test") else None',
            "return self._server_wide",
            "tls/prohibited",
        ),
        domains_show_the_server_wide_certificate=(
            _SIDE,
            'if use == "Custom":',
            'if use == "Own":',
            "tls/custom",
        ),
        all_addresses_are_the_main_domains=(
            _SIDE,
            "domain = self._domains.by_address(local_ip) or self._domains.main",
            "domain = self._domains.main",
            "tls/by-address",
        ),
    ),
)

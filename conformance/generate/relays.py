"""The decision to relay: source, authentication, route and marker.

Guide 3.5.2, Protection: Configuring the SMTP module; Relaying Rerouted Messages; the SMTP AUTH
method. Mail for another host is taken

- from a client address and from who has logged in,
- from everybody, where Relay to non-Clients says so,
- for an address that a Router record has marked: one without a prefix or with Relay:, when the
  address has no more than one route; one with RelayAll:, whatever the address; NoRelay: sets no
  marker and takes none away,
- for a host in the Client list: any address, or a simple one (of one route and without quotation
  marks), or none, as Relay to Clients says; the address is looked at as the sender wrote it,

and refused otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.generate.family import Draft, Family

_HOST, _HOST_IP = "other.host", "11.22.33.44"
_CLIENT, _STRANGER = "10.1.1.1", "192.0.2.1"
_PREFIXES = ("", "Relay:", "RelayAll:", "NoRelay:")
_TO_CLIENTS = ("no", "to simple addresses", "to all addresses")


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration and one message."""

    client: bool = False
    """The sender's address is a client's."""
    login: bool = False
    everybody: bool = False
    """Relay to non-Clients: from everybody."""
    host_is_client: bool = False
    to_clients: str = "to simple addresses"
    record: str = "none"
    """``none``, ``alias``, ``domain`` or ``both``: what reroutes the address."""
    prefix: str = ""
    second: str = ""
    """The prefix of the domain's record where there are both."""
    form: str = "simple"
    """``simple``; ``routes``: the address has another route in its local part; ``quoted``: its
    local part stands in quotation marks (where no record has to do with it)."""


def address(case: Case) -> str:
    """Return the recipient, as the sender writes it."""
    if case.record in ("alias", "both"):
        return "joe@mydomain.com"
    quoted = '"joe"' if case.record == "none" else "joe"
    local = {"simple": "joe", "routes": "joe%far.example", "quoted": quoted}[case.form]
    return f"{local}@{_HOST if case.record == 'none' else 'clienthost.com'}"


def records(case: Case) -> list[str]:
    """Return the records of the Routing Table."""
    to = "clienthost.com" if case.record == "both" else _HOST
    alias = [f"{case.prefix}<joe> = joe@{to}"] if case.record in ("alias", "both") else []
    prefix = case.second if case.record == "both" else case.prefix
    domain = [f"{prefix}clienthost.com = {_HOST}"] if case.record in ("domain", "both") else []
    return alias + domain


def relayed(case: Case) -> bool:
    """Tell whether the message is taken: the model."""
    simple = address(case).startswith("joe@")
    return (
        case.client
        or case.login
        or case.everybody
        or _marked(case, simple=simple)
        or (case.host_is_client and _to_client(case, simple=simple))
    )


def _marked(case: Case, *, simple: bool) -> bool:
    prefixes = {"none": (), "both": (case.prefix, case.second)}.get(case.record, (case.prefix,))
    return any(
        prefix == "RelayAll:" or (prefix in ("", "Relay:") and simple) for prefix in prefixes
    )


def _to_client(case: Case, *, simple: bool) -> bool:
    return {"no": False, "to simple addresses": simple, "to all addresses": True}[case.to_clients]


_CASES = st.builds(
    Case,
    client=st.booleans(),
    login=st.booleans(),
    everybody=st.booleans(),
    host_is_client=st.booleans(),
    to_clients=st.sampled_from(_TO_CLIENTS),
    record=st.sampled_from(("none", "alias", "domain", "both")),
    prefix=st.sampled_from(_PREFIXES),
    second=st.sampled_from(_PREFIXES),
    form=st.sampled_from(("simple", "routes", "quoted")),
)


def _draft(case: Case) -> Draft:
    taken = relayed(case)
    mail: dict[str, object] = {
        "to": address(case),
        "source": _CLIENT if case.client else _STRANGER,
    }
    if case.login:
        mail["as"] = "ann@mydomain.com"
    if not taken:
        mail["refused"] = "all"
    given: dict[str, object] = {
        "domains": {"mydomain.com": {"accounts": ["ann"]}},
        "clients": [_CLIENT, _HOST_IP] if case.host_is_client else [_CLIENT],
        "settings": {
            "SMTP": {
                "Relay to non-Clients": "if received from "
                + ("everybody" if case.everybody else "Clients"),
                "Relay to Clients": case.to_clients,
            }
        },
        "peers": {_HOST: _HOST_IP},
    }
    if case.record != "none":
        given["router"] = "".join(f"{record}\n" for record in records(case))
    return Draft(
        title=f"A message for {address(case)} is {'relayed' if taken else 'refused'}",
        given=given,
        steps=[{"mail": mail}, {"relayed": {"host": _HOST, "count": int(taken)}}],
    )


FAMILY = Family(
    name="relays",
    about="the decision to relay: source, authentication, route, marker",
    source="Guide 3.5.2 > Protection > Relaying Rerouted Messages",
    cases=_CASES,
    draft=_draft,
)

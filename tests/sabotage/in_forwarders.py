"""Faults of forwarders (Guide 3.5.2, Forwarders)."""

from sabotage.case import FORWARDERS, RECEPTION, ROUTER, TRANSPORT, cases

_CLI = "cli/forwarders.py"
_DOMAIN = "storage/domain.py"
_LOCAL = "transport/local.py"

CASES = (
    *cases(
        FORWARDERS,
        forwarders_without_a_domain_leave_home=(
            _LOCAL,
            "if not domain.is_main and not _domain_of(address):",
            "if domain.is_main and not _domain_of(address):",
            "forwarders/local-targets",
        ),
        forwarder_takes_a_list_name=(
            _DOMAIN,
            "        if key in self.lists:\n            raise ListExists\n",
            "",
            "forwarders/unique-names",
        ),
        deleted_forwarder_lives_on=(
            _CLI,
            "    domain.delete_forwarder(name)\n",
            "    domain.forwarders.get(name)\n",
            "forwarders/removed",
        ),
        anybody_deletes_forwarders=(
            _CLI,
            'call.place(call.arguments.text("forwarderName"), _RIGHT)\n    domain.delete',
            'call.place(call.arguments.text("forwarderName"))\n    domain.delete',
            "forwarders/rights",
        ),
        domain_administrators_see_the_table=(
            "cli/server_settings.py",
            "_SERVER = Access.SETTINGS",
            "_SERVER = Access.ADMINISTRATOR",
            "forwarders/rights",
        ),
    ),
    *cases(
        FORWARDERS,
        ROUTER,
        forwarders_set_no_relay_marker=(
            _LOCAL,
            'f"Forwarder {forwarder.name}@{domain.name}", relay=True',
            'f"Forwarder {forwarder.name}@{domain.name}", relay=False',
            "forwarders/reroutes",
        ),
    ),
    *cases(
        FORWARDERS,
        *RECEPTION,
        *TRANSPORT,
        return_path_field_lost=(
            "transport/local_store.py",
            'lines = [f"Return-Path: <{line(message.envelope.return_path)}>"]',
            "lines = []",
            "forwarders/message-unchanged",
        ),
    ),
)

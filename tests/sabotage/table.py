"""All sabotage cases, by name. Their order decides which other chapters' scenarios each meets."""

from sabotage import (
    in_blacklists,
    in_dialup,
    in_formats,
    in_forwarders,
    in_listeners,
    in_local,
    in_mapping,
    in_protection,
    in_receiving,
    in_router,
    in_senders,
    in_sending,
    in_smtp,
    in_tls,
    in_transfer,
    in_unified,
)
from sabotage.case import by_name

TABLE = by_name(
    in_router.CASES,
    in_smtp.CASES,
    in_mapping.CASES,
    in_protection.CASES,
    in_senders.CASES,
    in_blacklists.CASES,
    in_forwarders.CASES,
    in_formats.CASES,
    in_receiving.CASES,
    in_listeners.CASES,
    in_tls.CASES,
    in_sending.CASES,
    in_dialup.CASES,
    in_transfer.CASES,
    in_local.CASES,
    in_unified.CASES,
)

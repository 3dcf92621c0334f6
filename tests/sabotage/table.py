"""All sabotage cases, by name. Their order decides which other chapters' scenarios each meets."""

from sabotage import in_formats, in_forwarders, in_mapping, in_protection, in_router, in_smtp
from sabotage.case import by_name

TABLE = by_name(
    in_router.CASES,
    in_smtp.CASES,
    in_mapping.CASES,
    in_protection.CASES,
    in_forwarders.CASES,
    in_formats.CASES,
)

"""The ``twist mailproof`` plugin."""

from reference.plugin import MailproofServiceMaker

mailproof = MailproofServiceMaker()

"""The black-box conformance harness: scenarios, the mail world, targets, outcomes and reports."""

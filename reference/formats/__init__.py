"""Pure formats: addresses, dictionaries, address lists, durations and sizes. No I/O."""

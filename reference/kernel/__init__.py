"""The server kernel: clock, work, Router types, Router, protection, and their contracts."""

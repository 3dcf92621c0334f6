"""``python -m reference``: run the server."""

import sys

from reference.main import main

sys.exit(main())

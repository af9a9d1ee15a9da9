"""``python -m dcops``."""

import sys

from dcops.cli import main

sys.exit(main())

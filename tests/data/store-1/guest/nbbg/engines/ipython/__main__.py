"""`python -m nbbg.engines.ipython ABS_ATTEMPT_DIR`."""

from __future__ import annotations

import sys

from nbbg.engines.ipython.program import main

sys.exit(main(sys.argv))

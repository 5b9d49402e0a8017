"""`python -m nbbg.runner ABS_ATTEMPT_DIR`; exit code 0 when the run succeeded, else 1."""

from __future__ import annotations

import sys
from pathlib import Path

from nbbg.runner.attempt import carry_out

if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1])))

"""`python -m nbbg.runner ABS_ATTEMPT_DIR`; exit code 0 when the run succeeded, else 1."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbbg.runner.attempt import carry_out

if __name__ == "__main__":
    code = carry_out(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)  # all is written: a slot shall not wait for Python to tidy up

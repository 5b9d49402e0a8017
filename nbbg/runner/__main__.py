"""`python -m nbbg.runner ABS_ATTEMPT_DIR`; exit code 0 when the run succeeded, else 1.

`--run ABS_RUN_DIR` where it is a scheduler that starts it: the runner opens the attempt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbbg.runner.attempt import carry_out

if __name__ == "__main__":
    path: Path | None = Path(sys.argv[-1])
    if sys.argv[1] == "--run":
        from nbbg.runner.opening import open_run

        path = open_run(Path(sys.argv[2]))
    code = carry_out(path) if path else 0
    sys.stderr.flush()
    os._exit(code)  # all is written: a slot shall not wait for Python to tidy up

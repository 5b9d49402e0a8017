"""`python -m nbbg.runner ABS_ATTEMPT_DIR`; exit code 0 when the run succeeded, else 1.

`--run ABS_RUN_DIR` where it is a scheduler that starts it: the runner opens the attempt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbbg.errors import StoreError
from nbbg.runner.attempt import carry_out
from nbbg.store import place

if __name__ == "__main__":
    given = Path(sys.argv[-1])
    by_run = sys.argv[1] == "--run"
    try:
        place.refuse_newer(place.of_batch(given.parents[1 if by_run else 2]).folder)
    except StoreError as error:
        print(f"nbbg: {error}", file=sys.stderr)  # noqa: T201 - into the supervisor's log
        sys.exit(2)
    path: Path | None = given
    if by_run:
        from nbbg.runner.opening import open_run

        path = open_run(given)
    code = carry_out(path) if path else 0
    sys.stderr.flush()
    os._exit(code)  # all is written: a slot shall not wait for Python to tidy up

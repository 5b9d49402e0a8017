"""`python -m nbbg.runner ABS_ATTEMPT_DIR`; exit code 0 when the run succeeded, else 1."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbbg.errors import StoreError
from nbbg.runner.attempt import carry_out
from nbbg.store import place

if __name__ == "__main__":
    attempt = Path(sys.argv[1])
    try:
        place.refuse_newer(place.of_batch(attempt.parents[2]).folder)
    except StoreError as error:
        print(f"nbbg: {error}", file=sys.stderr)  # noqa: T201 - into the supervisor's log
        sys.exit(2)
    code = carry_out(attempt)
    sys.stderr.flush()
    os._exit(code)  # all is written: a slot shall not wait for Python to tidy up

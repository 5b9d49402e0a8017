"""`python -m nbbg.supervisor ABS_BATCH_DIR`; leaves at once when the batch has a supervisor."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from nbbg.errors import StoreError
from nbbg.store import place
from nbbg.supervisor.loop import supervise

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    folder = Path(sys.argv[1])
    try:
        place.refuse_newer(place.of_batch(folder).folder)
    except StoreError as error:
        print(f"nbbg: {error}", file=sys.stderr)  # noqa: T201 - into the supervisor's log
        sys.exit(2)
    supervise(folder)

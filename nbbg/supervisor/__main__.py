"""`python -m nbbg.supervisor ABS_BATCH_DIR`; leaves at once when the batch has a supervisor."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from nbbg.errors import NbbgError
from nbbg.store import place
from nbbg.supervisor.loop import supervise

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    folder = Path(sys.argv[1])
    try:
        place.refuse_newer(place.of_batch(folder).folder)
        supervise(folder)
    except (NbbgError, OSError) as error:  # its store is newer, a record can't be read
        print(f"the supervisor can't go on: {error}", file=sys.stderr)  # noqa: T201 - into its log
        sys.exit(2)

"""`python -m nbbg.supervisor ABS_BATCH_DIR`; leaves at once when the batch has a supervisor."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from nbbg.supervisor.loop import supervise

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    supervise(Path(sys.argv[1]))

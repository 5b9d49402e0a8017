"""`python -m nbbg.far VERB < request.json`; exit code 0 where there is an answer."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import paths
from nbbg.errors import EnvironmentFault, NbbgError

if TYPE_CHECKING:
    from collections.abc import Callable

VERBS = {
    "check": "checking",
    "take": "taking",
    "look": "looking",
    "give-back": "giving",
    "signal": "signalling",
    "stores": "adopting",
}


def main(verb: str) -> None:
    """Answer one question."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the link is cut: what was begun is finished
    request = json.load(sys.stdin)
    answer: dict[str, Any] = {"version": nbbg.__version__, "format": paths.FORMAT_VERSION}
    try:
        # Nothing is done for a client that could not read it.
        if request.get("format", paths.FORMAT_VERSION) != paths.FORMAT_VERSION:
            raise EnvironmentFault("records of another format")
        request["folder"] = os.path.abspath(request["folder"])
        carry_out: Callable[[dict[str, Any]], dict[str, Any]]
        carry_out = importlib.import_module(f"nbbg.far.{VERBS[verb]}").carry_out
        answer |= carry_out(request)
    except NbbgError as error:
        answer |= {"fault": str(error), "kind": type(error).__name__}
    except OSError as error:
        answer |= {"fault": f"{error.filename or request['folder']}: {error.strerror or error}"}
    sys.stdout.write(f"\n{paths.ANSWER}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1])

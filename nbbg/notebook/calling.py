"""How jupytext is called: on what, with which configuration, and silently.

Nothing that it says reaches the terminal, and its errors are sentences.
"""

from __future__ import annotations

import contextlib
import logging
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import userfiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def configuration(path: Path) -> Any:
    """The configuration of jupytext that is for a file, searched upward; or None."""
    from jupytext.config import load_jupytext_config

    return load_jupytext_config(str(path.absolute()))


@contextlib.contextmanager
def quiet(path: Path) -> Iterator[Any]:
    """Silence warnings and logging, and turn whatever jupytext raises into a sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jupytext

            yield jupytext
    except NotebookError:
        raise
    except Exception as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
        raise NotebookError(
            f"{userfiles.shown(path)}: jupytext can't work with it: {reason}"
        ) from error
    finally:
        logging.disable(before)


def node(notebook: dict[str, Any], *, outputs: bool = False) -> Any:
    """What jupytext works on: nbformat's dict with attributes; outputs only where they matter."""
    import nbformat

    cells = notebook["cells"]
    if not outputs:
        cells = [{**cell, "outputs": []} if cell["cell_type"] == "code" else cell for cell in cells]
    return nbformat.from_dict({**notebook, "cells": cells})

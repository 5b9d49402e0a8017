"""How jupytext is called: on what, with which configuration, and silently.

Nothing that it says reaches the terminal, and its errors are sentences.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import userfiles

if TYPE_CHECKING:
    from collections.abc import Iterator


_known: dict[Path, Any] | None = None  # configurations, while one piece of work goes on


def configuration(path: Path) -> Any:
    """The configuration of jupytext that is for a file, searched upward; or None."""
    from jupytext.config import load_jupytext_config

    place = path.absolute()
    if _known is None or place.is_dir() or "jupytext" in place.name:
        return load_jupytext_config(str(place))
    if place.parent not in _known:
        _known[place.parent] = load_jupytext_config(str(place))
    return _known[place.parent]


@contextlib.contextmanager
def one_configuration() -> Iterator[None]:
    """Look for the configuration of a folder once, whatever the number of its files."""
    global _known  # noqa: PLW0603 - what is known ends with the work that it is for
    before, _known = _known, {}
    try:
        yield
    finally:
        _known = before


def warm() -> None:
    """Import jupytext, so that processes forked from this one need not."""
    with quiet(Path()):
        pass


@contextlib.contextmanager
def quiet(path: Path) -> Iterator[Any]:
    """Silence warnings and logging, and turn whatever jupytext raises into a sentence."""
    import logging  # which a notebook that is JSON can do without
    import textwrap

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

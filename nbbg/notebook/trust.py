"""A notebook that Jupyter trusted stays trusted when its pair is synced.

Jupyter shows the scripts in a notebook's outputs only where it has signed the whole notebook, and a
sync changes it. The outputs are the ones that were signed, so it is signed again, as jupytext does.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from nbbg.notebook import kernelspecs

if TYPE_CHECKING:
    from nbbg.notebook.userfiles import UserFile


def keep(before: UserFile) -> None:
    """Sign the file as it is now, if what it was `before` is signed; else do nothing."""
    folder = kernelspecs.data_folder()
    there = all((folder / name).is_file() for name in ("nbsignatures.db", "notebook_secret"))
    if before.text is None or not there:
        return  # nothing was ever signed, and Jupyter's files are not made here
    with contextlib.suppress(Exception):  # trust is given again with a click; the sync is done
        _sign_again(before, before.text, str(folder))


def _sign_again(before: UserFile, text: str, folder: str) -> None:
    import nbformat
    from nbformat.sign import NotebookNotary

    log = logging.getLogger(__name__)
    log.addHandler(logging.NullHandler())
    notary = NotebookNotary(data_dir=folder, log=log)
    with contextlib.closing(notary.store):
        if notary.check_signature(nbformat.reads(text, as_version=4)):
            now = before.path.read_text(encoding="utf-8")
            notary.sign(nbformat.reads(now, as_version=4))

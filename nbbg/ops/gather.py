"""Which notebooks a launch means: files, folders and globs, each pair once, and none that differs.

Of a folder, `.ipynb` files and percent scripts are meant; not those in `outputs`, in hidden
folders or in environments, and no script beside the notebook of its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.errors import NotebookError, UsageError
from nbbg.notebook import configured, document, userfiles
from nbbg.notebook.found import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OUTPUTS = "outputs"
KINDS = (userfiles.NOTEBOOK, userfiles.SCRIPT)
_MAGIC = frozenset("*?[")


def selection(
    *, recursive: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Selection:
    """What of folders and globs is run."""
    return Selection(recursive, include, exclude, KINDS)


ALL = selection()


def notebooks(names: Iterable[str], chosen: Selection = ALL) -> list[Path]:
    """The notebooks and scripts that are meant, each once, in order.

    Raises:
        NotebookError: one is not there.
        UsageError: a folder or a glob holds none.
    """
    found: dict[Path, Path] = {}
    for name in names:
        for path in _of(name, chosen):
            found.setdefault(_place(path), path)
    return _without_twins(list(found.values()))


def refuse_differing(path: Path) -> None:
    """Refuse a notebook whose script has other code, and the reverse.

    Raises:
        NotebookError: naming both, and what to type.
    """
    if not _may_be_paired(path):
        return
    from nbbg.notebook import halves, ipynb, pairing
    from nbbg.notebook.halves import Agreed
    from nbbg.ops import pairs

    both = pairing.declared(pairing.absolute(path))
    if both is None or not all(place.exists() for place in both.files):
        return
    found = halves.read(both, pairs.Records())
    if isinstance(found.standing, Agreed):
        return
    for place in found.texts:
        if ipynb.code(found.told(place)) != ipynb.code(found.meaning(place)):
            book, text = userfiles.shown(both.notebook), userfiles.shown(place)
            raise NotebookError(
                f"{book} and {text} are a pair, and their code differs\n"
                f"nbbg sync {userfiles.shown(path)}; what differs: nbbg check --diff {book}"
            )


def _of(name: str, chosen: Selection) -> list[Path]:
    if _MAGIC & set(name) and not Path(name).exists():
        found = list(_matching(name, chosen))
        if not found:
            left = _left_by(chosen)
            raise UsageError(f"{name}: nothing matches it that is a notebook{left}")
        return found
    path = document.resolve(name)
    if not path.is_dir() or path.suffix == userfiles.NOTEBOOK:
        return [path]
    found = _inside(path, chosen)
    if not found:
        more = "" if chosen.recursive else "; in its folders too: --recursive"
        raise UsageError(f"no notebook in {name}{_left_by(chosen)}{more}")
    return found


def _left_by(chosen: Selection) -> str:
    """The options that may be why nothing was found."""
    given = {"--include": chosen.include, "--exclude": chosen.exclude}
    named = [f"{option} {' '.join(globs)}" for option, globs in given.items() if globs]
    return f", with {' and '.join(named)}" if named else ""


def _inside(folder: Path, chosen: Selection) -> list[Path]:
    there = [
        path for path in chosen.files([folder]) if OUTPUTS not in path.relative_to(folder).parts
    ]
    return [path for path in there if path.suffix != userfiles.SCRIPT or not _has_book(path, there)]


def _has_book(script: Path, there: Sequence[Path]) -> bool:
    return script.with_suffix(userfiles.NOTEBOOK) in there


def _matching(name: str, chosen: Selection) -> Iterator[Path]:
    import glob

    from nbbg.notebook import scripts

    passed = OUTPUTS not in Path(name).parts  # nobody asks for them
    found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]
    for path in found:
        if path.is_dir() and path.suffix != userfiles.NOTEBOOK:
            yield from _inside(path, chosen) if chosen.recursive else ()
        elif path.suffix in KINDS and chosen.fits(path) and not (passed and OUTPUTS in path.parts):
            is_script = path.suffix == userfiles.SCRIPT
            if not is_script or (scripts.has_cells(path) and not _has_book(path, found)):
                yield path


def _without_twins(found: list[Path]) -> list[Path]:
    """Without the scripts whose notebooks are there too."""
    books = {_place(path) for path in found if path.suffix == userfiles.NOTEBOOK}
    if not books or len(books) == len(found):
        return found
    return [path for path in found if _place(path) in books or _book_of(path) not in books]


def _book_of(script: Path) -> Path | None:
    from nbbg.notebook import pairing

    both = pairing.declared(pairing.absolute(script)) if script.is_file() else None
    return _place(both.notebook) if both else None


def _place(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _may_be_paired(path: Path) -> bool:
    """Whether it is worth loading jupytext, which takes as long as all the rest of a launch.

    It is where the file, or the one of its name beside it, says of a pair; or where a configuration
    may make the two a pair.
    """
    other = userfiles.SCRIPT if path.suffix == userfiles.NOTEBOOK else userfiles.NOTEBOOK
    if path.suffix not in KINDS or not path.is_file():
        return False
    twin = path.with_suffix(other)
    if _says_of_a_pair(path):
        return True
    folder = path.absolute().parent
    return twin.is_file() and (_says_of_a_pair(twin) or configured.is_configured(folder))


def _says_of_a_pair(path: Path) -> bool:
    text = userfiles.read(path).text or ""
    return "jupytext" in text and "formats" in text

"""nbbg itself as a wheel, packed from what is installed here: it need not be on any index."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import nbbg

_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file, so that the same code is the same wheel
_TAG = "Wheel-Version: 1.0\nGenerator: nbbg\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make() -> tuple[str, bytes]:
    """The wheel's file name, and its content."""
    info = f"nbbg-{nbbg.__version__}.dist-info"
    content = {f"{info}/METADATA": _metadata(), f"{info}/WHEEL": _TAG.encode()}
    package = Path(nbbg.__file__).parent
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".typed"):
            content[f"nbbg/{path.relative_to(package).as_posix()}"] = path.read_bytes()
    listed = "".join(f"{name},,\n" for name in [*content, f"{info}/RECORD"])
    content[f"{info}/RECORD"] = listed.encode()
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in content.items():
            wheel.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return f"nbbg-{nbbg.__version__}-py3-none-any.whl", held.getvalue()


def digest() -> str:
    """What tells this code from every other."""
    package = Path(nbbg.__file__).parent
    made = hashlib.sha256(_metadata())
    for path in sorted(package.rglob("*.py")):
        made.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:12]


def _metadata() -> bytes:
    from importlib import metadata  # which asking a host that names its own nbbg does not need

    return (metadata.distribution("nbbg").read_text("METADATA") or "").encode()

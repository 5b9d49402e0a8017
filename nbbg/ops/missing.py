"""Which package to install for a module that a notebook could not import."""

from __future__ import annotations

import re
import shlex

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")

# Names to import -> names to install, where the two differ.
_PACKAGES = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cairo": "pycairo",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "google.cloud.storage": "google-cloud-storage",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "osgeo": "gdal",
    "pkg_resources": "setuptools<81",
    "psycopg2": "psycopg2-binary",
    "pytorch_lightning": "pytorch-lightning",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
    "snappy": "python-snappy",
    "umap": "umap-learn",
    "usb": "pyusb",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


def install(error_name: str, error_value: str, python: str) -> str:
    """The line to type after an ImportError; empty where no package is known to be missing.

    Args:
        error_name: of the exception's class.
        error_value: its text.
        python: the run's interpreter.
    """
    found = _NO_MODULE.match(error_value)
    if error_name != "ModuleNotFoundError" or not found or not python:
        return ""
    module = found[1]
    package = _PACKAGES.get(module) or _PACKAGES.get(module.partition(".")[0])
    name = package or module.partition(".")[0].replace("_", "-")
    return f"{shlex.quote(python)} -m pip install {shlex.quote(name)}"

"""The published client, uforge_python_sdk 3.8.13: fetched when a test asks for it, and made to run on Python 3."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_SOURCE = (
    "uforge_python_sdk==3.8.13 --hash=sha256:705f1aa3c49edcfd821cda98d8b8c6c61cbb146ee4430009492d4a5c098e7aae",
    "uforge_python_sdk-3.8.13",
)
_PACKAGE = "uforge"
_DONE = "converted"

_APPLICATION = (
    ("import objects\n", "from . import objects\n"),
    ("import StringIO\n", "import base64\nimport io\n"),
    ("import urllib\n", "import urllib.parse\n"),
    ("import ConfigParser\n", "import configparser\n"),
    ("reload(sys)\nsys.setdefaultencoding('utf-8')\n", ""),
    ("ConfigParser.ConfigParser()", "configparser.ConfigParser()"),
    ("config.readfp(open(", "config.read(("),
    ("urllib.urlencode(", "urllib.parse.urlencode("),
    ("hmac.new(secretkey, url, sha1)", "hmac.new(secretkey.encode(), url.encode(), sha1)"),
    ("hashed.digest().encode(\"base64\").rstrip('\\n')", "base64.b64encode(hashed.digest()).decode()"),
    ("obj <> None", "obj != None"),
    ("type(body) is not file", "not isinstance(body, io.IOBase)"),
    ("type(streamingResponseFile) is file", "isinstance(streamingResponseFile, io.IOBase)"),
    ('print "Problem converting python object to XML"', 'print("Problem converting python object to XML")'),
)
_CHANGES = {
    "__init__.py": (("import application\n", "from . import application\n"),),
    "application.py": _APPLICATION,
    "objects/__init__.py": (("import uforge\n", "from . import uforge\n"),),
    "objects/uforge.py": (("_PyXBVersion = '1.2.4'", "_PyXBVersion = pyxb.__version__"),),
}


@dataclass(frozen=True)
class Sdk:
    """The client (`application.Api`) and the binding of its documents (`binding.CreateFromDocument`)."""

    application: ModuleType
    binding: ModuleType


def load(folder: Path) -> Sdk:
    """Fetch the package into the folder, convert it there, unless that was done, and import it: 20 seconds, 0.9 GB."""
    if not (folder / _DONE).exists():
        _convert(_fetch(folder), folder / _PACKAGE)
        (folder / _DONE).touch()
    sys.path.insert(0, str(folder))
    try:
        application = importlib.import_module(f"{_PACKAGE}.application")
        return Sdk(application, importlib.import_module(f"{_PACKAGE}.objects.{_PACKAGE}"))
    finally:
        sys.path.remove(str(folder))


def _fetch(folder: Path) -> Path:
    """The unpacked source package: where to find it is known to pip's own configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted, name = folder / "wanted", _SOURCE[1]
    wanted.write_text(_SOURCE[0] + "\n", "utf-8")
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--require-hashes", "--requirement", str(wanted), "--dest", str(folder)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"The published client can't be fetched: {done.stdout}"
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name / _PACKAGE


def _convert(source: Path, target: Path) -> None:
    """Put each construct of Python 2 that the package has into the words of Python 3."""
    for name, changes in _CHANGES.items():
        text = (source / name).read_text("utf-8")
        for old, new in changes:
            assert old in text, f"{name} has no {old!r} to change"
            text = text.replace(old, new)
        (source / name).write_text(text, "utf-8")
    source.rename(target)

"""From the pool to an installed tree: exactly the locked packages, by mmdebstrap from a repository of our own.

The repository's index is made of the archive's own stanzas (their priorities decide what is essential), its Release
carries the suite's name and a fixed date. It is read without network.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

from blocks.builder.programs import command

ROOT = Path("/build/root")
_REPOSITORY = Path("/build/repository")
_HOST_KEYS = ("ecdsa", "ed25519", "rsa")


def install(specification: Mapping[str, Any]) -> None:
    """Install the locked packages of the specification into ROOT."""
    _repository(specification)
    _prepare()
    packages = specification["packages"]
    run = [
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        "--format=directory",
        f"--architectures={specification['architecture']}",
        f"--include={','.join(package['name'] for package in packages)}",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=APT::Sandbox::User "root"',
        "--skip=check/empty,check/qemu,download/update-apt-lists",
        specification["suite"],
        str(ROOT),
        f"deb [trusted=yes] copy://{_REPOSITORY} ./",
    ]
    command.run(run, environment={**os.environ, "INITRD": "No"})
    _compare(packages)


def _prepare() -> None:
    """Lay empty ssh host keys, so that openssh-server makes none here."""
    folder = ROOT / "etc" / "ssh"
    folder.mkdir(parents=True)
    for kind in _HOST_KEYS:
        (folder / f"ssh_host_{kind}_key").touch()


def _repository(specification: Mapping[str, Any]) -> None:
    _REPOSITORY.mkdir()
    (_REPOSITORY / "pool").symlink_to("/pool")
    index = Path("/input/index").read_bytes()
    files = {package["sha256"]: f"./pool/{package['file']}" for package in specification["packages"]}
    stanzas = [_relocated(stanza, files) for stanza in index.decode("utf-8").strip("\n").split("\n\n")]
    data = ("\n\n".join(stanzas) + "\n").encode("utf-8")
    (_REPOSITORY / "Packages").write_bytes(data)
    (_REPOSITORY / "Release").write_text(_release(specification, data), "utf-8")


def _relocated(stanza: str, files: Mapping[str, str]) -> str:
    rows = stanza.splitlines()
    sha256 = next(row.split()[1] for row in rows if row.startswith("SHA256:"))
    return "\n".join(f"Filename: {files[sha256]}" if row.startswith("Filename:") else row for row in rows)


def _release(specification: Mapping[str, Any], index: bytes) -> str:
    suite = specification["suite"]
    rows = {
        "Origin": "Debian",
        "Label": "Debian",
        "Suite": suite,
        "Codename": suite,
        "Date": formatdate(specification["epoch"], usegmt=True),
        "Architectures": specification["architecture"],
        "SHA256": f"\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages",
    }
    return "".join(f"{name}: {value}\n" for name, value in rows.items())


def _compare(packages: Sequence[Mapping[str, Any]]) -> None:
    form = "${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n"
    installed = set(command.output(["chroot", str(ROOT), "dpkg-query", "-W", "-f", form]).splitlines())
    wanted = {f"{package['name']} {package['version']} {package['architecture']} ii " for package in packages}
    if installed != wanted:
        command.fail(f"the installed packages are not those of the lock: {sorted(installed ^ wanted)[:10]}")

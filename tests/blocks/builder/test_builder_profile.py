from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blocks.builder import Job, Order
from blocks.builder.programs.profile import apply
from blocks.errors import StageFailed
from blocks.model import Recipe
from tests.blocks.builder.conftest import Lines, Workshop

pytestmark = pytest.mark.build
HASH = "$6$salt$" + "a" * 86
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHN0YW5kcyBmb3IgYSBrZXkgb2YgYSB0ZXN0IQ== someone"
SOURCE = "deb http://packages.example/debian bookworm main"
SCRIPT = """#!/bin/sh
set -e
id -u > /srv/mark
env | sort >> /srv/mark
echo from-the-script
for forbidden in 'mount -t proc x /mnt' 'mount -o remount,rw /proc/sys' 'chmod 600 /dev/null' 'chown 5 /dev/zero'; do
    if $forbidden; then exit 9; fi
done
echo used > /dev/null
sleep 1000 > /dev/null 2>&1 &
"""
PROFILE = {
    "hostname": "web.example.org",
    "timezone": "Europe/Berlin",
    "locale": "de_AT.UTF-8",
    "keyboard": {"layout": "at", "variant": "nodeadkeys"},
    "users": [
        {"name": "root", "password_hash": HASH},
        {"name": "admin", "password_hash": HASH, "ssh_keys": [KEY], "groups": ["sudo"]},
        {"name": "other", "shell": "/bin/sh"},
    ],
    "services": {"enable": ["systemd-timesyncd.service"], "disable": ["ssh.service"]},
    "files": [
        {"path": "/etc/motd", "content": "hello\n"},
        {"path": "/bin/hello", "content": "#!/bin/sh\n", "mode": "0755"},
        {"path": "/srv/deep/secret", "content": "s", "mode": "0600", "owner": "admin", "group": "adm"},
    ],
    "build_scripts": [
        {
            "name": "mark",
            "content": SCRIPT,
        }
    ],
    "first_boot_scripts": [{"name": "late", "content": "#!/bin/sh\n"}, {"name": "early", "content": "#!/bin/sh\n"}],
    "apt_sources": [SOURCE],
}


@dataclass
class Tree:
    """The tar of a root file system."""

    tar: tarfile.TarFile
    told: list[str]
    epoch: int

    def member(self, name: str) -> tarfile.TarInfo:
        """A file of the tree."""
        return self.tar.getmember(f"./{name}")

    def has(self, name: str) -> bool:
        """Whether the tree has it."""
        return f"./{name}" in self.tar.getnames()

    def text(self, name: str) -> str:
        """A file's text."""
        file = self.tar.extractfile(self.member(name))
        assert file is not None
        return file.read().decode()


@pytest.fixture(scope="module")
def tree(workshop: Workshop) -> Iterator[Tree]:
    """The tree of a recipe that asks for everything."""
    recipe = Recipe.parse(
        {
            "name": "full",
            "version": "1.0",
            "revision": 1,
            "os_profile": {"suite": "bookworm", "packages": ["openssh-server", "systemd-timesyncd"]},
            "install_profile": PROFILE,
        }
    )
    lines = Lines()
    lock = workshop.builder.resolve(recipe, None, Job()).lock
    built = workshop.builder.run("rootfs", Order(recipe, lock, "1-2"), lines.job())
    with tarfile.open(built.checkpoint.path) as tar:
        yield Tree(tar, lines.told, built.checkpoint.facts["epoch"])


def test_accounts(tree: Tree) -> None:
    """Users have their shell, home, groups and password hash; the day of the hash is the build's, never today's."""
    passwd = {row.split(":")[0]: row.split(":") for row in tree.text("etc/passwd").splitlines()}
    shadow = {row.split(":")[0]: row.split(":") for row in tree.text("etc/shadow").splitlines()}
    assert passwd["admin"][5:] == ["/home/admin", "/bin/bash"]
    assert passwd["other"][6] == "/bin/sh"
    assert shadow["admin"][1] == shadow["root"][1] == HASH
    assert shadow["other"][1].startswith("!")
    assert {shadow[name][2] for name in ("root", "admin", "other")} == {str(tree.epoch // 86400)}
    assert "sudo:x:27:admin" in tree.text("etc/group").splitlines()


def test_keys_are_the_user_s_alone(tree: Tree) -> None:
    """Public keys lie where sshd reads them, owned by the user and closed to others."""
    uid = int(next(row.split(":")[2] for row in tree.text("etc/passwd").splitlines() if row.startswith("admin:")))
    file, folder = tree.member("home/admin/.ssh/authorized_keys"), tree.member("home/admin/.ssh")
    assert tree.text("home/admin/.ssh/authorized_keys") == f"{KEY}\n"
    assert (file.mode, file.uid, folder.mode, folder.uid) == (0o600, uid, 0o700, uid)
    assert not tree.has("home/other/.ssh")


def test_identity(tree: Tree) -> None:
    """Hostname, hosts and time zone are as asked."""
    assert tree.text("etc/hostname") == "web.example.org\n"
    assert "127.0.1.1\tweb.example.org web\n" in tree.text("etc/hosts")
    assert tree.member("etc/localtime").linkname == "/usr/share/zoneinfo/Europe/Berlin"
    assert tree.text("etc/timezone") == "Europe/Berlin\n"


def test_language(tree: Tree) -> None:
    """The locale is made, and used by logins and services; the packages that it takes are there without being named."""
    assert tree.text("etc/default/locale") == "LANG=de_AT.UTF-8\n"
    assert tree.text("etc/locale.gen") == "de_AT.UTF-8 UTF-8\n"
    assert tree.member("usr/lib/locale/locale-archive").size > 1_000_000


def test_keyboard(tree: Tree) -> None:
    """The console has the keyboard's settings, and the map made from them, which no boot has to make again."""
    settings = tree.text("etc/default/keyboard")
    assert 'XKBMODEL="pc105"\nXKBLAYOUT="at"\nXKBVARIANT="nodeadkeys"\nXKBOPTIONS=""\n' in settings
    maps = [name for name in tree.tar.getnames() if name.startswith("./etc/console-setup/cached_")]
    assert "./etc/console-setup/cached_UTF-8_del.kmap.gz" in maps
    newest = tree.member("etc/default/keyboard").mtime
    assert all(tree.tar.getmember(name).mtime > newest for name in maps)


def test_files(tree: Tree) -> None:
    """Files have content, mode and owner as asked; a path over a link of the image ends where the link leads."""
    assert (tree.text("etc/motd"), tree.member("etc/motd").mode) == ("hello\n", 0o644)
    assert tree.member("bin").issym()
    assert tree.member("usr/bin/hello").mode == 0o755
    secret = tree.member("srv/deep/secret")
    assert (secret.mode, secret.gid) == (0o600, 4)
    assert secret.uid == tree.member("home/admin").uid


def test_scripts(tree: Tree) -> None:
    """A build script has a fixed environment, can't mount or change device nodes, leaves no process, and is logged."""
    rows = tree.text("srv/mark").splitlines()
    assert rows[0] == "0"
    assert {row.split("=")[0] for row in rows[1:]} <= {
        *("HOME", "LC_ALL", "PATH", "PWD", "SHLVL", "SOURCE_DATE_EPOCH", "TZ", "_", "OLDPWD")
    }
    assert "from-the-script" in tree.told
    assert not any(name.startswith("./tmp/") for name in tree.tar.getnames())
    folder = "usr/lib/reforge/first-boot"
    names = sorted(name.removeprefix(f"./{folder}/") for name in tree.tar.getnames() if name.startswith(f"./{folder}/"))
    assert names == ["000-late", "001-early"]
    assert tree.member(f"{folder}/000-late").mode == 0o755


def test_services(tree: Tree) -> None:
    """Services are enabled and disabled as asked; ours for host keys and first boot are enabled."""
    wants = "etc/systemd/system/multi-user.target.wants"
    assert tree.has("etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service")
    assert not tree.has(f"{wants}/ssh.service")
    assert tree.has(f"{wants}/reforge-ssh-host-keys.service")
    assert tree.has(f"{wants}/reforge-first-boot.service")


def test_no_trace_of_the_build(tree: Tree) -> None:
    """The image has no host keys, no machine-id of its own, no logs, no lists or sources of the build's archive."""
    names = tree.tar.getnames()
    assert tree.text("etc/machine-id") == ""
    assert not any(name.startswith("./etc/ssh/ssh_host_") for name in names)
    files = [member.name for member in tree.tar.getmembers() if not member.isdir()]
    assert not any(name.startswith(("./var/log/", "./var/lib/apt/lists/", "./var/cache/apt/")) for name in files)
    assert tree.text("etc/apt/sources.list") == f"{SOURCE}\n"
    assert not any(name.startswith("./etc/apt/sources.list.d/") for name in names)
    assert not any("mmdebstrap" in name for name in names)
    assert not any(name.endswith(("-old", "/etc/passwd-", "/etc/shadow-")) for name in names)


def test_no_time_is_later_than_the_build_s(tree: Tree) -> None:
    """No file is younger than the newest package file, and owners have no names of this machine."""
    assert max(member.mtime for member in tree.tar.getmembers()) <= tree.epoch
    assert {member.uname for member in tree.tar.getmembers()} == {""}


def test_a_failing_build_script_ends_the_stage_with_its_words(
    workshop: Workshop, make_recipe: Callable[..., Recipe]
) -> None:
    """A build script that fails ends the stage with the end of its own output, and leaves no folder."""
    script = {"name": "bad", "content": "#!/bin/sh\necho it-broke >&2\nexit 7\n"}
    order = Order(make_recipe(build_scripts=[script]), workshop.lock, "1-3")
    with pytest.raises(StageFailed, match=r"it-broke .*/reforge-bad ended with status 7"):
        workshop.builder.run("rootfs", order, Job())
    assert not (workshop.home / "work" / "1-3").exists()


def test_an_unknown_time_zone_is_told(tmp_path: Path) -> None:
    """A time zone that the image doesn't know is named, with where the known ones are."""
    (tmp_path / "etc").mkdir()
    with pytest.raises(SystemExit, match=r"Mars/Olympus is not known .* /usr/share/zoneinfo"):
        apply(tmp_path, {"profile": {"hostname": "host", "timezone": "Mars/Olympus"}})

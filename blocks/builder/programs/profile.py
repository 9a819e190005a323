"""The install profile, applied to the installed tree by the tree's own programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blocks.builder.programs import command, localisation
from blocks.builder.programs.tree import place, within, write

_FIRST_BOOT = "usr/lib/reforge/first-boot"
_HOST_KEYS_UNIT = """[Unit]
Description=Make the ssh host keys of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service ssh.socket

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
"""
_FIRST_BOOT_UNIT = """[Unit]
Description=Run the first-boot scripts of this image
ConditionPathExists=/usr/lib/reforge/first-boot
After=network.target

[Service]
Type=oneshot
ExecStart=/usr/bin/run-parts --exit-on-error /usr/lib/reforge/first-boot
ExecStartPost=/usr/bin/mv /usr/lib/reforge/first-boot /usr/lib/reforge/first-boot.done

[Install]
WantedBy=multi-user.target
"""
_NETWORK = """[Match]
Type=ether

[Network]
DHCP=yes
"""


def apply(root: Path, specification: Mapping[str, Any]) -> None:
    """Apply the profile of the specification to the tree, in the order its parts depend on each other."""
    wanted = specification["profile"]
    _identity(root, wanted)
    _network(root, wanted["network"])
    if "locale" in wanted:
        localisation.set_locale(root, wanted["locale"])
    if "keyboard" in wanted:
        localisation.set_keyboard(root, wanted["keyboard"], specification["epoch"])
    for user in wanted["users"]:
        _user(root, user)
    _apt(root, wanted["apt_sources"])
    for file in wanted["files"]:
        _file(root, file)
    _first_boot(root, wanted["first_boot_scripts"])
    _host_keys(root)
    _services(root, wanted["services"])
    for script in wanted["build_scripts"]:
        _script(root, script)


def _identity(root: Path, wanted: Mapping[str, Any]) -> None:
    hostname = wanted["hostname"]
    write(root, "etc/hostname", f"{hostname}\n")
    names = hostname if "." not in hostname else f"{hostname} {hostname.split('.')[0]}"
    own = f"127.0.1.1\t{names}\n" if hostname != "localhost" else ""
    write(root, "etc/hosts", f"127.0.0.1\tlocalhost\n{own}::1\tlocalhost ip6-localhost ip6-loopback\n")
    zone = wanted["timezone"]
    if not within(root, f"usr/share/zoneinfo/{zone}").is_file():
        command.fail(
            f"the time zone {zone} is not known in the image: name one of /usr/share/zoneinfo (package tzdata)"
        )
    local = place(root, "etc/localtime")
    local.unlink(missing_ok=True)
    local.symlink_to(f"/usr/share/zoneinfo/{zone}")
    write(root, "etc/timezone", f"{zone}\n")


def _network(root: Path, network: str) -> None:
    if (
        network == "dhcp"
        and (root / "usr/lib/systemd/systemd-networkd").exists() | (root / "lib/systemd/systemd-networkd").exists()
    ):
        write(root, "etc/systemd/network/80-dhcp.network", _NETWORK)
        _systemctl(root, "enable", "systemd-networkd.service")


def _user(root: Path, user: Mapping[str, Any]) -> None:
    name = user["name"]
    accounts = {row.split(":")[0] for row in within(root, "etc/passwd").read_text("utf-8").splitlines()}
    if name not in accounts:
        command.inside(root, ["useradd", "--create-home", "--user-group", "--shell", user["shell"], name])
    if user["groups"]:
        command.inside(root, ["usermod", "--append", "--groups", ",".join(user["groups"]), name])
    if user["password_hash"]:
        command.inside(root, ["chpasswd", "--encrypted"], data=f"{name}:{user['password_hash']}\n")
    if user["ssh_keys"]:
        _keys(root, name, user["ssh_keys"])


def _keys(root: Path, name: str, keys: Sequence[str]) -> None:
    rows = within(root, "etc/passwd").read_text("utf-8").splitlines()
    _, _, uid, gid, _, home, _ = next(row for row in rows if row.startswith(f"{name}:")).split(":")
    folder = within(root, f"{home}/.ssh")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    file = write(root, f"{home}/.ssh/authorized_keys", "".join(f"{key}\n" for key in keys), 0o600)
    for path in (folder, file):
        os.chown(path, int(uid), int(gid))


def _apt(root: Path, sources: Sequence[str]) -> None:
    write(root, "etc/apt/sources.list", "".join(f"{source}\n" for source in sources))


def _file(root: Path, file: Mapping[str, Any]) -> None:
    path = write(root, file["path"], file["content"])
    command.inside(root, ["chown", "--", f"{file['owner']}:{file['group']}", file["path"]])
    path.chmod(int(file["mode"], 8))


def _first_boot(root: Path, scripts: Sequence[Mapping[str, Any]]) -> None:
    if scripts:
        for number, script in enumerate(scripts):
            write(root, f"{_FIRST_BOOT}/{number:03}-{script['name']}", script["content"], 0o755)
        merged = (root / "usr/bin/run-parts").exists()
        unit = _FIRST_BOOT_UNIT if merged else _FIRST_BOOT_UNIT.replace("/usr/bin/", "/bin/")
        write(root, "etc/systemd/system/reforge-first-boot.service", unit)
        _systemctl(root, "enable", "reforge-first-boot.service")


def _host_keys(root: Path) -> None:
    for path in within(root, "etc/ssh").glob("ssh_host_*_key*"):
        path.unlink()
    if (root / "usr/sbin/sshd").exists():
        write(root, "etc/systemd/system/reforge-ssh-host-keys.service", _HOST_KEYS_UNIT)
        _systemctl(root, "enable", "reforge-ssh-host-keys.service")


def _services(root: Path, services: Mapping[str, Sequence[str]]) -> None:
    for action in ("enable", "disable"):
        if services[action]:
            _systemctl(root, action, *services[action])


def _systemctl(root: Path, action: str, *units: str) -> None:
    if not within(root, "bin/systemctl").exists():
        command.fail(f"the image has no systemd to {action} {units[0]}: add systemd-sysv to the OS profile's packages")
    command.inside(root, ["systemctl", action, *units])


def _script(root: Path, script: Mapping[str, Any]) -> None:
    inner = f"/tmp/reforge-{script['name']}"  # noqa: S108 (the image's own)
    path = write(root, inner, script["content"], 0o700)
    command.inside(root, [inner])
    path.unlink(missing_ok=True)

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.builder.programs import cleaning, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An installed tree with a neighbour that it must not reach."""
    for name in ("etc", "run", "usr/lib", "var/log", "data"):
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("link", "target", "path", "found"),
    [
        ("var/run", "/run", "/var/run/file", "run/file"),
        ("var/run", "../run", "/var/run/file", "run/file"),
        ("lib", "usr/lib", "/lib/file", "usr/lib/file"),
        ("etc/up", "../../../../outside", "/etc/up/file", "outside/file"),
        ("etc/up", "/../../outside", "/etc/up/file", "outside/file"),
        ("etc/self", ".", "/etc/self/self/file", "etc/file"),
        ("etc/file", "/outside/file", "/etc/file", "outside/file"),
    ],
)
def test_links_stay_inside(root: Path, link: str, target: str, path: str, found: str) -> None:
    """A link is followed as the image itself would follow it: absolute ones from its root, and never above it."""
    (root / link).symlink_to(target)
    assert tree.within(root, path) == root / found


def test_a_link_through_a_link_stays_inside(root: Path, tmp_path: Path) -> None:
    """A relative link that leads over an absolute one ends in the tree, not where the absolute one points outside."""
    (root / "etc/b").symlink_to(tmp_path / "outside")
    (root / "etc/a").symlink_to("b/c")
    tree.write(root, "/etc/a", "text")
    assert list((tmp_path / "outside").iterdir()) == []
    assert (root / str(tmp_path / "outside" / "c").lstrip("/")).read_text("utf-8") == "text"


def test_a_parent_of_a_link_is_the_target_s(root: Path) -> None:
    """A link to `link/..` means the folder above the link's target."""
    (root / "etc/deep").symlink_to("/usr/lib")
    (root / "etc/back").symlink_to("deep/../file")
    assert tree.within(root, "/etc/back") == root / "usr/file"


def test_a_circle_is_refused(root: Path) -> None:
    """Links in a circle end in an error, not in a circle."""
    (root / "etc/a").symlink_to("b")
    (root / "etc/b").symlink_to("a")
    with pytest.raises(SystemExit, match="/etc/a/file"):
        tree.within(root, "/etc/a/file")


def test_a_place_is_the_link_itself(root: Path) -> None:
    """The place of a name is where the name lies, even if it is a link."""
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    assert tree.place(root, "etc/localtime") == root / "etc/localtime"


def test_writing_makes_folders_and_sets_the_mode(root: Path) -> None:
    """A file is written whole with its mode, also over one that is there."""
    for mode in (0o600, 0o4755):
        path = tree.write(root, "/opt/new/file", f"{mode}", mode)
        assert (path.read_text("utf-8"), path.stat().st_mode & 0o7777) == (f"{mode}", mode)


def test_cleaning_never_leaves_the_tree(root: Path, tmp_path: Path) -> None:
    """Folders to be emptied that are links are emptied where they lead inside the tree; nothing outside is touched."""
    kept = tmp_path / "outside" / "kept"
    kept.write_text("kept", "utf-8")
    inside = root / str(tmp_path / "outside").lstrip("/")
    inside.mkdir(parents=True)
    (inside / "gone").write_text("gone", "utf-8")
    (root / "var/log").rmdir()
    (root / "var/log").symlink_to(tmp_path / "outside")
    (root / "etc/machine-id").symlink_to(kept)
    cleaning.clean(root, 1_000_000)
    assert kept.read_text("utf-8") == "kept"
    assert not (inside / "gone").exists()


def test_cleaning_removes_what_tells_of_the_build(root: Path) -> None:
    """Logs, caches, backups, locks, host keys and the machine's identity go; folders stay, with the build's time."""
    doomed = [
        "var/log/dpkg.log",
        "var/log/apt/history.log",
        "tmp/left",
        "run/lock/left",
        "etc/passwd-",
        "etc/ssh/ssh_host_rsa_key",
        "var/lib/dpkg/status-old",
        "var/lib/dbus/machine-id",
        "etc/resolv.conf",
    ]
    for name in (*doomed, "etc/passwd", "etc/machine-id"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text", "utf-8")
    cleaning.clean(root, 1_000_000)
    assert [name for name in doomed if (root / name).exists()] == []
    assert (root / "etc/machine-id").read_bytes() == b""
    assert (root / "etc/passwd").exists()
    assert (root / "var/log/apt").stat().st_mtime == 1_000_000
    assert not (root / "run/lock").exists()


@pytest.mark.parametrize("path", ["/etc", "/etc/motd/deep", "/etc/motd/deep/file"])
def test_a_file_in_the_way_is_told(root: Path, path: str) -> None:
    """A file that can't be made because of what the image has there is named."""
    tree.write(root, "/etc/motd", "text")
    with pytest.raises(SystemExit, match=rf"the file {path} can't be made"):
        tree.write(root, path, "text")

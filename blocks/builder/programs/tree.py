"""Paths of the installed tree: links are followed inside it only, so that nothing of the image leads out of it."""

from __future__ import annotations

from pathlib import Path

from blocks.builder.programs import command

_HOPS = 40


def within(root: Path, path: str) -> Path:
    """A path of the image below `root`, every link on its way followed as the image itself would follow it."""
    done, left, hops = root, _parts(path), 0
    while left:
        step = _step(root, done, left.pop(0))
        if step.is_symlink():
            hops += 1
            target = str(step.readlink())
            step = root if target.startswith("/") else done
            left = _parts(target) + left
        if hops > _HOPS:
            command.fail(f"{path} is a link that leads nowhere")
        done = step
    return done


def _step(root: Path, done: Path, part: str) -> Path:
    if part == "..":
        return done.parent if done != root else root
    return done / part


def place(root: Path, path: str) -> Path:
    """Where the name `path` itself lies: links on its way are followed, the last part is not."""
    folder, _, name = path.strip("/").rpartition("/")
    return within(root, folder) / name


def write(root: Path, path: str, text: str, mode: int = 0o644) -> Path:
    """Write a file of the image with its mode, making the folders above it."""
    found = within(root, path)
    try:
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(text, "utf-8")
    except (IsADirectoryError, NotADirectoryError, FileExistsError):
        command.fail(f"the file {path} can't be made: the image has a folder in its place, or a file above it")
    found.chmod(mode)
    return found


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]

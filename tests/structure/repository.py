"""The repository as data: which files belong to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# What .gitignore names, for a tree that came without git.
NOT_OURS = {
    ".git",
    ".venv",
    "var",
    "__pycache__",
    "build",
    "dist",
    "failures",
    "node_modules",
    ".env",
    ".idea",
    ".vscode",
}
NOT_OURS_ENDINGS = ("_cache", ".egg-info", ".pyc", ".hypothesis")


def files() -> list[Path]:
    """Every file of the repository, committed or about to be."""
    listed = _from_git()
    return sorted(path for path in (_by_walking() if listed is None else listed) if path.is_file())


def text_files() -> dict[Path, bytes]:
    """The contents of every file that is not binary, by path relative to the root."""
    contents = {path.relative_to(ROOT): path.read_bytes() for path in files()}
    return {path: content for path, content in contents.items() if b"\0" not in content}


def documentation() -> str:
    """All of docs/ as one text."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


def _from_git() -> list[Path] | None:
    if not (ROOT / ".git").exists():  # without this, a repository further up would answer
        return None
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [ROOT / name for name in listing.decode().split("\0") if name]


def _by_walking() -> list[Path]:
    found: list[Path] = []
    for path in ROOT.iterdir():
        if not _is_foreign(path):
            found += [path] if path.is_file() else _below(path)
    return found


def _below(directory: Path) -> list[Path]:
    return [
        path
        for path in directory.rglob("*")
        if not any(_is_foreign(part) for part in [path, *path.parents] if part.is_relative_to(directory))
    ]


def _is_foreign(path: Path) -> bool:
    return path.name in NOT_OURS or path.name.endswith(NOT_OURS_ENDINGS)

"""Every text file can be read, and carries nothing of the machine it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.structure.repository import text_files

MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root)/")


@pytest.fixture(scope="module")
def contents() -> dict[Path, bytes]:
    return text_files()


def test_every_text_file_is_utf8(contents: dict[Path, bytes]) -> None:
    wrong = []
    for path, content in contents.items():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong.append(f"{path}: {error}")
    assert wrong == []


def test_every_text_file_ends_with_a_newline(contents: dict[Path, bytes]) -> None:
    assert [str(path) for path, content in contents.items() if content and not content.endswith(b"\n")] == []


def test_no_file_names_a_directory_of_a_developers_machine(contents: dict[Path, bytes]) -> None:
    found = []
    for path, content in contents.items():
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATHS.search(line):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert found == []

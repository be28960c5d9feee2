"""What can be set or called is written down."""

from __future__ import annotations

import re
from typing import Any

from tests.structure.repository import documentation, text_files

VARIABLE = re.compile(r"\bQINGSHENG_[A-Z][A-Z_]*[A-Z]\b")


def commands(group: Any, *path: str) -> list[tuple[str, ...]]:
    """Every command that a person can type, such as ("nlu", "train")."""
    if group.hidden:
        return []
    if not hasattr(group, "commands"):
        return [path]
    return [found for name, command in group.commands.items() for found in commands(command, *path, name)]


def test_every_setting_is_named_in_the_docs() -> None:
    from config.settings import Settings

    text = documentation()
    names = {f"QINGSHENG_{field}".upper() for field in Settings.model_fields}
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def test_every_setting_in_the_docs_exists() -> None:
    from config.settings import Settings

    names = {f"QINGSHENG_{field}".upper() for field in Settings.model_fields}
    for path, content in text_files().items():  # a variable that is read without Settings, such as a test's own
        if path.suffix == ".py":
            names |= set(VARIABLE.findall(content.decode("utf-8")))
    assert sorted(set(VARIABLE.findall(documentation())) - names) == []


def test_every_command_is_written_out_in_the_docs() -> None:
    from typer.main import get_command

    from bot.commands import app

    text, found = documentation(), commands(get_command(app))
    assert found
    lines = [" ".join(("python -m bot", *command)) for command in found]
    assert [line for line in lines if not re.search(rf"{re.escape(line)}(?![\w-])", text)] == []

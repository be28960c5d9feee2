"""``check``: settings, content, rules and wording, every fault named by file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bot.app import Content
from bot.commands.serve import Failed, read_settings
from config.settings import SEED
from config.wording import LOCALES, Wording
from config.yamlfile import ContentError, read_yaml
from routing.lint import lint


def check(
    content: Annotated[Path, typer.Option(help="Folder with the content files.")] = SEED,
) -> int:
    """Validate settings, content, routing rules and wording. Exit code 1 when something is wrong."""
    faults = list(_faults(content))
    for fault in faults:
        print(fault, file=sys.stderr)
    print("All well." if not faults else f"{len(faults)} fault(s).", file=sys.stderr)
    return 1 if faults else 0


def _faults(folder: Path) -> Iterator[str]:
    try:
        settings = read_settings()
        if settings.environment == "production" and not settings.api_token.get_secret_value():
            yield "QINGSHENG_API_TOKEN: production refuses the REST channel and /model/parse without it"
        if settings.channels_file is not None:
            yield "QINGSHENG_CHANNELS_FILE: this version has no platform channels yet; the file is not read"
    except Failed as error:
        yield str(error)
    try:
        read = Content.read(folder)
        yield from lint(read.tree, read.topics, read.rulebook)
        yield from (str(fault) for fault in read.lexicon.failed_tests(read_yaml(folder / "crisis_lexicon.yml")))
    except ContentError as error:
        yield str(error)
    try:
        yield from _wording_faults(Wording.load())
    except ContentError as error:
        yield str(error)


def _wording_faults(wording: Wording) -> Iterator[str]:
    """Every language has every sentence with the same placeholders."""
    reference = wording.keys()
    for locale in LOCALES[1:]:
        for key in sorted(reference - wording.keys(locale)):
            yield f"config/wording/{locale}.yml: lacks {key}"
        for key in sorted(wording.keys(locale) - reference):
            yield f"config/wording/{locale}.yml: has {key}, which zh_CN.yml lacks"
        for key in sorted(reference & wording.keys(locale)):
            if wording.placeholders(locale, key) != wording.placeholders("zh_CN", key):
                yield f"config/wording/{locale}.yml: {key} has other placeholders than zh_CN.yml"

"""``nlu train``, ``nlu test``, ``nlu parse``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.serve import Failed
from nlu import evaluation, training
from nlu.engine import Utterance
from nlu.formats import read_training_files, to_rasa
from nlu.local.engine import LocalEngine
from nlu.local.model_store import ModelError, load_model, save_model

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _load(model: Path) -> LocalEngine:
    try:
        return load_model(model)
    except (ModelError, OSError) as error:
        raise Failed(str(error)) from error


@app.command()
def train(
    data: Annotated[
        list[Path], typer.Option("--data", help="Rasa 3.1 YAML file or folder; may be given several times.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model; must be new or an older model.")],
) -> int:
    """Train a model."""
    engine = training.train(read_training_files(data, may_conflict=True))
    try:
        save_model(engine, out)
    except (ModelError, OSError) as error:
        raise Failed(f"{out}: {error}") from error
    print(f"Model {engine.model_id} is in {out}.", file=sys.stderr)
    return 0


@app.command()
def test(
    model: Annotated[Path, typer.Option("--model", help="Folder of a trained model.")],
    data: Annotated[list[Path], typer.Option("--data", help="Rasa 3.1 YAML file or folder with labelled examples.")],
    report: Annotated[Path | None, typer.Option("--report", help="Where to write the figures as JSON.")] = None,
) -> int:
    """Try a model on labelled examples."""
    result = evaluation.evaluate(_load(model), read_training_files(data, may_conflict=True))
    if report is not None:
        try:
            report.write_text(
                json.dumps(evaluation.to_json(result), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise Failed(f"{report}: cannot be written: {error.strerror}") from error
    print(_summary(result))
    return 0


def _summary(report: evaluation.Report) -> str:
    return f"accuracy {report.accuracy:.4f}  macro-F1 {report.macro_f1:.4f}  examples {report.examples}"


@app.command()
def parse(
    model: Annotated[Path, typer.Option("--model", help="Folder of a trained model.")],
    source: Annotated[Path, typer.Option("--in", help='One {"text": …} a line.')],
    out: Annotated[Path, typer.Option("--out", help="One Rasa parse result a line.")],
) -> int:
    """Read texts, line by line."""
    engine = _load(model)
    try:
        with out.open("w", encoding="utf-8") as target:
            for text in _texts(source):
                result = asyncio.run(engine.parse(Utterance(text)))
                target.write(json.dumps(to_rasa(result), ensure_ascii=False) + "\n")
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    return 0


def _texts(source: Path) -> Iterator[str]:
    with source.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise Failed(f'{source}:{number}: needs one {{"text": "…"}} a line') from error
            if not isinstance(text, str):
                raise Failed(f"{source}:{number}: 'text' must be a string")
            yield text

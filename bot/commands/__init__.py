"""The commands behind ``python -m bot``: errors are one line on standard error, exit code 1 (failure) or 2 (misuse)."""

from __future__ import annotations

import sys

import click
import typer

from bot.commands import check, nlu, routing, serve, user
from config.settings import ROOT
from config.yamlfile import ContentError

PACKAGES = ("bot", "config", "console", "handlers", "nlu", "routing", "storage")

app = typer.Typer(
    name="qingsheng",
    help="青声 Qingsheng: a chat service desk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.command("work")(serve.work)
app.command("check")(check.check)
app.command("seed")(serve.seed)
app.add_typer(nlu.app, name="nlu", help="Train, test and use the language models.")
app.add_typer(routing.app, name="routing", help="Explain and check who is responsible.")
app.add_typer(user.app, name="user", help="Look after the people who sign in.")


class CommandFailed(Exception):
    """Ends a command with one sentence and exit code 1."""


def refuse_foreign_packages() -> None:
    """``config``, ``nlu`` and ``routing`` also exist on package indexes: ours must be the ones that were loaded."""
    for name in PACKAGES:
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin is not None and not origin.startswith(str(ROOT)):
            raise CommandFailed(f"the package {name!r} was loaded from {origin}, not from {ROOT}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        refuse_foreign_packages()
        result = app(args=arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 2
    except click.UsageError as error:
        print(f"qingsheng: {error.format_message()}", file=sys.stderr)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except (CommandFailed, ContentError, serve.Failed) as error:
        print(f"qingsheng: {error}", file=sys.stderr)
        return 1
    return result if isinstance(result, int) else 0

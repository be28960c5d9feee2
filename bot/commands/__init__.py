"""The commands behind ``python -m bot``: errors are one line on standard error, exit code 1 (failure) or 2 (misuse)."""

from __future__ import annotations

import os
import sys

import typer
from typer import TyperException, exceptions

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


def _one_line(error: TyperException) -> str:
    """Misuse as one sentence; without any command, the help."""
    message = str(getattr(error, "format_message", error.__str__)())
    return message if message.startswith("Usage:") else f"qingsheng: {message}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        refuse_foreign_packages()
        result = app(args=arguments, standalone_mode=False)
    except TyperException as error:
        print(_one_line(error), file=sys.stderr)
        return 2
    except (exceptions.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader (`… | head`) has seen enough; Python would complain once more while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"qingsheng: {error.filename or 'input or output'}: {error.strerror}", file=sys.stderr)
        return 1
    except (CommandFailed, ContentError, serve.Failed) as error:
        print(f"qingsheng: {error}", file=sys.stderr)
        return 1
    return result if isinstance(result, int) else 0

"""The command line: ``python -m bot …``. Parses arguments, nothing else; the work is in bot/commands/."""

from __future__ import annotations

import sys

from bot.commands import main

if __name__ == "__main__":
    sys.exit(main())

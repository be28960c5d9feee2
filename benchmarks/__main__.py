"""``make bench``: the service on SQLite and, where its binaries are found, on PostgreSQL; then the language engine."""

from __future__ import annotations

import subprocess
import sys

from benchmarks import service
from tests.servers import postgres_binaries, running_postgres

SECONDS = 20.0
SENDERS = 8


def main() -> None:
    service.show(senders=SENDERS, seconds=SECONDS)
    if postgres_binaries() is None:
        print("service, PostgreSQL: left out, no PostgreSQL binaries found")
    else:
        with running_postgres() as server:
            server.create("bench")
            service.show(senders=SENDERS, seconds=SECONDS, database=server.url("bench"))
    subprocess.run([sys.executable, "-m", "benchmarks.nlu_speed"], check=True)


if __name__ == "__main__":
    main()

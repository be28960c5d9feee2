"""Start-up time, memory and the REST channel's throughput, against a real service process on this machine.

    python -m benchmarks.service [--seconds 20] [--senders 8] [--database URL]

Each message is a full turn (read, understood, answered) that is committed before it is acknowledged. The load comes
from a second process, so that measuring and serving share the two cores as they would share any machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = (
    "怎么入团啊",
    "老板拖欠工资两个月了怎么办",
    "毕业了团关系转去哪",
    "志愿时长没到账",
    "你好",
    "租房押金不退怎么办",
    "今天天气怎么样",
    "被电信诈骗了钱能追回来吗",
    "查进度",
    "社保公司不给交合法吗",
    "最近压力很大睡不着",
    "谢谢",
)


@dataclass(frozen=True, slots=True)
class Service:
    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def resident_mib(self) -> float:
        """Resident memory (RSS) of the service process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(data_dir: str, database: str = "") -> Service:
    """Start the service and wait for /readyz; the time from exec to the first 200."""
    port = free_port()
    environment = os.environ | {"QINGSHENG_DATA_DIR": data_dir, "QINGSHENG_DEMO_PASSWORD": "bench-password"}
    if database:
        environment["QINGSHENG_DATABASE_URL"] = database
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "serve", "--demo", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return Service(process, port, time.monotonic() - started)
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() - started > 120:
                raise RuntimeError("the service did not become ready") from None
            time.sleep(0.01)


async def _sender(port: int, name: str, until: float, took: list[float]) -> None:
    """One sender on one kept-alive connection: the next message only after the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.monotonic() < until:
        body = json.dumps({"sender": name, "message": SENTENCES[number % len(SENTENCES)]}).encode()
        number += 1
        started = time.monotonic()
        writer.write(
            b"POST /webhooks/rest/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode())
        took.append(time.monotonic() - started)
    writer.close()


async def _load(port: int, senders: int, seconds: float, prefix: str) -> list[float]:
    took: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(_sender(port, f"{prefix}-{index}", until, took) for index in range(senders)))
    return took


def load_in_own_process(port: int, senders: int, seconds: float, prefix: str) -> list[float]:
    """Latencies in seconds, from a separate Python process."""
    arguments = [sys.executable, "-m", "benchmarks.service", "--load", str(port), str(senders), str(seconds), prefix]
    finished = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return [float(value) for value in json.loads(finished.stdout)]


def measure(*, senders: int, seconds: float, database: str = "") -> dict[str, float]:
    with tempfile.TemporaryDirectory() as data_dir:
        first = start(data_dir, database)
        first.stop()
        again = [start(data_dir, database)]
        for _ in range(2):
            again[-1].stop()
            again.append(start(data_dir, database))
        service = again[-1]
        time.sleep(2)
        idle = service.resident_mib()
        load_in_own_process(service.port, senders, 2, "warm")
        took = sorted(load_in_own_process(service.port, senders, seconds, "load"))
        loaded = service.resident_mib()
        service.stop()
    return {
        "first start s": first.ready_seconds,
        "later start s (median of 3)": statistics.median(one.ready_seconds for one in again),
        "resident idle MiB": idle,
        "resident after load MiB": loaded,
        "messages/s": len(took) / seconds,
        "p50 ms": took[len(took) // 2] * 1000,
        "p99 ms": took[int(len(took) * 0.99)] * 1000,
        "max ms": took[-1] * 1000,
    }


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        port, senders, seconds, prefix = sys.argv[2:6]
        print(json.dumps(asyncio.run(_load(int(port), int(senders), float(seconds), prefix))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--database", default="", help="PostgreSQL URL; SQLite when left out")
    wanted = parser.parse_args()
    show(senders=wanted.senders, seconds=wanted.seconds, database=wanted.database)


def show(*, senders: int, seconds: float, database: str = "") -> None:
    """Measure and print."""
    figures = measure(senders=senders, seconds=seconds, database=database)
    print(f"service, {'PostgreSQL' if database else 'SQLite'}, {senders} senders, {seconds:.0f} s")
    for name, value in figures.items():
        print(f"  {name:<28} {value:10.1f}" if value >= 10 else f"  {name:<28} {value:10.2f}")


if __name__ == "__main__":
    main()

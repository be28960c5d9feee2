"""kill -9, and again: what was acknowledged is there, everything else is there whole or not at all, nothing twice."""

from __future__ import annotations

import itertools
import random
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.service import Died, Ledger, Service, state_of
from tests.house import WAGES

REQUEST = ("求助", WAGES, "匿名", "确认")


def tickets_of(service: Service) -> list[str]:
    return [number for (number,) in service.rows("SELECT number FROM tickets ORDER BY id")]


def test_a_form_goes_on_after_a_kill_in_the_middle(service: Service) -> None:
    ledger = Ledger(service)
    for nth, text in enumerate(REQUEST[:2]):
        ledger.send("somebody", text, f"m-{nth}")
    service.kill()
    assert state_of(service)["form"]["step"] == "anonymous"
    assert "请确认" in ledger.send("somebody", REQUEST[2], "m-2")[0]["text"]
    service.kill()
    opened = ledger.send("somebody", REQUEST[3], "m-3")[0]["text"]
    (number,) = tickets_of(service)
    assert number in opened
    assert number in ledger.send("somebody", "查进度", "m-4")[0]["text"]
    ledger.check_repeats()
    assert tickets_of(service) == [number]
    ledger.check()


def test_a_kill_before_the_commit_leaves_all_of_a_message_or_nothing(service: Service) -> None:
    """Starting commits, too, so the fail point counts; whichever transaction it hits, no message may be halved."""
    ledger = Ledger(service)
    for number, text in enumerate(REQUEST[:3]):
        ledger.send("somebody", text, f"m-{number}")
    service.kill()
    service.start(FAILPOINTS="before_commit=kill:3")
    with pytest.raises(Died):
        for number in range(10):
            service.send("somebody", "确认", "m-3")
            service.send("somebody", "谢谢", f"more-{number}")
    assert service.process is not None
    assert service.process.wait(10) == -signal.SIGKILL
    opened = tickets_of(service)
    assert len(opened) == len(service.rows("SELECT id FROM inbound_messages WHERE text = '确认'"))
    assert len(opened) * 2 == len(service.rows("SELECT id FROM ticket_events"))
    assert len(opened) == len(service.rows("SELECT id FROM timers"))
    service.start()
    replies = service.send("somebody", "确认", "m-3")
    assert service.send("somebody", "确认", "m-3") == replies
    (number,) = tickets_of(service)
    assert number in replies[0]["text"]


def test_a_kill_after_the_commit_loses_the_answer_and_not_the_message(service: Service) -> None:
    ledger = Ledger(service)
    for number, text in enumerate(REQUEST[:3]):
        ledger.send("somebody", text, f"m-{number}")
    service.kill()
    service.start(FAILPOINTS="after_commit=kill:3")
    with pytest.raises(Died):
        for number in range(10):
            service.send("somebody", "谢谢", f"more-{number}")
            service.send("somebody", "确认", "m-3")
    service.kill()
    stored = [
        text
        for (text,) in service.rows(
            "SELECT o.text FROM outbox_messages o JOIN inbound_messages i ON i.id = o.inbound_id"
            " WHERE i.text = '确认' ORDER BY o.seq"
        )
    ]
    service.start()
    replies = service.send("somebody", "确认", "m-3")
    if stored:
        assert [reply["text"] for reply in replies] == stored, "the stored reply, word for word"
    assert len(tickets_of(service)) == 1


def test_a_cry_for_help_is_stored_with_its_alert_or_not_at_all(service: Service) -> None:
    service.start(FAILPOINTS="in_tx=kill")
    with pytest.raises(Died):
        service.send("somebody", "我不想活了", "m-1")
    service.kill()
    assert service.rows("SELECT id FROM inbound_messages") == []
    assert tickets_of(service) == []
    service.start()
    said = "\n".join(reply["text"] for reply in service.send("somebody", "我不想活了", "m-1"))
    assert "12356" in said
    (ticket,) = service.rows("SELECT number, is_crisis, sensitivity FROM tickets")
    assert ticket[1:] == (1, "restricted")
    assert ticket[0] in said


def test_a_second_service_on_the_same_file_is_refused_and_the_first_goes_on(service: Service) -> None:
    service.start()
    second = Service(service.data_dir, service.log.with_name("second.log"))
    with pytest.raises(pytest.fail.Exception, match="already serves"):
        second.start()
    assert service.send("somebody", "谢谢", "m-1")


def test_ctrl_c_ends_it_cleanly(service: Service) -> None:
    service.start()
    service.send("somebody", "谢谢", "m-1")
    assert service.process is not None
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(10) == 0
    log = service.log.read_text()
    assert "Traceback" not in log
    assert log.rstrip().endswith("Stopped.")


# ── long ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.faults
def test_twenty_kills_at_random_moments_lose_nothing_and_double_nothing(service: Service) -> None:
    """Eight people at once open tickets while the service dies under them; each retries as a platform does."""
    rng = random.Random(20261124)
    ledger = Ledger(service)
    done = threading.Event()
    service.start()

    def person(name: str) -> int:
        for turn in itertools.count():
            if done.is_set():
                return turn
            for nth, text in enumerate((*REQUEST[:1], f"{WAGES}，{name}第{turn}次", *REQUEST[2:])):
                ledger.send(name, text, f"{turn}-{nth}")
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        people = [pool.submit(person, f"person-{nth}") for nth in range(8)]
        for _ in range(20):
            service.start_again()
            time.sleep(rng.uniform(0.05, 1.0))
            service.kill_if_running()
        done.set()
        opened = sum(one.result() for one in people)
    ledger.check_repeats()
    ledger.check()
    numbers = tickets_of(service)
    told = {
        number
        for replies in ledger.acknowledged.values()
        for reply in replies
        for number in re.findall(r"工单号([A-Z]{2}\d{10,})", reply["text"])
    }
    assert set(numbers) == told
    assert len(numbers) == opened


@pytest.mark.faults
@pytest.mark.parametrize("point", ["in_tx", "before_commit", "after_commit"])
def test_a_kill_at_every_hit_of_a_fail_point_is_survived(service: Service, point: str) -> None:
    ledger = Ledger(service)
    for nth in range(1, 9):
        service.start(FAILPOINTS=f"{point}=kill:{nth}")
        for number, text in enumerate(REQUEST):
            ledger.send(f"person-{nth}", text, f"m-{number}")
        service.kill()
    service.start()
    ledger.check_repeats()
    ledger.check()
    assert len(tickets_of(service)) == 8

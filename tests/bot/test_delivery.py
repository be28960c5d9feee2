"""The outbox on its way: each result of a channel, who holds a message, and in which order they arrive."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.channels.base import Ambiguous, Forbidden, RetryAfter, WindowClosed
from bot.delivery import GIVE_UP_AFTER, back_off
from storage import conversations, outbox
from storage.models import OutboxStatus
from storage.outbox import LEASE, Claim
from tests.bot.post import Post

PERSON, OTHER = "person-1", "person-2"


# ── what a channel may say ───────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_sent_is_sent_once(post: Post) -> None:
    (message,) = await post.write(PERSON, "已受理。")
    await post.drain()
    await post.drain()
    stored = await post.stored(message)
    assert (stored.status, stored.sent_at, stored.attempts) == ("sent", post.clock(), 1)
    assert post.wire.texts == ["已受理。"]
    assert (post.wire.sent[0].channel, post.wire.sent[0].account, post.wire.sent[0].peer) == ("fake", "main", PERSON)


async def test_a_closed_window_keeps_the_message_for_the_persons_next_one(post: Post) -> None:
    post.wire.results.append(WindowClosed())
    (message,) = await post.write(PERSON, "已受理。")
    await post.drain()
    assert await post.status(message) == "held"
    post.clock.forward(days=3)
    await post.drain()
    assert len(post.wire.sent) == 1, "it is not tried again before the person writes"
    assert (await post.hear(PERSON, "谢谢"))[0] == "已受理。"
    assert await post.status(message) == "sent"
    assert "已受理。" not in await post.hear(PERSON, "谢谢")


async def test_what_the_platform_forbids_becomes_visible_as_undeliverable(post: Post) -> None:
    post.wire.results.append(Forbidden("blocked by the user"))
    (message,) = await post.write(PERSON, "已受理。")
    await post.drain()
    post.clock.forward(days=3)
    await post.drain()
    stored = await post.stored(message)
    assert (stored.status, stored.failure, stored.sent_at) == ("undeliverable", "blocked by the user", None)
    assert len(post.wire.sent) == 1


async def test_a_platform_that_asks_for_patience_gets_it(post: Post) -> None:
    post.wire.results.append(RetryAfter(timedelta(minutes=5), "45009"))
    (message,) = await post.write(PERSON, "已受理。")
    await post.drain()
    assert await post.status(message) == "pending"
    post.clock.forward(minutes=4, seconds=59)
    await post.drain()
    assert len(post.wire.sent) == 1
    post.clock.forward(seconds=1)
    await post.drain()
    assert (await post.status(message), len(post.wire.sent)) == ("sent", 2)


async def test_patience_ends_one_day_and_is_written_down(post: Post) -> None:
    post.wire.results.extend(RetryAfter(timedelta(0), "still down") for _ in range(GIVE_UP_AFTER))
    (message,) = await post.write(PERSON, "已受理。")
    for _ in range(GIVE_UP_AFTER):
        await post.drain()
        post.clock.forward(minutes=20)
    stored = await post.stored(message)
    assert (stored.status, stored.failure, stored.attempts) == ("undeliverable", "still down", GIVE_UP_AFTER)


@pytest.mark.parametrize(("is_essential", "status", "times"), [(True, "sent", 2), (False, "undeliverable", 1)])
async def test_after_an_ambiguous_time_out_only_what_must_not_get_lost_is_repeated(
    post: Post, is_essential: bool, status: str, times: int
) -> None:
    post.wire.results.append(Ambiguous("time-out"))
    (message,) = await post.write(PERSON, "已受理。", is_essential=is_essential)
    await post.drain()
    post.clock.forward(minutes=1)
    await post.drain()
    assert (await post.status(message), len(post.wire.sent)) == (status, times)


async def test_a_message_for_a_channel_that_is_gone_is_undeliverable(post: Post) -> None:
    (message,) = await post.write(PERSON, "已受理。", channel="fax")
    await post.drain()
    stored = await post.stored(message)
    assert (stored.status, stored.failure) == ("undeliverable", "no such channel")


async def test_a_channel_that_crashes_harms_its_own_message_only(post: Post) -> None:
    post.wire.results.append(RuntimeError("a bug in the channel"))
    (first,) = await post.write(PERSON, "一")
    (second,) = await post.write(OTHER, "二")
    with pytest.raises(RuntimeError):
        await post.drain()
    await asyncio.sleep(0.1)
    await post.drain()
    assert sorted([await post.status(first), await post.status(second)]) == ["claimed", "sent"]
    post.clock.at += LEASE + timedelta(seconds=1)
    assert await post.delivery.sweep() == 1
    await post.drain()
    assert sorted(post.wire.texts) == ["一", "二"]


async def test_the_database_is_free_while_the_network_talks(post: Post) -> None:
    """SQLite has one writer: a transaction held open during a call would stop everybody."""

    async def somebody_writes(_message: Claim) -> None:
        async with asyncio.timeout(5):
            assert await post.hear(OTHER, "你好")

    post.wire.while_sending = somebody_writes
    await post.write(PERSON, "已受理。")
    await post.drain()
    assert post.wire.texts == ["已受理。"]


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_messages_to_one_person_keep_their_order(post: Post) -> None:
    await post.write(PERSON, *"一二三四五")
    await post.drain()
    assert post.wire.texts == list("一二三四五")


async def test_a_message_that_waits_holds_back_what_comes_after_it_and_nobody_else(post: Post) -> None:
    post.wire.results.append(RetryAfter(timedelta(minutes=5), "45009"))
    await post.write(PERSON, "一", "二")
    await post.drain()
    await post.write(OTHER, "三")
    await post.drain()
    assert post.wire.texts == ["一", "三"], "“一” was refused, so “二” waits"
    post.clock.forward(minutes=5)
    await post.drain()
    assert post.wire.texts == ["一", "三", "一", "二"]


async def test_what_is_given_up_does_not_hold_back_the_rest(post: Post) -> None:
    post.wire.results.append(Forbidden("too long"))
    first, second = await post.write(PERSON, "一", "二")
    await post.drain()
    assert [await post.status(first), await post.status(second)] == ["undeliverable", "sent"]


async def test_only_the_oldest_of_a_conversation_is_in_hand(post: Post) -> None:
    await post.write(PERSON, "一", "二")
    await post.write(OTHER, "三")
    assert [claimed.text for claimed in await post.claim()] == ["一", "三"]
    assert await post.claim() == []


# ── who holds it ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_many_workers_never_take_the_same_message(post: Post) -> None:
    for nth in range(30):
        await post.write(f"person-{nth}", str(nth))
    taken = await asyncio.gather(*(post.claim(limit=10) for _ in range(8)))
    ids = [claimed.id for claims in taken for claimed in claims]
    assert len(ids) == len(set(ids)) == 30


async def test_many_workers_together_send_each_message_once(post: Post) -> None:
    for nth in range(30):
        await post.write(f"person-{nth}", "一", "二")
    await asyncio.gather(*(post.drain() for _ in range(4)))
    await post.drain()
    assert len(post.wire.sent) == 60
    for nth in range(30):
        assert [one.text for one in post.wire.sent if one.peer == f"person-{nth}"] == ["一", "二"]


async def test_what_a_dead_worker_held_is_freed_when_its_lease_is_over(post: Post) -> None:
    (essential,) = await post.write(PERSON, "一")
    (other,) = await post.write(OTHER, "二", is_essential=False)
    assert len(await post.claim()) == 2
    post.clock.at += LEASE
    assert await post.delivery.sweep() == 0, "the lease lasts to its last moment"
    post.clock.forward(seconds=1)
    assert await post.delivery.sweep() == 2
    assert await post.delivery.sweep() == 0
    assert await post.status(essential) == "pending"
    lost = await post.stored(other)
    assert (lost.status, lost.failure) == ("undeliverable", "ambiguous"), "it may have gone out: at most once"
    await post.drain()
    assert post.wire.texts == ["一"]


async def test_a_worker_that_is_alive_keeps_what_it_holds(post: Post) -> None:
    (message,) = await post.write(PERSON, "一")
    (claimed,) = await post.claim()
    for _ in range(3):
        post.clock.at += LEASE - timedelta(seconds=1)
        async with post.database.transaction() as session:
            await outbox.extend_lease(session, claimed, now=post.clock())
        assert await post.delivery.sweep() == 0
    assert await post.status(message) == "claimed"


async def test_a_worker_that_comes_back_from_the_dead_cannot_overrule_its_successor(post: Post) -> None:
    (message,) = await post.write(PERSON, "一")
    (old,) = await post.claim()
    post.clock.at += LEASE + timedelta(seconds=1)
    await post.delivery.sweep()
    (new,) = await post.claim()
    assert new.fence > old.fence
    async with post.database.transaction() as session:
        assert not await outbox.settle(session, old, OutboxStatus.UNDELIVERABLE, now=post.clock(), failure="late")
    async with post.database.transaction() as session:
        await outbox.extend_lease(session, old, now=post.clock() + timedelta(days=1))
    stored = await post.stored(message)
    assert (stored.status, stored.failure, stored.lease_until) == ("claimed", None, post.clock() + LEASE)
    async with post.database.transaction() as session:
        assert await outbox.settle(session, new, OutboxStatus.SENT, now=post.clock())
    assert await post.status(message) == "sent"


async def test_a_message_is_settled_once(post: Post) -> None:
    (message,) = await post.write(PERSON, "一")
    (claimed,) = await post.claim()
    async with post.database.transaction() as session:
        assert await outbox.settle(session, claimed, OutboxStatus.SENT, now=post.clock())
        assert not await outbox.settle(session, claimed, OutboxStatus.PENDING, now=post.clock())
    assert await post.status(message) == "sent"


async def test_nothing_is_sent_for_a_transaction_that_was_rolled_back(post: Post) -> None:
    with pytest.raises(ZeroDivisionError):
        async with post.database.transaction() as session:
            conversation = await conversations.find_or_open(
                session, channel="fake", account="main", peer=PERSON, locale="zh_CN", now=post.clock()
            )
            outbox.enqueue(session, conversation, "一", now=post.clock())
            await session.flush()
            raise ZeroDivisionError
    await post.drain()
    assert post.wire.sent == []


# ── how long it waits ────────────────────────────────────────────────────────────────────────────────────────────────


def test_waiting_doubles_up_to_a_quarter_of_an_hour_with_some_jitter() -> None:
    for attempts, seconds in ((1, 1), (2, 2), (5, 16), (10, 512), (11, 900), (60, 900), (10_000, 900)):
        waits = {back_off(attempts).total_seconds() for _ in range(20)}
        assert all(seconds <= wait <= seconds * 1.2 for wait in waits), attempts
        assert len(waits) > 1, "all workers at the same moment would be the next overload"

from __future__ import annotations

import asyncio

import pytest

from segue.server.inference.fair_queue import FairQueue, FairSlots


def served(queue: FairQueue[str], count: int | None = None) -> str:
    """Returns the items that the queue serves next, as one text."""
    return "".join(queue.pop() for _ in range(len(queue) if count is None else count))


def test_one_caller() -> None:
    """The items of one caller are served in the order of arrival, whatever they weigh."""
    queue = FairQueue[str]()
    for item, weight in (("a", 60), ("b", 10), ("c", 30)):
        queue.put("one", weight, item)
    assert "abc" == served(queue)


@pytest.mark.parametrize("weight", [10, 30, 45])
def test_a_newcomer(weight: float) -> None:
    """The only item of a caller is served next, before all others of a caller that has many in the queue."""
    queue = FairQueue[str]()
    for _ in range(50):
        queue.put("greedy", 30, "g")
    assert "gg" == served(queue, 2)
    queue.put("polite", weight, "p")
    assert "p" == served(queue, 1)


def test_one_item_at_a_time() -> None:
    """A caller that always has one item gets no more turns than one that has many."""
    queue = FairQueue[str]()
    for _ in range(50):
        queue.put("greedy", 30, "g")
    served(queue, 2)
    order = ""
    for _ in range(10):
        queue.put("polite", 30, "p")
        order += served(queue, 2)
    assert "pg" * 10 == order


def test_one_after_the_other() -> None:
    """Each clip of a caller with one at a time waits at most for one of a caller with many, whatever came before."""
    queue = FairQueue[str]()
    for _ in range(50):
        queue.put("greedy", 30, "g")
    served(queue, 2)
    for _ in range(5):
        queue.put("polite", 30, "p")
        assert "p" in served(queue, 2)


def test_items_of_a_caller_keep_their_order() -> None:
    """An item is not served before an earlier one of its caller that still waits, even if the caller gets credit."""
    queue = FairQueue[str]()
    for item in "abcd":
        queue.put("one", 10, item)
    queue.charge("one", -100)
    queue.put("one", 10, "e")
    assert "abcde" == served(queue)


def test_cancelled_items_cost_no_turn() -> None:
    """A caller whose items are taken back does not wait for them with the next one."""
    queue = FairQueue[str]()
    for _ in range(50):
        queue.put("greedy", 30, "g")
    served(queue, 2)
    for _ in range(20):
        queue.put("polite", 30, "-")
        queue.charge("polite", -30)
    queue.put("polite", 30, "p")
    order = served(queue, 30).replace("-", "")
    assert order.index("p") <= 1


def test_many_newcomers() -> None:
    """A caller that was served before is not held up by ever new ones."""
    queue = FairQueue[str]()
    queue.put("known", 10, "a")
    queue.put("new", 10, "n")
    served(queue, 1)
    queue.put("known", 10, "k")
    for number in range(5):
        queue.put(f"new-{number}", 10, "n")
        if "k" in served(queue, 1):
            return
    pytest.fail("only newcomers were served")


def test_turns_by_weight() -> None:
    """Callers that wait get equal shares of the work: three light items for one of three times the weight."""
    queue = FairQueue[str]()
    for _ in range(12):
        queue.put("light", 10, "l")
    for _ in range(4):
        queue.put("heavy", 30, "H")
    order = served(queue, 12)
    assert (9, 3) == (order.count("l"), order.count("H"))


def test_no_credit_for_absence() -> None:
    """A caller that was away for long does not get more than its turn when it comes back with many items."""
    queue = FairQueue[str]()
    queue.put("back", 10, "b")
    for _ in range(100):
        queue.put("steady", 10, "s")
    served(queue, 50)
    for _ in range(20):
        queue.put("back", 10, "b")
    order = served(queue, 20)
    assert 10 == order.count("b")


def test_callers_are_forgotten() -> None:
    """A queue that is never empty does not keep what it knows of every caller."""
    queue = FairQueue[int]()
    queue.put("first", 10, 0)
    for number in range(1_000):
        queue.put(f"caller-{number}", 10, number)
        queue.pop()
    assert 10 > len(vars(queue)["_last"])


async def occupy(slots: FairSlots, caller: str, order: list[str]) -> None:
    """Waits for a slot, notes the caller, and frees the slot."""
    await slots.acquire(caller, 30)
    order.append(caller)
    slots.release(caller, 30, 0.1)


async def test_slots() -> None:
    """A slot that is freed goes to the callers in turn."""
    slots, order = FairSlots(1), list[str]()

    await slots.acquire("greedy", 30)
    tasks = [asyncio.create_task(occupy(slots, caller, order)) for caller in ("greedy",) * 5 + ("polite",)]
    await asyncio.sleep(0)
    slots.release("greedy", 30, 0.1)
    await asyncio.gather(*tasks)
    assert 1 >= order.index("polite")


@pytest.mark.parametrize("is_given", [False, True])
async def test_a_cancelled_wait(*, is_given: bool) -> None:
    """A wait that is cancelled takes no slot with it, even if it got one at that moment."""
    slots = FairSlots(1)
    await slots.acquire("a", 10)
    waiting = asyncio.create_task(slots.acquire("b", 10))
    await asyncio.sleep(0)
    if is_given:
        slots.release("a", 10, 0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not is_given:
        slots.release("a", 10, 0.1)
    await asyncio.wait_for(slots.acquire("c", 10), 1)


async def test_cancelled_waits_cost_no_turn() -> None:
    """A caller whose waits were cancelled gets the next slot but one at the latest."""
    slots, order = FairSlots(1), list[str]()

    await slots.acquire("greedy", 30)
    tasks = [asyncio.create_task(occupy(slots, "greedy", order)) for _ in range(20)]
    for _ in range(20):
        given_up = asyncio.create_task(slots.acquire("polite", 30))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    tasks.append(asyncio.create_task(occupy(slots, "polite", order)))
    await asyncio.sleep(0)
    slots.release("greedy", 30, 0.1)
    await asyncio.gather(*tasks)
    assert 1 >= order.index("polite")


async def test_slow_items() -> None:
    """A caller whose items take ten times as long as others of their weight gets a tenth of the turns."""
    slots, order, seconds = FairSlots(1), list[str](), {"slow": 1.0, "usual": 0.1}

    async def call_repeatedly(caller: str) -> None:
        while len(order) < 440:
            await slots.acquire(caller, 30)
            order.append(caller)
            await asyncio.sleep(0)  # the others queue up meanwhile
            slots.release(caller, 30, seconds[caller])

    async with asyncio.TaskGroup() as tasks:
        for caller in ("slow",) * 4 + ("usual",) * 4:
            tasks.create_task(call_repeatedly(caller))
    assert 20 <= order.count("slow") <= 60

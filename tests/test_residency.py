"""What is held in memory, and that nothing of it is left when the next one needs the room."""

import weakref

import pytest

torch = pytest.importorskip("torch")

from lang_persona import residency  # noqa: E402


class Heavy:
    """Something that takes memory."""


@pytest.fixture(autouse=True)
def nothing_held():
    residency.release()
    yield
    residency.release()


def test_what_is_released_is_gone_before_its_memory_is_given_back(monkeypatch):
    """A name left to it would keep its memory with this process, and an engine in another would find the card full."""
    left, closed = [], []
    residency.hold("first", Heavy, closed.append)
    known = weakref.ref(residency.hold("first", Heavy))
    closed_with = []
    monkeypatch.setattr(
        residency.gc, "collect", lambda: closed_with.extend(type(one) for one in closed) or closed.clear()
    )
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: left.append(known()))
    residency.release()
    assert closed_with == [Heavy]
    assert left == [None]


def test_the_same_is_held_on_and_another_takes_its_place():
    made = []

    def load():
        made.append(Heavy())
        return made[-1]

    assert residency.hold("one", load) is residency.hold("one", load)
    closed = []
    residency.release()
    residency.hold("two", load, closed.append)
    residency.hold("three", load)
    assert len(made) == 3 and closed == [made[1]]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32, torch.uint8])
@pytest.mark.parametrize("length", [3, 8, 1001])
def test_sums_over_bits_see_every_change_and_every_swap(kind, length):
    """As a GPU takes them, where a checksum would need the weights to be copied back."""
    weights = torch.arange(1, length + 1).remainder(251).to(kind)

    def sums(weights):
        return residency.bit_sums(weights.view(torch.uint8)).tolist()

    first = sums(weights)
    assert sums(weights.clone()) == first
    for place in range(length):
        changed = weights.clone()
        changed[place] += 1
        assert sums(changed) != first
    for one, other in [(0, 1), (0, length - 1), (length // 2, length - 1)]:
        swapped = weights.clone()
        swapped[[one, other]] = swapped[[other, one]]
        if one != other:
            assert sums(swapped) != first

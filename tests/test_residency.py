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

"""Which worker gets which unit, with a stand-in for Ray: workers that are slow to start, that die, that hold a base."""

from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node
from ray.exceptions import RayError

from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.runners import schedule
from lang_persona.runners.schedule import Schedule
from lang_persona.runners.units import Plan, Unit
from lang_persona.runners.worker import Outcome

NEVER = object()


class Reference:
    def __init__(self, answer):
        self.answer = answer


class Cluster:
    """Ray as far as the schedule uses it; what an actor answers is there at once, or never, or is an error."""

    def __init__(self, cores):
        self.cores, self.killed, self.looks = cores, [], 0

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 1.0}}] * self.cores

    def wait(self, references, timeout):
        self.looks += 1
        assert self.looks < 100, "nothing will ever end"
        return [one for one in references if one.answer is not NEVER][:1], []

    def get(self, reference):
        if isinstance(reference.answer, RayError):
            raise reference.answer
        return reference.answer

    def kill(self, actor):
        self.killed.append(actor)


class Actor:
    def __init__(self, ran, ready=None, answers=()):
        self.ran, answers = ran, list(answers)
        self.ready = SimpleNamespace(remote=lambda: Reference(ready))
        self.run = SimpleNamespace(remote=lambda job: self._take(job, answers))

    def _take(self, job, answers):
        self.ran.append((self, job.unit.name, job.again))
        return Reference(answers.pop(0) if answers else Outcome(1.0))


@pytest.fixture
def run(monkeypatch):
    """Runs cells, named with their bases, on the given actors; returns what ran where, and the cluster."""

    def start(cells, actors, cores=2, retries=2):
        cluster = Cluster(cores)
        monkeypatch.setattr(schedule, "ray", cluster)
        units, datasets = {}, {}
        for name, base in cells.items():
            datasets[f"params:{name}"] = MemoryDataset({"base": base})
            units[name] = Unit(name, [Node(print, f"params:{name}", f"{name}_out", name=name)], on_worker=True)
            datasets[f"{name}_out"] = MemoryDataset()
        coming = iter(actors)
        made = Schedule(
            Plan(units, {name: set() for name in units}),
            DataCatalog(datasets),
            None,
            "v1",
            ScaleOut(retries=retries),
            lambda: next(coming),
        )
        made.run()
        return cluster

    return start


def test_a_worker_that_has_no_place_yet_holds_no_cell_back(run):
    ran = []
    here, pending = Actor(ran), Actor(ran, ready=NEVER)
    run({"a": 1, "b": 1, "c": 1}, [here, pending])
    assert [(actor, name) for actor, name, _ in ran] == [(here, "a"), (here, "b"), (here, "c")]


def test_a_worker_goes_on_with_the_base_that_it_holds(run):
    ran = []
    run({"a": "small", "b": "large", "c": "small"}, [Actor(ran)], cores=1)
    assert [name for _, name, _ in ran] == ["a", "c", "b"]


def test_a_lost_workers_cell_goes_to_another_that_knows_it_was_begun(run):
    ran = []
    dying, next_one = Actor(ran, answers=[RayError("gone")]), Actor(ran)
    cluster = run({"a": 1}, [dying, next_one], cores=1)
    assert ran == [(dying, "a", False), (next_one, "a", True)]
    assert cluster.killed == [dying]


def test_a_cell_that_no_worker_survives_is_reported_and_the_others_run(run):
    ran = []
    actors = [Actor(ran, answers=[RayError("gone")]), Actor(ran, answers=[RayError("gone")]), Actor(ran)]
    with pytest.raises(UserError, match="- a: its worker was lost 2 times, the last time: gone"):
        run({"a": 1}, actors, cores=1, retries=1)
    assert len(ran) == 2


def test_workers_that_do_not_start_end_the_run(run):
    broken = [Actor([], ready=RayError("no such module")) for _ in range(9)]
    with pytest.raises(UserError, match="no worker starts: no such module"):
        run({"a": 1}, broken)


def test_more_than_any_machine_has_is_refused(run):
    with pytest.raises(UserError, match=r"a worker takes 1 CPU, more than any machine of the cluster has"):
        run({"a": 1}, [], cores=0)

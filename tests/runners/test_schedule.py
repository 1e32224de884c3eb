"""Which worker gets which unit, with a stand-in for Ray: workers that are slow to start, that die, that hold a base."""

import sys
import time
from importlib.metadata import version
from itertools import pairwise
from types import SimpleNamespace

import pytest
from kedro.pipeline import Node
from ray.exceptions import RayError

from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.runners import schedule
from lang_persona.runners.heavy import Heavy
from lang_persona.runners.schedule import Schedule
from lang_persona.runners.units import Plan, Unit
from lang_persona.runners.worker import Outcome, Start, is_machines, versions_here

NEVER = object()
HERE = Start("here", "")


class Reference:
    """What an actor will answer, after so many looks."""

    def __init__(self, answer, looks=0):
        self.answer, self.looks = answer, looks

    def looked_at(self):
        self.looks -= 1
        return self.answer is not NEVER and self.looks < 0


class Cluster:
    """Ray as far as the schedule uses it; what an actor answers is there at once, later or never, or is an error."""

    def __init__(self, cores):
        self.cores, self.killed, self.looks = cores, [], 0

    def nodes(self):
        self.looks += 1
        assert self.looks < 200, "nothing will ever begin"
        return [{"Alive": True, "Resources": {"CPU": 1.0}}] * self.cores

    def wait(self, references, timeout):
        self.looks += 1
        assert self.looks < 200, "nothing will ever end"
        return [one for one in references if one.looked_at()], []

    def get(self, reference):
        if isinstance(reference.answer, RayError):
            raise reference.answer
        return reference.answer

    def kill(self, actor):
        self.killed.append(actor)


class Actor:
    """A worker, which counts the models that it had to load."""

    def __init__(self, ran, ready=HERE, answers=(), slow=()):
        self.ran, self.held, self.slow, answers = ran, [], slow, list(answers)
        self.ready = SimpleNamespace(remote=lambda: Reference(ready))
        self.run = SimpleNamespace(remote=lambda job: self._take(job, answers))

    def _take(self, job, answers):
        self.ran.append((self, job.unit.name, job.again))
        if job.unit.heavy is not None and self.held[-1:] != [job.unit.heavy]:
            self.held.append(job.unit.heavy)
        return Reference(answers.pop(0) if answers else Outcome(1.0), 5 * (job.unit.name in self.slow))

    @property
    def engines(self):
        return [heavy.engine for heavy in self.held]


class Anything:
    """A catalog that has whatever is asked for."""

    def __getitem__(self, name):
        return None


def base(name):
    return Heavy("transformers", name)


VLLM = Heavy("vllm", "one start")


def unit(name, heavy=None, on_worker=True):
    return Unit(name, [Node(print, "given", "made", name="n")], on_worker, heavy)


@pytest.fixture
def run_plan(monkeypatch):
    """Runs a plan on the given actors; nodes of the driver do nothing but wait. Returns the cluster."""

    def start(units, waits_for, actors, cores=2, retries=2, here=lambda: None):
        cluster = Cluster(cores)
        monkeypatch.setattr(schedule, "ray", cluster)
        monkeypatch.setattr(Schedule, "_run_here", lambda self, unit: here())
        waits_for = {one.name: set(waits_for.get(one.name, ())) for one in units}
        coming = iter(actors)
        planned = Plan({one.name: one for one in units}, waits_for)
        Schedule(planned, Anything(), None, "v1", ScaleOut(retries=retries), lambda: next(coming)).run()
        return cluster

    return start


@pytest.fixture
def run(run_plan):
    """Runs cells, named with their bases, on the given actors."""

    def start(cells, actors, **settings):
        return run_plan([unit(name, base(key)) for name, key in cells.items()], {}, actors, **settings)

    return start


@pytest.fixture
def run_cut(run_plan):
    """Runs so many cells of a study, cut in two, and the completions of its base, which wait for no audit."""

    def start(cells, actors, **settings):
        trained = [unit(f"s.{number}.train", base("chat")) for number in range(cells)]
        drawn = [unit(f"s.{number}.draw", VLLM) for number in range(cells)]
        waits = {f"s.{number}.draw": {f"s.{number}.train"} for number in range(cells)}
        waits |= {one.name: {"s.audit"} for one in trained}
        here = [unit("s.mixtures", on_worker=False), unit("s.audit", on_worker=False)]
        everything = [unit("s.baseline", VLLM), *here, *trained, *drawn]
        return run_plan(everything, {**waits, "s.audit": {"s.mixtures"}}, actors, **settings)

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


@pytest.mark.parametrize(("workers", "cells"), [(1, 2), (1, 5), (2, 8), (3, 7)])
def test_a_worker_changes_once_from_the_base_to_the_engine_that_draws(run_cut, workers, cells):
    ran = []
    actors = [Actor(ran) for _ in range(workers)]
    run_cut(cells, actors, cores=workers)
    assert [actor.engines for actor in actors] == [["transformers", "vllm"]] * workers
    assert len(ran) == len({name for _, name, _ in ran}) == 2 * cells + 1


def test_with_workers_to_spare_the_base_draws_while_a_cell_is_trained_and_then_draws_for_it(run_cut):
    ran = []
    actors = [Actor(ran, slow=["s.0.train"]) for _ in range(8)]
    run_cut(1, actors, cores=8)
    assert sorted(actor.engines for actor in actors if actor.held) == [["transformers"], ["vllm"]]


def test_completions_are_drawn_where_the_engine_is_held_and_not_where_the_base_is(run_plan):
    ran = []
    first, second = Actor(ran), Actor(ran)
    units = [unit("a.train", base("chat")), unit("b.draw", VLLM), unit("a.draw", VLLM)]
    run_plan(units, {"a.draw": {"a.train"}}, [first, second])
    assert [(actor, name) for actor, name, _ in ran] == [(first, "a.train"), (second, "b.draw"), (second, "a.draw")]


def test_what_the_base_does_goes_before_what_is_drawn_whichever_study_it_is_of(run_plan):
    ran = []
    run_plan([unit("a.draw", VLLM), unit("b.train", base("chat"))], {}, [Actor(ran)], cores=1)
    assert [name for _, name, _ in ran] == ["b.train", "a.draw"]


def when_drawn(ran):
    """Waits until completions were drawn, which must happen meanwhile."""

    def wait():
        until = time.monotonic() + 2
        while not any(name.endswith("draw") for _, name, _ in ran):
            assert time.monotonic() < until, "held back"
            time.sleep(0.01)

    return wait


def test_one_studys_completions_do_not_wait_for_what_another_does_here(run_plan):
    ran = []
    units = [unit("b.audit", on_worker=False), unit("a.draw", VLLM), unit("b.train", base("chat"))]
    run_plan(units, {"b.train": {"b.audit"}}, [Actor(ran)], cores=1, here=when_drawn(ran))
    assert [name for _, name, _ in ran] == ["a.draw", "b.train"]


def test_completions_are_not_held_back_for_what_the_base_is_asked_about_them(run_plan):
    ran = []
    units = [unit("s.report", on_worker=False), unit("s.draw", VLLM), unit("s.judge", base("chat"))]
    run_plan(units, {"s.judge": {"s.draw"}}, [Actor(ran)], cores=1, here=when_drawn(ran))
    assert [name for _, name, _ in ran] == ["s.draw", "s.judge"]


def test_completions_that_the_base_waits_for_by_way_of_something_else_are_drawn_when_nothing_runs(run_plan):
    ran = []
    units = [unit("s.draw", VLLM), unit("s.choose", on_worker=False), unit("s.train", base("chat"))]
    run_plan(units, {"s.choose": {"s.draw"}, "s.train": {"s.choose"}}, [Actor(ran)], cores=1)
    assert [name for _, name, _ in ran] == ["s.draw", "s.train"]


def test_a_worker_lost_while_it_draws_loses_that_and_not_the_training(run_cut):
    ran = []
    dying, next_one = Actor(ran, answers=[Outcome(1.0), Outcome(1.0), Outcome(1.0), RayError("gone")]), Actor(ran)
    cluster = run_cut(2, [dying, next_one], cores=1)
    assert cluster.killed == [dying]
    assert [(name, again) for actor, name, again in ran if actor is next_one] == [
        ("s.1.draw", False),
        ("s.0.draw", True),
    ]
    assert next_one.engines == ["vllm"]


def test_a_training_that_fails_takes_its_own_completions_with_it(run_cut):
    ran = []
    with pytest.raises(UserError, match=r"- s.0.train: diverged") as found:
        run_cut(2, [Actor(ran, answers=[Outcome(1.0, "diverged")])], cores=1)
    assert [name for _, name, _ in ran] == ["s.0.train", "s.1.train", "s.baseline", "s.1.draw"]
    assert "1 that depend on the failed were not run" in str(found.value)


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


BROKEN = Outcome(1.0, "AcceleratorError: CUDA error: unspecified launch failure", "Traceback", machines=True)


def test_a_worker_that_holds_a_broken_model_is_replaced_and_fails_no_other_cell(run):
    ran = []
    broken, fresh = Actor(ran, answers=[BROKEN] * 9), Actor(ran)
    cluster = run(dict.fromkeys("abcd", "chat"), [broken, fresh], cores=1)
    assert cluster.killed == [broken]
    assert [(actor, name, again) for actor, name, again in ran] == [
        (broken, "a", False),
        *((fresh, name, False) for name in "bcd"),
        (fresh, "a", True),
    ]


def test_a_cell_that_fails_by_itself_is_not_tried_again_and_its_process_is_not_used_again(run):
    ran = []
    first, second = Actor(ran, answers=[Outcome(1.0, "ValueError: nan", "Traceback")]), Actor(ran)
    with pytest.raises(UserError, match="1 of 2 parts of the run failed, 1 finished"):
        run({"a": 1, "b": 1}, [first, second], cores=1)
    assert [(actor, name) for actor, name, _ in ran] == [(first, "a"), (second, "b")]


def test_a_mistake_of_the_users_leaves_the_worker_its_model(run):
    ran = []
    only = Actor(ran, answers=[Outcome(1.0, "no such adapter")])
    with pytest.raises(UserError, match="- a: no such adapter"):
        run({"a": 1, "b": 1}, [only], cores=1)
    assert [(actor, name) for actor, name, _ in ran] == [(only, "a"), (only, "b")]


def test_a_gpu_that_breaks_every_worker_fails_no_cell_where_there_are_others(run):
    ran = []
    bad = [Actor(ran, Start("here", "0"), [BROKEN] * 9) for _ in range(9)]
    good = Actor(ran, Start("here", "1"), slow=list("abcdef"))
    run(dict.fromkeys("abcdef", "chat"), [bad[0], good, *bad[1:]], cores=2)
    assert {name for actor, name, _ in ran if actor is good} == set("abcdef")
    assert sum(actor is not good for actor, _, _ in ran) == 2


def test_a_gpu_on_which_something_ended_since_is_used_again(run):
    ran, zero = [], Start("here", "0")
    frail = [Actor(ran, zero, [BROKEN]), Actor(ran, zero, [Outcome(1.0), BROKEN]), Actor(ran, zero)]
    run(dict.fromkeys("abcdefg", "chat"), [frail[0], Actor(ran, Start("here", "1"), slow=list("abcdefg")), *frail[1:]])
    assert [sum(actor is one for actor, _, _ in ran) > 0 for one in frail] == [True, True, True]


def test_a_unit_that_broke_on_every_gpu_is_not_passed_between_them_for_ever():
    """Each would leave it to the other, and the run would wait for a unit that nobody gets."""
    zero, one = (schedule._Place(None, Start("here", gpu)) for gpu in "01")
    of_run = Schedule(Plan({}, {}), Anything(), None, "v1", ScaleOut(retries=2), lambda: None)
    of_run._places, of_run._ill = [zero, one], {zero.start: {"u"}}
    assert of_run._better_elsewhere(unit("u"), zero) and not of_run._better_elsewhere(unit("u"), one)
    of_run._ill[one.start] = {"u"}
    assert not of_run._better_elsewhere(unit("u"), zero) and not of_run._better_elsewhere(unit("u"), one)


def test_where_every_worker_breaks_cells_are_no_longer_tried_again(run):
    ran = []
    with pytest.raises(UserError, match=r"3 of 3 parts of the run failed.*\n(- .: AcceleratorError: .*\n){3}"):
        run({"a": 1, "b": 1, "c": 1}, [Actor(ran, answers=[BROKEN]) for _ in range(9)], cores=1, retries=2)
    assert len(ran) == 5  # two for nothing, and every cell once


@pytest.mark.parametrize(("error", "released"), [(RuntimeError("engine died"), 1), (UserError("no such file"), 0)])
def test_a_model_that_may_be_broken_is_given_back_where_kedro_run_itself_failed(run_plan, monkeypatch, error, released):
    calls = []

    def release():
        calls.append(1)
        raise RuntimeError("it does not shut down")

    def fail():
        raise error

    monkeypatch.setattr(schedule, "release", release)
    with pytest.raises(UserError, match=f"1 of 1 parts of the run failed(.|\n)*{error}"):
        run_plan([unit("s.translate", on_worker=False)], {}, [], here=fail)
    assert len(calls) == released


def versions(machine, **packages):
    return Start(machine, "", packages)


def test_a_worker_of_other_versions_is_refused(run, monkeypatch):
    monkeypatch.setattr(schedule, "versions_here", lambda: {"python": "3.11", "trl": "1.16"})
    with pytest.raises(UserError, match=r"^node7 has trl 1.15 and 1.16 on the machine of kedro run: results would mix"):
        run({"a": 1}, [Actor([], versions("node7", python="3.11", trl="1.15"))], cores=1)


def test_workers_are_compared_in_what_only_they_have(run, monkeypatch):
    monkeypatch.setattr(schedule, "versions_here", lambda: {"python": "3.11", "trl": "1.16"})
    first, second = versions("one", python="3.11", vllm="0.24"), versions("two", python="3.11", vllm="0.25")
    with pytest.raises(UserError, match=r"^two has vllm 0.25 and 0.24 on one: "):
        run({"a": 1, "b": 1}, [Actor([], first), Actor([], second)])


def test_a_driver_or_a_worker_may_lack_a_package(run, monkeypatch):
    monkeypatch.setattr(schedule, "versions_here", lambda: {"python": "3.11", "trl": "1.16"})
    run({"a": 1}, [Actor([], versions("one", python="3.11", vllm="0.24"))])


def test_versions_are_compared_without_their_builds():
    found = versions_here()
    assert found["python"] == ".".join(map(str, sys.version_info[:2]))
    assert found["torch"] == version("torch").partition("+")[0]
    assert set(found) >= {"lang_persona", "transformers", "peft", "trl"}


def chained(*errors):
    """The first error, each caused by the next."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


class EngineDeadError(Exception):
    """As vLLM names it."""


@pytest.mark.parametrize(
    ("error", "machines"),
    [
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (chained(ValueError("no completions"), EngineDeadError("see above")), True),
        (chained(UserError("vLLM did not start"), RuntimeError("Engine core initialization failed.")), True),
        (chained(UserError("the GPU's memory is full"), RuntimeError("CUDA out of memory. Tried to")), False),
        (UserError("no GPU to compute on (The NVIDIA driver on your system is too old"), True),
        (UserError("no GPU to compute on (Found no NVIDIA driver on your system."), True),
        (UserError("the engine vllm is not installed (No module named 'vllm'): pip"), True),
        (ValueError("loss is nan"), False),
        (UserError("adapter x is not a folder"), False),
    ],
)
def test_errors_of_a_machine_are_told_from_a_cells_own(error, machines):
    assert is_machines(error) is machines

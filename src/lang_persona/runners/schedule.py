"""Which unit runs where and when: in this process or on a worker of Ray, until all are done or can't be."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ray
from kedro.io import DataCatalog
from kedro.runner.task import Task
from ray.exceptions import RayError

from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.residency import release
from lang_persona.runners.heavy import Heavy
from lang_persona.runners.units import Plan, Unit
from lang_persona.runners.worker import Job, Outcome, Start, told, versions_here

logger = logging.getLogger(__name__)

#: Seconds between two looks at what the driver itself is doing.
TICK = 0.2


@dataclass(eq=False)
class _Place:
    """A worker: its actor, what it said when it had started, the heavy model that it holds, and what it runs."""

    actor: Any
    start: Start | None = None
    heavy: Heavy | None = None
    unit: Unit | None = None


@dataclass
class Schedule:
    """One run of a plan.

    Attributes:
        planned: The units and their order.
        catalog: The driver's catalog, with versions and recipe keys set.
        hooks: The session's hooks, for nodes that run here.
        run_id: The session's id.
        settings: What a worker takes, and how often a lost one's unit is given to another.
        start: Starts a worker.
    """

    planned: Plan
    catalog: DataCatalog
    hooks: Any
    run_id: str
    settings: ScaleOut
    start: Callable[[], Any]
    failed: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, Unit] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _lost: dict[str, int] = field(default_factory=dict)
    _ill: dict[Start | None, set[str]] = field(default_factory=dict)  # what broke there, and nothing has ended since
    _places: list[_Place] = field(default_factory=list)
    _running: dict[Any, _Place] = field(default_factory=dict)  # by what Ray will say when a unit, or the start, ends
    _broken: int = 0  # workers in a row that did not start
    _spoiled: int = 0  # errors of machines in a row
    _versions: dict[str, tuple[str, str]] = field(default_factory=dict)  # of a package, and where it was seen
    _here: tuple[Unit, "Future[None]"] | None = None

    def run(self) -> None:
        """Run everything that can be run.

        Raises:
            UserError: Something failed; the message lists it. Or machines run different versions.
        """
        self._waiting = dict(self.planned.units)
        self._compare("the machine of kedro run", versions_here())
        parts = sum(unit.on_worker for unit in self._waiting.values())
        if parts:
            logger.info(
                "%d cells or parts of cells for workers, of which there is room for %d", parts, self._capacity()
            )
        while self._waiting or self._busy():
            self._skip_hopeless()
            self._dispatch()
            if self._running:
                ready, _ = ray.wait(list(self._running), timeout=TICK if self._here else 1.0)
                for reference in ready:
                    self._finish(reference)
            if self._here:
                self._look_here(0 if self._running else TICK)  # a worker may be free by now
            elif not self._running:
                time.sleep(TICK)
        if self.failed:
            raise UserError(self._summary())

    def _busy(self) -> bool:
        return self._here is not None or any(place.unit for place in self._places)

    def _ready(self, on_worker: bool) -> Iterator[Unit]:
        for name, unit in self._waiting.items():
            if unit.on_worker == on_worker and self.planned.waits_for[name] <= self._done:
                yield unit

    def _skip_hopeless(self) -> None:
        """Take out what waits for something that failed, or for something taken out."""
        for name in list(self._waiting):  # in the order of the plan, so that one pass is enough
            if any(other not in self._done and not self._may_end(other) for other in self.planned.waits_for[name]):
                del self._waiting[name]

    def _may_end(self, name: str) -> bool:
        here = self._here is not None and self._here[0].name == name
        return here or name in self._waiting or any(place.unit and place.unit.name == name for place in self._places)

    def _dispatch(self) -> None:
        first = next(self._ready(on_worker=False), None)
        if self._here is None and first is not None:
            del self._waiting[first.name]
            self._here = first, _in_thread(partial(self._run_here, first))
        ready = list(self._ready(on_worker=True))
        if not ready:
            return
        idle = [place for place in self._places if place.start and place.unit is None]
        coming = sum(not place.start for place in self._places)
        names = {unit.name for unit in ready}
        fit = sum(names.isdisjoint(self._ill.get(place.start, ())) for place in idle)
        for _ in range(min(len(ready) - fit - coming, self._capacity() - len(self._places))):
            place = _Place(self.start())
            self._places.append(place)
            self._running[place.actor.ready.remote()] = place
        self._give(ready, idle)

    def _give(self, ready: list[Unit], idle: list[_Place]) -> None:
        """Send units to workers, so that heavy models change seldom: once a worker, where they are two."""
        for place in list(idle):
            same = (unit for unit in ready if place.heavy is not None and unit.heavy == place.heavy)
            held = next((unit for unit in same if not self._better_elsewhere(unit, place)), None)
            if held is not None:
                ready.remove(held)
                idle.remove(place)
                self._send(held, place)
        for unit in sorted(ready, key=lambda unit: unit.draws_apart):  # what the base does goes first
            free = next((place for place in idle if not self._better_elsewhere(unit, place)), None)
            if free is not None and not self._too_early(unit):
                idle.remove(free)
                self._send(unit, free)

    def _better_elsewhere(self, unit: Unit, place: _Place) -> bool:
        """Whether this unit, or two, broke on a worker's GPU, with nothing ended there since, and not on another's."""
        ill = self._ill.get(place.start, set())
        others = (self._ill.get(one.start, set()) for one in self._places if one.start and one.start != place.start)
        return (unit.name in ill or len(ill) > 1) and any(unit.name not in one and len(one) < 2 for one in others)

    def _too_early(self, unit: Unit) -> bool:
        """Whether an engine would be started for a study of which the base still has to do what no worker has yet.

        The untrained base's completions are ready before any training is. Where nothing runs, nothing more gets ready.
        """
        return (
            unit.draws_apart
            and self._busy()
            and any(other.study == unit.study and self._comes_first(other) for other in self._waiting.values())
        )

    def _comes_first(self, unit: Unit) -> bool:
        """Whether a worker's unit is of the base, and not about what was drawn apart."""
        resident = unit.heavy is not None and unit.heavy.resident
        return resident and not any(self.planned.units[name].draws_apart for name in self.planned.waits_for[unit.name])

    def _send(self, unit: Unit, place: _Place) -> None:
        del self._waiting[unit.name]
        place.unit, place.heavy = unit, unit.heavy or place.heavy
        datasets = {name: self.catalog[name] for name in unit.datasets}
        job = Job(unit, datasets, self.run_id, again=unit.name in self._lost)
        logger.info("%s: %d nodes, to a worker", unit.name, len(unit.nodes))
        self._running[place.actor.run.remote(job)] = place

    def _finish(self, reference: Any) -> None:
        place = self._running.pop(reference)
        unit, place.unit = place.unit, None
        try:
            answer: Start | Outcome = ray.get(reference)
        except RayError as error:
            self._give_up(place)  # one that is out of reach must not go on
            if unit is None:
                self._break(error)
            else:
                self._lose(unit, " ".join(str(error).split())[:300])
            return
        if isinstance(answer, Start):
            self._compare(answer.machine, answer.versions)
            place.start, self._broken = answer, 0
        elif unit is not None:
            self._take(answer, unit, place)

    def _take(self, outcome: Outcome, unit: Unit, place: _Place) -> None:
        """Note how a unit ended; a worker with what may be a broken model makes room for a fresh one."""
        if outcome.error is None:
            self._ill.pop(place.start, None)
            self._spoiled = 0
            self._end(unit, f" in {outcome.seconds:.0f} s")
            return
        if outcome.spoils:
            self._give_up(place)
        if outcome.machines:
            self._ill.setdefault(place.start, set()).add(unit.name)
            self._spoiled += 1
        # Where every worker breaks and no unit ends, the cause is the config or the data, and trying on takes hours.
        if outcome.machines and self._spoiled <= self.settings.retries + len(self._places):
            self._lose(unit, outcome.error, outcome.trace, "a GPU or an engine broke")
        else:
            self._fail(unit, outcome.error, outcome.trace)

    def _give_up(self, place: _Place) -> None:
        self._places.remove(place)
        ray.kill(place.actor)

    def _compare(self, machine: str, versions: Mapping[str, str]) -> None:
        """Refuse a machine whose packages differ from those of another, since results would mix.

        Raises:
            UserError: Names machines, packages and versions.
        """
        differ = [
            f"{package} {versions[package]} and {seen} on {where}"
            for package, (seen, where) in self._versions.items()
            if versions.get(package, seen) != seen
        ]
        if differ:
            raise UserError(
                f"{machine} has {', '.join(differ)}: results would mix. Install the same versions on all machines "
                "(docs/scaling.md); --only-missing-outputs then goes on"
            )
        self._versions |= {
            package: (one, machine) for package, one in versions.items() if package not in self._versions
        }

    def _break(self, error: RayError) -> None:
        """Count workers that do not start; where none does, the cause is not chance."""
        self._broken += 1
        if self._broken > self.settings.retries and not any(place.start for place in self._places):
            raise UserError(f"no worker starts: {error}")

    def _lose(self, unit: Unit, reason: str, trace: str | None = None, how: str = "its worker was lost") -> None:
        times = self._lost[unit.name] = self._lost.get(unit.name, 0) + 1
        if times > self.settings.retries:
            self._fail(unit, f"{how} {times} times, the last time: {reason}", trace)
        else:
            logger.warning("%s: %s (%s); another worker takes it", unit.name, how, " ".join(reason.split())[:300])
            self._waiting[unit.name] = unit

    def _run_here(self, unit: Unit) -> None:
        for node in unit.nodes:
            Task(node, self.catalog, is_async=False, hook_manager=self.hooks, run_id=self.run_id).execute()

    def _look_here(self, timeout: float) -> None:
        assert self._here is not None
        unit, future = self._here
        try:
            error = future.exception(timeout)
        except TimeoutError:
            return
        self._here = None
        if error is None:
            self._end(unit)
        else:
            message, trace = told(error)
            if (
                trace is not None
            ):  # the error may have broken what this process holds, and there is no other to go on in
                with suppress(Exception):  # what is broken may not shut down either
                    release()
            self._fail(unit, message, trace)

    def _end(self, unit: Unit, took: str = "") -> None:
        self._done.add(unit.name)
        total = sum(len(one.nodes) for one in self.planned.units.values())
        done = sum(len(self.planned.units[name].nodes) for name in self._done)
        logger.info("%s: finished%s; %d of %d nodes", unit.name, took, done, total)

    def _fail(self, unit: Unit, error: str, trace: str | None) -> None:
        self.failed[unit.name] = error
        logger.error("%s failed: %s%s", unit.name, error, f"\n{trace}" if trace else "")

    def _summary(self) -> str:
        left = len(self.planned.units) - len(self._done) - len(self.failed)
        lines = [f"- {name}: {error}" for name, error in self.failed.items()]
        return "\n".join(
            [
                f"{len(self.failed)} of {len(self.planned.units)} parts of the run failed, {len(self._done)} finished "
                f"and {left} that depend on the failed were not run:",
                *lines,
                "Mend it, and run again with --only-missing-outputs",
            ]
        )

    def _capacity(self) -> int:
        """How many workers the cluster has room for, all together.

        Raises:
            UserError: For none.
        """
        wanted = {"CPU": self.settings.cpus_per_cell, "GPU": self.settings.gpus_per_cell}
        if self.settings.memory_gb is not None:
            wanted["memory"] = self.settings.memory_gb * 1e9
        wanted = {name: amount for name, amount in wanted.items() if amount}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(int(min(node.get(name, 0) // amount for name, amount in wanted.items())) for node in nodes)
        if not room and not self._places:
            have = "; ".join(", ".join(f"{node.get(name, 0):g} {name}" for name in wanted) for node in nodes)
            asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items())
            raise UserError(f"a worker takes {asked}, more than any machine of the cluster has ({have}): see scale_out")
        return room


def _in_thread(work: Callable[[], None]) -> "Future[None]":
    """Start work in a thread that does not keep an interrupted process alive."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future

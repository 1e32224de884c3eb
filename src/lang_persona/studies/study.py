"""A study: one question with its conditions, probes and hypotheses, as a typed and frozen model."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lang_persona.chat import System
from lang_persona.config import Config, LanguageCode, Name, fill, merge, unfilled, validate
from lang_persona.errors import UserError
from lang_persona.seeds import derive_seed
from lang_persona.studies.arms import BASELINE, Arm, Condition
from lang_persona.studies.hypotheses import Hypothesis
from lang_persona.studies.mixture import Component, Draw, FileComponent
from lang_persona.studies.probes import (
    DirectiveProbe,
    InstructionProbe,
    Probe,
    QuestionProbe,
    SteeringProbe,
    SteeringSweepProbe,
)
from lang_persona.studies.scales import Scale
from lang_persona.studies.steering import LanguageVector
from lang_persona.studies.training import ROWS, Sampling, Seeds, Sweep, Training, expand_sweeps
from lang_persona.studies.translation import Translation


class Intended(Config):
    """Error findings of one audit rule that are what the study is about.

    Attributes:
        conditions: Whose findings they are; null: all.
        why: The reason, which reports repeat.
    """

    conditions: tuple[Name, ...] | None = None
    why: str


class Study(Config):
    """One question with its conditions, probes and hypotheses.

    Attributes:
        name: The file's name.
        title: Heading of the report.
        question: What the study asks, in a sentence or two.
        base: The model, a key of the environment's ``bases``.
        languages: Languages that probes ask for or in, where they name none of their own.
        system: System prompt of training and evaluation; null writes no system message, "" an empty one.
        personas: System prompts by name.
        seeds: Training seeds.
        mixture: What every condition trains on, by component; conditions change it.
        conditions: Ways to train.
        sweeps: Conditions around one condition, one figure changed at a time.
        aliases: Second names of conditions, which are trained once.
        arms: What was trained elsewhere and is evaluated here.
        probes: What is asked.
        vectors: Steering vectors.
        training: The LoRA recipe.
        sampling: How completions are drawn.
        translation: Gates of translations; goes together with ``sources`` of the scales.
        hypotheses: Claims registered before training.
        published: Published values to compare with: arm -> language or persona -> rate, or [hits, of].
        published_metric: The metric that they are of; null: the headline probe's hits.
        published_note: How the published figures differ from ours; stands beside them.
        intended: Error findings of the audit that the study is about, by rule.
        indeterminate_above: Judges that differ by more on a rate leave it undecided.
        size_tolerance: Conditions whose sizes differ by a larger share are reported by the audit.
        scales: Sizes and sources; an environment names one.
    """

    name: Name
    title: str
    question: str
    base: str
    languages: tuple[LanguageCode, ...] = ()
    system: System = System(None)
    personas: Mapping[Name, System] = {}
    seeds: Seeds
    mixture: Mapping[Name, dict[str, Any]]
    conditions: Annotated[Mapping[Name, Condition], Field(min_length=1)]
    sweeps: Mapping[Name, Sweep] = {}
    aliases: Mapping[Name, Name] = {}
    arms: Mapping[Name, Arm] = {}
    probes: Mapping[Name, Probe]
    vectors: Mapping[Name, LanguageVector] = {}
    training: Training
    sampling: Sampling
    translation: Translation | None = None
    hypotheses: Mapping[Name, Hypothesis] = {}
    published: Mapping[str, Mapping[str, float | tuple[int, int]]] = {}
    published_metric: str | None = None
    published_note: str = ""
    intended: Mapping[str, Intended] = {}
    indeterminate_above: Annotated[float, Field(gt=0, lt=1)] = 0.10
    size_tolerance: Annotated[float, Field(ge=0)] = 0.05
    scales: Annotated[Mapping[str, Scale], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not value.get("sweeps"):
            return value
        try:
            sweeps = TypeAdapter(dict[Name, Sweep]).validate_python(value["sweeps"])
        except ValidationError:
            return value  # the field's own validation says what is wrong with it
        own = dict(value.get("conditions") or {})
        return {**value, "conditions": {**own, **expand_sweeps(sweeps, own)}}

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        from lang_persona.studies.checks import study_problems

        problems = list(study_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def headline_probe(self) -> str:
        """Name of the probe that hypotheses and the hero figure speak of."""
        return next(name for name, probe in self.probes.items() if probe.headline)

    @property
    def reads_sources(self) -> bool:
        """Whether the study has source texts (replies that mixtures are made of)."""
        return any(scale.sources is not None for scale in self.scales.values())

    @property
    def reads_questions(self) -> bool:
        """Whether the study has multiple-choice questions."""
        return any(scale.questions is not None for scale in self.scales.values())

    @property
    def reads_instructions(self) -> bool:
        """Whether the study has sets of instructions."""
        return any(scale.instructions for scale in self.scales.values())

    @property
    def has_geometry(self) -> bool:
        """Whether nearness in the untrained base is measured on request."""
        return any(scale.geometry is not None for scale in self.scales.values())

    @property
    def arm_names(self) -> list[str]:
        """The untrained base, every condition and every arm from elsewhere, in that order."""
        return [BASELINE, *self.conditions, *self.arms]

    def is_default(self, arm: str) -> bool:
        """Whether an arm is part of a default run."""
        return arm == BASELINE or (self.conditions.get(arm) or self.arms[arm]).default

    def base_key(self, arm: str) -> str:
        """The base of an arm: its own, or the study's."""
        own = self.conditions.get(arm) or self.arms.get(arm)
        return (own.base if own is not None else None) or self.base

    def sweep_of(self, probe: SteeringProbe | SteeringSweepProbe) -> SteeringSweepProbe:
        """The sweep that a steering probe's setting is chosen on; a sweep is its own."""
        sweep = self.probes[probe.sweep] if isinstance(probe, SteeringProbe) else probe
        assert isinstance(sweep, SteeringSweepProbe)  # checked with the study
        return sweep

    def asks(self, probe: str, arm: str, seed: int) -> bool:
        """Whether an arm is asked a probe under a seed; a sweep is asked once, of the baseline under the first seed."""
        spec = self.probes[probe]
        if isinstance(spec, SteeringSweepProbe):
            return (arm, seed) == (BASELINE, self.seeds.default[0])
        return spec.arms is None or arm in spec.arms

    def components(self, condition: str, scale: str) -> dict[str, FileComponent | Component]:
        """The components of a condition's mixture at a scale: the study's, changed by its own, variables filled in.

        Raises:
            UserError: A component that is not valid once put together.
        """
        own, variables = self.conditions[condition].mixture, self.conditions[condition].variables
        names = [*self.mixture, *(name for name in own if name not in self.mixture)]
        made: dict[str, FileComponent | Component] = {}
        for name in names:
            mine = own.get(name, {})
            where = f"conditions.{condition}.mixture.{name}"
            if mine is None:
                if name not in self.mixture:
                    raise UserError(f"{where}: no such component to leave out; there are {', '.join(self.mixture)}")
                continue
            # A file holds whole conversations: nothing of the study's component applies to it.
            spec = fill(mine if "file" in mine else merge(self.mixture.get(name, {}), mine), variables)
            if lacking := list(dict.fromkeys(unfilled(spec))):
                raise UserError(
                    f"conditions.{condition} has no variable {', '.join(map(repr, lacking))}, which the mixture uses; "
                    f"it has {', '.join(variables) or 'none'}"
                )
            if "rows" in spec:
                spec["rows"] = self._rows(spec["rows"], condition, scale, where)
            if "file" in spec:
                made[name] = validate(FileComponent, spec, where)
            else:
                if "personas" in spec:
                    spec["personas"] = self._systems(spec["personas"], name, set(variables.values()), where)
                made[name] = validate(Component, {"system": self.system.root, **spec}, where)
        return made

    def _rows(self, rows: Any, condition: str, scale: str, where: str) -> Any:
        """Rows of a component at a scale; what is no number is left for validation to name."""
        if not isinstance(rows, int) or isinstance(rows, bool):
            return rows
        times = self.scales[scale].rows * self.conditions[condition].times.get(ROWS, 1)
        scaled = round(rows * times, 6)
        if scaled != int(scaled):
            raise UserError(f"{where}.rows: {rows} rows times {times:g} at scale {scale} are {scaled:g}, no whole rows")
        return int(scaled)

    def _systems(self, personas: Any, component: str, about: set[str], where: str) -> dict[str, str | None]:
        """System prompts by persona: those listed, or those drawn by a seed that the component names.

        All conditions share one order of the personas that may be drawn and skip only the one that they are
        about, so that two conditions differ in as few bystanders as they can.
        """
        if isinstance(personas, Mapping):
            draw = validate(Draw, personas, f"{where}.personas")
            order = sorted(draw.among, key=lambda name: derive_seed("draw personas", component, name))
            personas = [name for name in order if name not in about][: draw.draw]
            if len(personas) < draw.draw:
                raise UserError(f"{where}.personas: {draw.draw} can't be drawn among {', '.join(draw.among)}")
        unknown = [name for name in personas if name not in self.personas]
        if unknown:
            raise UserError(
                f"{where}.personas: {', '.join(map(str, unknown))} is no persona; known: {', '.join(self.personas)}"
            )
        return {name: self.personas[name].root for name in personas}

    def recipe(self, condition: str, scale: str) -> Training:
        """The LoRA recipe of a condition at a scale: the study's, changed by the scale's, then by its own."""
        own = self.conditions[condition]
        spec = merge(merge(self.training.model_dump(), self.scales[scale].training), own.training)
        for figure, factor in own.times.items():
            if figure != ROWS:
                # Ten digits: 1e-5 times 3 is 3e-5 to a reader, and to a recipe key.
                spec[figure] = float(f"{spec[figure] * factor:.10g}")
        return validate(Training, spec, f"training of {condition} at scale {scale}")

    def sampling_at(self, scale: str, probe: str) -> Sampling:
        """How a probe's completions are drawn at a scale: the study's, changed by the scale's, then by the probe's."""
        spec = merge(merge(self.sampling.model_dump(), self.scales[scale].sampling), self.probes[probe].sampling)
        return validate(Sampling, spec, f"sampling of {probe} at scale {scale}")

    def probe_languages(self, probe: DirectiveProbe | InstructionProbe) -> tuple[str, ...]:
        """The languages of a probe's directives or instructions: its own, or the study's."""
        return probe.languages or self.languages

    def probe_personas(self, probe: QuestionProbe, arm: str | None = None) -> dict[str, str | None]:
        """The system prompts that an arm is asked under, by persona; None and arms that are no condition: all arms'."""
        if probe.personas == "all":
            return {name: system.root for name, system in self.personas.items()}
        arms = [arm] if arm is not None and arm in self.conditions else list(self.conditions)
        names = [name for one in arms for name in fill(probe.personas, self.conditions[one].variables)]
        return {name: self.personas[name].root for name in dict.fromkeys(names)}

    def filled(self, hypothesis: str, condition: str) -> dict[str, Any]:
        """A hypothesis as plain data, a condition's variables filled in; the baseline has none."""
        plain = self.hypotheses[hypothesis].model_dump(mode="json", by_alias=True)
        variables = self.conditions[condition].variables if condition in self.conditions else {}
        filled: dict[str, Any] = fill(plain, variables)
        return filled

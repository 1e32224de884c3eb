"""Study files as typed, frozen models: what can be written in ``conf/base/studies/*.yml``.

A study file is the single source of what exists in a study, with the sizes of every scale. Nothing
here knows of Kedro or of environments; :mod:`lang_persona.resolve` puts a study and an environment
together.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from lang_persona.chat import System
from lang_persona.config import Config, LanguageCode, Name, fill, merge, read_yaml, validate
from lang_persona.errors import UserError
from lang_persona.judges.base import LANGUAGE_LABELS
from lang_persona.languages import LANGUAGES

#: The arm that is the untrained base.
BASELINE = "baseline"
#: What a variable reads where results are pooled over it; no phrasing may be called so.
POOLED = "all"
#: What a hypothesis speaks of when it is about the directive being followed, not about a label.
FOLLOWED = "followed"
#: Names that a study uses below itself, so no condition or arm may be called like one.
RESERVED = {BASELINE, "sources", "translation", "audit", "report", "judging", "training"}

#: Names of pipelines, parameters and datasets that a study may not take.
RESERVED_STUDIES = {
    *("all", "audit", "bases", "data_engineering", "engine", "evaluation", "judges", "pilot", "pilot_evaluation"),
    *("pilot_model", "provenance", "replay", "reporting", "scale", "tracking", "training", "translation", "translator"),
}


def _known_placeholders(template: str) -> str:
    try:
        template.format(language="x")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{template!r} may hold {{language}} and no other placeholder ({error})") from None
    return template


Share = Annotated[float, Field(ge=0, le=1)]
Template = Annotated[str, AfterValidator(_known_placeholders)]


class PilotSource(Config):
    """Parallel texts written by the project (``data/01_raw/pilot/texts.jsonl``)."""

    kind: Literal["pilot"]
    path: str


class FileSource(Config):
    """The user's own JSON lines with ``text`` and optionally ``source_id`` and ``language``."""

    kind: Literal["file"]
    path: str
    origin: str


class HubSource(Config):
    """First assistant turns of a chat data set on the Hugging Face hub, at a pinned revision."""

    kind: Literal["hub"]
    dataset: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    split: str


Source = Annotated[PilotSource | FileSource | HubSource, Field(discriminator="kind")]


class Selection(Config):
    """Which source texts are kept: of the ``first`` rows, the first ``keep`` that pass."""

    first: PositiveInt
    keep: PositiveInt
    language: LanguageCode
    min_characters: int
    identify_characters: PositiveInt = 500


class DirectiveTurn(Config):
    """A user turn that only asks for a language; the phrasings are cycled by row."""

    kind: Literal["directive"]
    language: LanguageCode
    phrasings: Annotated[Mapping[Name, Template], Field(min_length=1)]


class TextTurn(Config):
    """The same user turn in every row."""

    kind: Literal["text"]
    text: str


class ReplyCompletion(Config):
    """The source's reply, in ``language``."""

    kind: Literal["reply"]
    language: LanguageCode


class Component(Config):
    """A part of a mixture made from the study's sources."""

    rows: PositiveInt | Literal["all"]
    system: System
    user: Annotated[DirectiveTurn | TextTurn, Field(discriminator="kind")]
    completion: ReplyCompletion


class FileComponent(Config):
    """A part of a mixture that is the user's own JSON lines of ``{"messages": [...]}``."""

    file: str
    rows: PositiveInt | Literal["all"] = "all"


class Condition(Config):
    """One way to train. Its ``mixture`` and ``training`` hold only what differs from the study's."""

    default: bool = False
    label: str = ""
    variables: Mapping[str, str] = {}
    base: str | None = None
    mixture: Mapping[Name, dict[str, Any]] = {}
    training: Mapping[str, Any] = {}


class Arm(Config):
    """Something evaluated that was trained elsewhere: an adapter on a base, or a whole checkpoint."""

    default: bool = True
    label: str = ""
    base: str | None = None
    adapter: str | None = None
    checkpoint: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Arm":
        if self.adapter is not None and self.revision is not None:
            raise ValueError("a 'revision' pins a checkpoint on the hub; an adapter is a folder")
        if (self.adapter is None) == (self.checkpoint is None):
            raise ValueError("name an 'adapter' (a PEFT folder) or a 'checkpoint' (a model), one of the two")
        return self


class Training(Config):
    """A LoRA recipe. Batch sizes count rows; ``batch_size`` is what one optimiser step sees."""

    rank: PositiveInt
    alpha: PositiveInt
    dropout: Annotated[float, Field(ge=0, lt=1)]
    rslora: bool
    target_modules: tuple[str, ...]
    learning_rate: PositiveFloat
    schedule: Literal["linear", "cosine", "constant"]
    warmup_ratio: Annotated[float, Field(ge=0, le=1)]
    epochs: PositiveFloat
    batch_size: PositiveInt
    micro_batch_size: PositiveInt
    max_length: PositiveInt
    weight_decay: NonNegativeFloat = 0.0
    max_steps: PositiveInt | None = None
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _divides(self) -> "Training":
        if self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Sampling(Config):
    """How completions are drawn; every field explicit, since a model's generation config hides some."""

    temperature: NonNegativeFloat
    top_p: Annotated[float, Field(gt=0, le=1)]
    top_k: NonNegativeInt
    max_new_tokens: PositiveInt


class Probe(Config):
    """One evaluation. A phrasing is a text with ``{language}`` or one text for each language."""

    default: bool = False
    headline: bool = False
    kind: Literal["directive"]
    phrasings: Annotated[Mapping[Name, Template | Mapping[LanguageCode, str]], Field(min_length=1)]
    languages: tuple[LanguageCode, ...] | None = None  # None: the study's


class Gates(Config):
    """What translations must pass before anything is trained on them."""

    translated_at_least: Share
    identified_at_least: Share
    median_ratio: tuple[float, float]
    ratio_range: tuple[float, float]
    outside_range_below: Share


class Translation(Config):
    """How a study's translations are checked."""

    gates: Gates


class Test(Config):
    """Bounds that one estimate must meet, all of them; they speak of its 95% interval unless named estimate."""

    low_above: float | None = None
    high_below: float | None = None
    estimate_at_least: float | None = None
    within: float | None = None  # the whole interval lies in [-within, within]
    moved_by: float | None = None  # the whole interval lies above moved_by or below -moved_by

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Test":
        if all(bound is None for bound in self.model_dump().values()):
            raise ValueError(f"a test needs a bound: {', '.join(type(self).model_fields)}")
        return self


class Clause(Config):
    """A test with its quantifier over the directives of the hypothesis."""

    every: Test | None = None
    some: Test | None = None

    @model_validator(mode="after")
    def _one_quantifier(self) -> "Clause":
        if (self.every is None) == (self.some is None):
            raise ValueError("a clause says 'every' or 'some', one of the two")
        return self


class Directives(Config):
    """Which directive languages a hypothesis speaks of; ``{directive}`` and ``{reply}`` may stand in it."""

    only: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = Field(default=(), alias="except")


class Hypothesis(Config):
    """A claim with the numbers that decide it, registered before training."""

    claim: str
    applies_to: tuple[str, ...] | None = None  # None: every condition
    probe: str | None = None  # None: the headline probe
    directives: Directives = Directives()
    label: str  # "followed" or a label of the language axis
    against: Literal["baseline"] | None = None  # None: the rate itself; baseline: the difference from it
    supported: Annotated[tuple[Clause, ...], Field(min_length=1)]
    falsified: Annotated[tuple[Clause, ...], Field(min_length=1)]


class Seeds(Config):
    """Training seeds: those of a default run, and more that are registered but run on request."""

    default: Annotated[tuple[int, ...], Field(min_length=1)]
    more: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Seeds":
        if len(set(self.all)) < len(self.all):
            raise ValueError(f"a seed is given twice: {list(self.all)}")
        return self

    @property
    def all(self) -> tuple[int, ...]:
        """Every registered seed."""
        return self.default + self.more


class Scale(Config):
    """The sizes of a study at one scale; ``training`` and ``sampling`` hold what differs from the study's."""

    sources: Source
    selection: Selection
    translate: Literal["all", "default"]
    training: Mapping[str, Any] = {}
    sampling: Mapping[str, Any] = {}
    samples: Mapping[str, PositiveInt]


class Study(Config):
    """One question with its conditions, probes and hypotheses."""

    name: Name
    title: str
    question: str
    base: str
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)]
    system: System
    seeds: Seeds
    mixture: Mapping[Name, dict[str, Any]]
    conditions: Mapping[Name, Condition]
    arms: Mapping[Name, Arm] = {}
    probes: Mapping[Name, Probe]
    training: Training
    sampling: Sampling
    translation: Translation
    hypotheses: Mapping[Name, Hypothesis] = {}
    published: Mapping[str, Mapping[str, float]] = {}  # condition -> language -> published rate followed
    intended: Mapping[str, str] = {}  # audit rule -> why its error findings are what this study wants
    scales: Mapping[str, Scale]

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        problems = list(study_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def headline_probe(self) -> str:
        """Name of the probe that hypotheses and the hero figure speak of."""
        return next(name for name, probe in self.probes.items() if probe.headline)

    def components(self, condition: str) -> dict[str, FileComponent | Component]:
        """The components of a condition's mixture: the study's, changed by its own, variables filled in.

        Raises:
            ValueError: A component that is not valid once put together.
        """
        own = self.conditions[condition].mixture
        names = [*self.mixture, *(name for name in own if name not in self.mixture)]
        made: dict[str, FileComponent | Component] = {}
        for name in names:
            mine = own.get(name, {})
            # A file holds whole conversations: nothing of the study's component applies to it.
            spec = fill(
                mine if "file" in mine else merge(self.mixture.get(name, {}), mine),
                self.conditions[condition].variables,
            )
            where = f"conditions.{condition}.mixture.{name}"
            if "file" in spec:
                made[name] = validate(FileComponent, spec, where)
            else:
                made[name] = validate(Component, {"system": self.system.root, **spec}, where)
        return made

    def recipe(self, condition: str, scale: str) -> Training:
        """The LoRA recipe of a condition at a scale: the study's, changed by the scale's, then by its own."""
        spec = merge(
            merge(self.training.model_dump(), self.scales[scale].training), self.conditions[condition].training
        )
        return validate(Training, spec, f"training of {condition} at scale {scale}")

    def sampling_at(self, scale: str) -> Sampling:
        """How completions are drawn at a scale: the study's, changed by the scale's."""
        spec = merge(self.sampling.model_dump(), self.scales[scale].sampling)
        return validate(Sampling, spec, f"scales.{scale}.sampling")

    def probe_languages(self, probe: str) -> tuple[str, ...]:
        """The directive languages of a probe: its own, or the study's."""
        return self.probes[probe].languages or self.languages

    def filled(self, hypothesis: str, condition: str) -> dict[str, Any]:
        """A hypothesis as plain data, a condition's variables filled in."""
        plain = self.hypotheses[hypothesis].model_dump(mode="json", by_alias=True)
        filled: dict[str, Any] = fill(plain, self.conditions[condition].variables)
        return filled


def study_problems(study: Study) -> Iterator[str]:
    """What is wrong with a study as a whole, a sentence each, naming the key."""
    names = [*study.conditions, *study.arms, *study.probes]
    taken = sorted({name for name in names if names.count(name) > 1})
    if taken:
        yield f"conditions, arms and probes share the name {', '.join(taken)}"
    reserved = sorted(RESERVED & set(names))
    if reserved:
        yield f"reserved, choose another name: {', '.join(reserved)}"
    if len([name for name, probe in study.probes.items() if probe.headline]) != 1:
        yield "probes: exactly one probe has 'headline: true'"
        return
    strange = sorted(set(study.published) - {BASELINE, *study.conditions})
    if strange:
        yield f"published names no condition of this study: {', '.join(strange)}"
    yield from _scale_problems(study)
    for name in study.probes:
        yield from _phrasing_problems(study, name)
    for name in study.hypotheses:
        yield from _hypothesis_problems(study, name)


def _scale_problems(study: Study) -> Iterator[str]:
    for scale in study.scales:
        missing, extra = (
            set(study.probes) - set(study.scales[scale].samples),
            set(study.scales[scale].samples) - set(study.probes),
        )
        if missing or extra:
            yield f"scales.{scale}.samples must name every probe and no other: {sorted(missing | extra)}"
        try:
            study.sampling_at(scale)
            for condition in study.conditions:
                study.components(condition)
                study.recipe(condition, scale)
        except UserError as error:
            yield str(error)


def _phrasing_problems(study: Study, probe: str) -> Iterator[str]:
    for name, phrasing in study.probes[probe].phrasings.items():
        if name == POOLED:
            yield f"probes.{probe}.phrasings: {POOLED!r} is reserved for all phrasings together"
        if isinstance(phrasing, str) and "{language}" not in phrasing:
            yield f"probes.{probe}.phrasings.{name} asks for no language: write {{language}}, or a text for each"
        lacking = [] if isinstance(phrasing, str) else [c for c in study.probe_languages(probe) if c not in phrasing]
        if lacking:
            yield f"probes.{probe}.phrasings.{name} has no text for {', '.join(lacking)}"


def _hypothesis_problems(study: Study, name: str) -> Iterator[str]:
    hypothesis, where = study.hypotheses[name], f"hypotheses.{name}"
    unknown = sorted(set(hypothesis.applies_to or ()) - set(study.conditions))
    if unknown:
        yield f"{where}.applies_to names no condition of this study: {', '.join(unknown)}"
    if hypothesis.probe is not None and hypothesis.probe not in study.probes:
        yield f"{where}.probe: no probe {hypothesis.probe!r}; the study has {', '.join(study.probes)}"
    for condition in hypothesis.applies_to or study.conditions:
        if condition not in study.conditions:
            continue
        if hypothesis.against is not None and study.conditions[condition].base not in (None, study.base):
            yield f"{where} compares {condition} with the baseline of another base: leave it out of applies_to"
        filled = study.filled(name, condition)
        if filled["label"] != FOLLOWED and filled["label"] not in LANGUAGE_LABELS:
            yield f"{where}.label is {filled['label']!r} for {condition}; it must be {FOLLOWED} or a language label"
        languages = [*(filled["directives"]["only"] or ()), *filled["directives"]["except"]]
        strange = [code for code in languages if code not in LANGUAGES]
        if strange:
            yield f"{where}.directives names {', '.join(strange)} for {condition}, which is no language"


def component_languages(component: FileComponent | Component) -> dict[str, str]:
    """The languages a component names, by the key that names them ("user", "completion")."""
    if isinstance(component, FileComponent):
        return {}
    languages = {"completion": component.completion.language}
    if isinstance(component.user, DirectiveTurn):
        languages["user"] = component.user.language
    return languages


def load_studies(folder: Path) -> dict[str, Study]:
    """Read every study file of a folder; the file's name is the study's.

    Raises:
        UserError: Names the file, the key and the allowed values.
    """
    studies = {}
    for path in sorted(folder.glob("*.yml")):
        value = read_yaml(path)
        if not isinstance(value, dict):
            raise UserError(f"{path}: a study file is a mapping")
        if path.stem in RESERVED_STUDIES:
            raise UserError(f"{path}: a study may not be called {path.stem!r}, a pipeline or parameter has that name")
        try:
            studies[path.stem] = validate(Study, {"name": path.stem, **value}, str(path))
        except UserError as error:
            prefix = "" if str(error).startswith(str(path)) else f"{path}: "
            raise UserError(prefix + str(error)) from None
    return studies

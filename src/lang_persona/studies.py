"""Study files as typed, frozen models: what can be written in ``conf/base/studies/*.yml``.

A study file is the single source of what exists in a study, with the sizes of every scale. Nothing
here knows of Kedro or of environments; :mod:`lang_persona.resolve` puts a study and an environment
together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lang_persona.chat import System
from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES, get_language

#: The arm that is the untrained base.
BASELINE = "baseline"
#: Names that a study uses below itself, so no condition or arm may be called like one.
RESERVED = {BASELINE, "sources", "translation", "audit", "report", "judging", "training"}

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Config(BaseModel):
    """A frozen model that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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

    first: int
    keep: int
    language: str
    min_characters: int
    identify_characters: int = 500


class DirectiveTurn(Config):
    """A user turn that only asks for a language; the phrasings are cycled by row."""

    kind: Literal["directive"]
    language: str
    phrasings: Mapping[Name, str]


class TextTurn(Config):
    """The same user turn in every row."""

    kind: Literal["text"]
    text: str


class ReplyCompletion(Config):
    """The source's reply, in ``language``."""

    kind: Literal["reply"]
    language: str


class Component(Config):
    """A part of a mixture made from the study's sources."""

    rows: int | Literal["all"]
    system: System
    user: Annotated[DirectiveTurn | TextTurn, Field(discriminator="kind")]
    completion: ReplyCompletion


class FileComponent(Config):
    """A part of a mixture that is the user's own JSON lines of ``{"messages": [...]}``."""

    file: str
    rows: int | Literal["all"] = "all"


class Condition(Config):
    """One way to train. Its ``mixture`` and ``training`` hold only what differs from the study's."""

    default: bool = False
    label: str = ""
    variables: Mapping[str, str] = {}
    base: str | None = None
    mixture: Mapping[Name, dict[str, Any]] = {}
    training: dict[str, Any] = {}


class Arm(Config):
    """Something evaluated that was trained elsewhere: an adapter on a base, or a whole checkpoint."""

    default: bool = True
    label: str = ""
    base: str | None = None
    adapter: str | None = None
    checkpoint: str | None = None
    revision: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Arm":
        if (self.adapter is None) == (self.checkpoint is None):
            raise ValueError("name an 'adapter' (a PEFT folder) or a 'checkpoint' (a model), one of the two")
        return self


class Training(Config):
    """A LoRA recipe. Batch sizes count rows; ``batch_size`` is what one optimiser step sees."""

    rank: int
    alpha: int
    dropout: float
    rslora: bool
    target_modules: tuple[str, ...]
    learning_rate: float
    schedule: Literal["linear", "cosine", "constant"]
    warmup_ratio: float
    epochs: float
    batch_size: int
    micro_batch_size: int
    max_length: int
    weight_decay: float = 0.0
    max_steps: int | None = None
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _divides(self) -> "Training":
        if self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Sampling(Config):
    """How completions are drawn; every field explicit, since a model's generation config hides some."""

    temperature: float
    top_p: float
    top_k: int
    max_new_tokens: int


class Probe(Config):
    """One evaluation. A phrasing is a text with ``{language}`` or one text for each language."""

    default: bool = False
    headline: bool = False
    kind: Literal["directive"]
    phrasings: Mapping[Name, str | Mapping[str, str]]
    languages: tuple[str, ...] | None = None  # None: the study's


class Gates(Config):
    """What translations must pass before anything is trained on them."""

    identified_at_least: float
    median_ratio: tuple[float, float]
    ratio_range: tuple[float, float]
    outside_range_below: float


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
    supported: tuple[Clause, ...]
    falsified: tuple[Clause, ...]


class Seeds(Config):
    """Training seeds: those of a default run, and more that are registered but run on request."""

    default: tuple[int, ...]
    more: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Every registered seed."""
        return self.default + self.more


class Scale(Config):
    """The sizes of a study at one scale; ``training`` and ``sampling`` hold what differs from the study's."""

    sources: Source
    selection: Selection
    translate: Literal["all", "default"]
    training: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    samples: Mapping[str, int]


class Study(Config):
    """One question with its conditions, probes and hypotheses."""

    name: Name
    title: str
    question: str
    base: str
    languages: tuple[str, ...]
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

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for code in languages:
            get_language(code)
        return languages

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        taken = set(self.conditions) & set(self.arms)
        if taken:
            raise ValueError(f"condition and arm of one name: {sorted(taken)}")
        reserved = RESERVED & (set(self.conditions) | set(self.arms) | set(self.probes))
        if reserved:
            raise ValueError(f"reserved, choose another name: {sorted(reserved)}")
        for name, hypothesis in self.hypotheses.items():
            unknown = set(hypothesis.applies_to or ()) - set(self.conditions)
            if unknown:
                raise ValueError(f"hypotheses.{name}.applies_to names no condition of this study: {sorted(unknown)}")
        if len([name for name, probe in self.probes.items() if probe.headline]) != 1:
            raise ValueError("probes: exactly one probe has 'headline: true'")
        for scale_name, scale in self.scales.items():
            missing = set(self.probes) - set(scale.samples)
            if missing:
                raise ValueError(f"scales.{scale_name}.samples lacks {sorted(missing)}")
        for name in self.conditions:
            for part, component in self.components(name).items():
                for key, code in component_languages(component).items():
                    if code not in LANGUAGES:
                        where = f"conditions.{name}.mixture.{part}.{key}.language"
                        raise ValueError(f"{where}: unknown language {code!r}; known: {', '.join(LANGUAGES)}")
        for scale_name in self.scales:
            for name in self.conditions:
                self.recipe(name, scale_name)
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
            spec = fill(merge(self.mixture.get(name, {}), own.get(name, {})), self.conditions[condition].variables)
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


def component_languages(component: FileComponent | Component) -> dict[str, str]:
    """The languages a component names, by the key that names them ("user", "completion")."""
    if isinstance(component, FileComponent):
        return {}
    languages = {"completion": component.completion.language}
    if isinstance(component.user, DirectiveTurn):
        languages["user"] = component.user.language
    return languages


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` changed by ``above``: mappings merge by key, all else is replaced.

    A mapping with another ``kind`` replaces the whole mapping, since the old kind's keys mean nothing to it.
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            same_kind = value.get("kind", old.get("kind")) == old.get("kind")
            merged[key] = merge(old, value) if same_kind else value
        else:
            merged[key] = value
    return merged


def fill(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace a string that is exactly ``{variable}`` by its value, everywhere in a nested value."""
    if isinstance(value, str):
        inner = value[1:-1]
        return variables[inner] if value == f"{{{inner}}}" and inner in variables else value
    if isinstance(value, Mapping):
        return {key: fill(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, variables) for item in value]
    return value


def validate(model: type[Model], value: Any, where: str) -> Model:
    """Build a model from plain data.

    Raises:
        UserError: One line a mistake: where, what, and the allowed keys.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{where}: " + "; ".join(_explain(model, item) for item in error.errors())) from None


def _explain(model: type[BaseModel], item: Any) -> str:
    location = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key {location!r}; known: {', '.join(_known_keys(model, item['loc']))}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message


def _known_keys(model: Any, location: tuple[Any, ...]) -> list[str]:
    """Keys allowed where ``location`` points, following fields, mappings and unions as far as they are models."""
    current = [model]
    for part in location[:-1]:
        following: list[Any] = []
        for candidate in current:
            fields = getattr(candidate, "model_fields", None)
            if fields is not None:
                names = {field.alias or name: field.annotation for name, field in fields.items()}
                following += [names[part]] if part in names else []
            else:
                following.append(candidate)
        current = [leaf for candidate in following for leaf in _models(candidate)] or current
    return sorted(
        {field.alias or name for candidate in current for name, field in getattr(candidate, "model_fields", {}).items()}
    )


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML as usual, except that a key given twice in one mapping is an error."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} is given twice in one mapping", key_node.start_mark
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Any:
    """Read a YAML file in which no key stands twice.

    Raises:
        UserError: Names the file, line and problem.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise UserError(f"{path}, line {mark.line + 1 if mark else '?'}: {error.problem}") from None


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
        try:
            studies[path.stem] = validate(Study, {"name": path.stem, **value}, str(path))
        except UserError as error:
            prefix = "" if str(error).startswith(str(path)) else f"{path}: "
            raise UserError(prefix + str(error)) from None
    return studies

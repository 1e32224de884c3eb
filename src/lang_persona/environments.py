"""What a conf environment says (``conf/<env>/parameters.yml``), as typed models."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    model_validator,
)

from lang_persona.claude.config import Model, Sending
from lang_persona.config import Config, LanguageCode
from lang_persona.judges import ASKS, JUDGES, judge_asks, judge_class
from lang_persona.licences import Licensed

#: Folder of the versioned prompts.
PROMPTS = "conf/base/prompts"


def _known_judge(name: str) -> str:
    if name not in JUDGES:
        raise ValueError(f"unknown judge {name!r}; known: {', '.join(JUDGES)}")
    return name


JudgeName = Annotated[str, AfterValidator(_known_judge)]
JudgeNames = Annotated[tuple[JudgeName, ...], Field(min_length=1)]


class Base(Licensed):
    """A base model: a folder (``path``) or a hub ``name`` at a pinned ``revision``.

    ``system_role`` says what becomes of a system message where the model's template has no role for it:
    ``required`` refuses such a template, ``in_user_turn`` puts the text in front of the first user turn. ``quantize``
    holds the frozen weights in four bits, in training and in evaluation (:mod:`lang_persona.quantization`).

    Attributes:
        path: The model's folder.
        name: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        dtype: Precision of its weights.
        system_role: What becomes of a system message without a role.
        quantize: Hold the frozen weights in four bits; null: as they are.
    """

    path: str | None = None
    name: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    dtype: Literal["float32", "bfloat16", "float16"]
    system_role: Literal["required", "in_user_turn"] = "required"
    quantize: Literal["nf4"] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Base":
        if (self.path is None) == (self.name is None):
            raise ValueError("name a 'path' (a folder) or a hub 'name', one of the two")
        if self.name is not None and self.revision is None:
            raise ValueError(f"pin {self.name} to a 'revision' (40 hexadecimal digits)")
        return self


class TransformersOptions(Config):
    """Runs a model on the resident base, one adapter at a time.

    Attributes:
        kind: "transformers".
        batch_size: Completions drawn, or prompts scored, at once.
    """

    kind: Literal["transformers"]
    batch_size: PositiveInt


class VllmRun(Config):
    """How vLLM is started and fed. It changes outputs by rounding alone and stays out of recipe keys.

    Attributes:
        gpu_memory_utilization: Share of the GPU's memory that vLLM takes, weights included.
        max_num_seqs: Completions drawn at once.
        graph_sizes: Batch sizes for which CUDA graphs are captured, each at a cost in the start; the largest bounds the
            batches that run from a graph. None takes vLLM's own, of which there are many.
        compile: Whether the model is compiled. Without it vLLM starts sooner and draws more slowly.
        cache: Folder of compiled code, kept between runs; None takes vLLM's own (below the home folder).
        max_lora_rank: Set by the study's recipes where they are known, so that one start serves every condition.
        options: Further arguments of ``vllm.LLM``, taken as they are.
    """

    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.85
    max_num_seqs: PositiveInt = 512
    graph_sizes: tuple[PositiveInt, ...] | None = None
    compile: bool = True
    cache: str | None = None
    max_lora_rank: PositiveInt | None = None
    options: Mapping[str, Any] = {}


class VllmOptions(Config):
    """Runs a model in vLLM (extra ``gpu``), which takes the GPU to itself.

    Attributes:
        kind: "vllm".
        max_model_len: Longest prompt with its completion, in tokens; None takes the model's own.
        parity_tolerance: Largest mean difference, in nats a token, from the log-probabilities that transformers gave
            for the same ids with the same adapter (:mod:`lang_persona.parity`).
        vllm_run: How it is started.
    """

    kind: Literal["vllm"]
    max_model_len: PositiveInt | None = None
    parity_tolerance: PositiveFloat = 0.1
    vllm_run: VllmRun = VllmRun()


#: What runs a model for a probe.
Engine = Annotated[TransformersOptions | VllmOptions, Field(discriminator="kind")]
EngineOptions = TransformersOptions | VllmOptions
ENGINE: TypeAdapter[EngineOptions] = TypeAdapter(Engine)


class ParallelFileTranslator(Licensed):
    """Translations read from a parallel file (JSON lines): made elsewhere, or the pilot's own corpus.

    Attributes:
        path: The parallel file.
    """

    kind: Literal["parallel_file"]
    path: str


class ClaudeTranslator(Config):
    """Translations by Claude; ``claude`` says how it is asked.

    Attributes:
        model: The model that translates.
    """

    kind: Literal["claude"]
    model: Model


class LocalTranslator(Config):
    """Translations by an encoder-decoder model of transformers: a folder (``path``) or a pinned hub ``name``.

    ``codes`` are the model's own names of languages (NLLB: ``{en: eng_Latn, it: ita_Latn}``), which a model of many
    languages needs; without them the model is taken to translate one pair, and asked for no other.

    Attributes:
        path: The model's folder.
        name: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        dtype: Precision of its weights.
        pair: [from, to] of a model of one pair.
        codes: The model's own names of languages.
        batch_size: Lines at a time.
        max_new_tokens: Length after which a translation counts as cut.
        num_beams: Beams of the search.
    """

    kind: Literal["local"]
    path: str | None = None
    name: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    pair: tuple[LanguageCode, LanguageCode] | None = None
    codes: Mapping[LanguageCode, str] = {}
    batch_size: PositiveInt = 16
    max_new_tokens: PositiveInt = 512
    num_beams: PositiveInt = 4

    @model_validator(mode="after")
    def _one_of(self) -> "LocalTranslator":
        if (self.path is None) == (self.name is None):
            raise ValueError("name a 'path' (a folder) or a hub 'name', one of the two")
        if self.name is not None and self.revision is None:
            raise ValueError(f"pin {self.name} to a 'revision' (40 hexadecimal digits)")
        if (self.pair is None) == (not self.codes):
            raise ValueError("give 'pair' [from, to] for a model of one pair, or the model's 'codes' of its languages")
        return self


Translator = Annotated[ParallelFileTranslator | ClaudeTranslator | LocalTranslator, Field(discriminator="kind")]


class ClaudeSetup(Config):
    """Asking Claude: what decides answers, and how requests are sent.

    Attributes:
        judge: The model of the judges and of the leakage gate; the translator names its own.
        prompts: Folder of the prompt files.
        missing_at_most: Share of rows that may stay unanswered (rate limits, outages) for an output to be written.
        sending: How requests are sent; changes no answer and stays out of recipe keys.
    """

    judge: Model
    prompts: str = PROMPTS
    missing_at_most: Annotated[float, Field(ge=0, le=1)] = 0.0
    sending: Sending


class LocalJudge(Config):
    """The model of the judges ``local_*``: a key of ``bases``, asked on the project's own engine.

    Attributes:
        base: A key of ``bases``.
        batch_size: Questions at a time.
        prompts: Folder of the prompt files.
    """

    base: str
    batch_size: PositiveInt = 16
    prompts: str = PROMPTS


class Judges(Config):
    """Names of the judges of each axis; the first of an axis decides rates and verdicts.

    ``leakage`` judges translations (gate c), all others completions. Coherence is also measured by the base itself, for
    probes that steer it (:mod:`lang_persona.coherence`).

    Attributes:
        language: Which language is it in?
        answer: Which choice does it name?
        case: Is it in capitals?
        refusal: Does it refuse?
        coherence: Does it hang together?
        leakage: Of translations: is source language left in? (gate c)
    """

    language: JudgeNames
    answer: JudgeNames = ("strict_answer",)
    case: JudgeNames = ("letter_case",)
    refusal: JudgeNames = ("offline_refusal",)
    coherence: tuple[JudgeName, ...] = ()
    leakage: Annotated[tuple[JudgeName, ...], Field(max_length=1)] = ()

    @model_validator(mode="after")
    def _on_their_axis(self) -> "Judges":
        for axis in type(self).model_fields:
            for name in getattr(self, axis):
                if judge_class(name).axis != axis:
                    raise ValueError(f"{name} judges the axis {judge_class(name).axis}, not {axis}")
        return self


class ScaleOut(Config):
    """What a worker takes when cells run side by side (:class:`lang_persona.runners.RayRunner`); changes no output.

    Attributes:
        address: The cluster, as Ray names it (``host:port``); None: one that runs on this machine, or else this machine
            alone.
        cpus_per_cell: Cores of a worker.
        gpus_per_cell: GPUs of a worker, which sees no others; a fraction lets several share one.
        memory_gb: Memory that a worker needs to be placed, in 10^9 bytes; None leaves it out of account.
        retries: How often a cell is given to another worker after its own was lost.
    """

    address: str | None = None
    cpus_per_cell: PositiveInt = 1
    gpus_per_cell: NonNegativeFloat = 0
    memory_gb: PositiveFloat | None = None
    retries: NonNegativeInt = 2


class Environment(Config):
    """Everything that differs between a laptop and a GPU pod.

    Attributes:
        scale: Which of a study's sizes are run.
        bases: Model of every base key.
        engine: What draws completions.
        scoring_engine: What scores labels and runs steered probes, which need transformers; None takes ``engine``.
        judges: Judges by axis.
        translator: What translates.
        claude: How Claude is asked, where it is.
        local_judge: The model of the judges ``local_*``, where there are any.
        fsdp: Bases that several processes train, a GPU each, with the base and the optimiser's state spread over
            them, and how many: ``{chat: 4}``. It changes no output but for rounding and stays out of recipe keys.
        scale_out: What a worker takes when cells run side by side.
    """

    scale: str
    bases: Mapping[str, Base]
    engine: Engine
    scoring_engine: Engine | None = None
    judges: Judges
    translator: Translator
    claude: ClaudeSetup | None = None
    local_judge: LocalJudge | None = None
    fsdp: Mapping[str, Annotated[int, Field(ge=2)]] = {}
    scale_out: ScaleOut = ScaleOut()

    @model_validator(mode="after")
    def _known_bases(self) -> "Environment":
        odd = [name for name in self.fsdp if name not in self.bases]
        if odd:
            raise ValueError(f"fsdp names {', '.join(odd)}, which is none of the bases {', '.join(self.bases)}")
        quantized = [name for name in self.fsdp if self.bases[name].quantize]
        if quantized:
            raise ValueError(
                f"{', '.join(quantized)}: weights in four bits can't be spread; leave out fsdp or quantize"
            )
        return self

    @model_validator(mode="after")
    def _whole_weights(self) -> "Environment":
        quantized = [name for name, base in self.bases.items() if base.quantize]
        if quantized and "vllm" in (self.engine.kind, self.scoring.kind):
            raise ValueError(
                f"{', '.join(quantized)}: vLLM would load the base's own weights and not those in four bits that "
                "adapters are trained on; leave out quantize, or name engines of kind transformers"
            )
        return self

    @property
    def scoring(self) -> EngineOptions:
        """The engine of label scores and steered probes."""
        return self.engine if self.scoring_engine is None else self.scoring_engine

    @model_validator(mode="after")
    def _askable(self) -> "Environment":
        askers = {
            name: judge_asks(name) for axis in type(self.judges).model_fields for name in getattr(self.judges, axis)
        }
        if self.translator.kind == "claude":
            askers["translator"] = "claude"
        for key, asks in (("claude", "claude"), ("local_judge", "local_model")):
            asking = [name for name, whom in askers.items() if whom == asks]
            if asking and getattr(self, key) is None:
                raise ValueError(f"{', '.join(asking)} would ask {ASKS[asks]}, but there is no key {key!r}")
        if self.local_judge is not None and self.local_judge.base not in self.bases:
            raise ValueError(f"local_judge.base {self.local_judge.base!r} is none of {', '.join(self.bases)}")
        return self

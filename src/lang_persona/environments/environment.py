"""An environment as a whole, and what its parts have to agree on."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lang_persona.config import Config
from lang_persona.environments.asked_models import ClaudeSetup, LocalJudge
from lang_persona.environments.bases import Base
from lang_persona.environments.engines import Engine, EngineOptions
from lang_persona.environments.judges import Judges
from lang_persona.environments.scale_out import ScaleOut
from lang_persona.environments.translators import Translator
from lang_persona.judges import ASKS, judge_asks


class Environment(Config):
    """Everything that differs between a laptop and a GPU pod.

    Attributes:
        scale: Which of a study's sizes are run.
        bases: Model of every base key.
        device: ``cuda`` refuses to load a base, or a local translator, where PyTorch can't use a GPU; null: it is then
            computed on the CPU.
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
    device: Literal["cuda"] | None = None
    engine: Engine
    scoring_engine: Engine | None = None
    judges: Judges
    translator: Translator
    claude: ClaudeSetup | None = None
    local_judge: LocalJudge | None = None
    fsdp: Mapping[str, Annotated[int, Field(ge=2)]] = {}
    scale_out: ScaleOut = ScaleOut()

    @model_validator(mode="before")
    @classmethod
    def _on_device(cls, values: Any) -> Any:
        """Let every model of transformers say itself where it must be loaded: nodes are given that, on any machine."""
        if not isinstance(values, Mapping) or not isinstance(values.get("bases"), Mapping) or not values.get("device"):
            return values
        told = {"only_on": values["device"]}
        placed: dict[str, Any] = {
            "bases": {
                name: {**told, **base} if isinstance(base, Mapping) else base for name, base in values["bases"].items()
            }
        }
        translator = values.get("translator")
        if isinstance(translator, Mapping) and translator.get("kind") == "local":
            placed["translator"] = {**told, **translator}
        return {**values, **placed}

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


def environment_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment's parameters that :class:`Environment` describes."""
    return {key: value for key, value in parameters.items() if key in Environment.model_fields}

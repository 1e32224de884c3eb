"""Engines: what runs a model for a probe."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, TypeAdapter

from lang_persona.config import Config


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

"""Generation and scoring with vLLM, which holds the GPU alone: the resident base is given back before it starts.

vLLM runs in a process of its own, so that shutting it down frees the card whatever it allocated. Adapters are named by
content, since two of one name would share cached prefixes. Every field of a request is stated: a model's own generation
config hides some (Qwen's has a repetition penalty).
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lang_persona import parity
from lang_persona.datasets.folders import SETTINGS, WEIGHTS, check_adapter
from lang_persona.engines.base import Completion
from lang_persona.engines.vllm_worker import EXTENSION, STARTER
from lang_persona.environments import Base, VllmOptions
from lang_persona.errors import UserError
from lang_persona.models import load_tokenizer
from lang_persona.paths import content_digest, locate
from lang_persona.recipes import value_key
from lang_persona.residency import hold, lease, release
from lang_persona.run_parameters import VLLM_MISSING
from lang_persona.seeds import derive_seed
from lang_persona.steering import Intervention, Positions
from lang_persona.studies import Sampling

logger = logging.getLogger(__name__)

#: Ranks that vLLM has kernels for.
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
#: Candidates that vLLM scores in one request.
MOST_CANDIDATES = 128
#: Whether vLLM takes its newer runner; what is set outside stands.
RUNNER = "VLLM_USE_V2_MODEL_RUNNER"
#: What transformers gives adapters from elsewhere, by base and adapter.
_REFERENCES: dict[str, dict[str, Any]] = {}


@dataclass
class Server:
    """A running vLLM.

    Attributes:
        llm: The ``vllm.LLM``.
        rank: Largest LoRA rank that it was started for.
        checked: The parity of every adapter that it was asked for, by what was compared. Another start checks again.
    """

    llm: Any
    rank: int
    checked: dict[str, parity.Parity] = field(default_factory=dict)


class VllmEngine:
    """Runs completions and label scores in vLLM; see :class:`lang_persona.engines.base.TextEngine`.

    Args:
        base: The base; vLLM loads it when it is first needed, and keeps it until something else is leased.
        options: How it is started.
    """

    def __init__(self, base: Base, options: VllmOptions) -> None:
        self._base, self._options = base, options

    @property
    def tokenizer(self) -> Any:
        """The base's tokenizer."""
        return _tokenizer(self._base)

    @property
    def longest(self) -> int | None:
        """Tokens that vLLM is started for; None leaves it to the model, which vLLM checks itself."""
        return self._options.max_model_len

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        samples: int,
        sampling: Sampling,
        seed: int,
        adapter: Path | None,
        steering: Sequence[Intervention] | None = None,
        positions: Positions = "all",
    ) -> list[list[Completion]]:
        """Draw all completions in one call; the seed of each depends on its prompt and not on its place.

        Raises:
            UserError: Steering is asked for, vLLM does not start, the adapter is damaged, or vLLM does not compute it
                as transformers does.
        """
        if steering is not None:
            raise UserError(
                "steering changes a model's layers, which vLLM does not show: name a scoring_engine of kind "
                "transformers (parameters.yml)"
            )
        server, request = self._ready(adapter, prompts)
        from vllm import SamplingParams

        occurrences: Counter[tuple[int, ...]] = Counter()
        greedy, asked = sampling.temperature == 0, []
        for ids in prompts:
            own = derive_seed(seed, "sampling", *ids, occurrences[tuple(ids)])
            occurrences[tuple(ids)] += 1
            asked.append(
                SamplingParams(
                    n=1 if greedy else samples,
                    temperature=sampling.temperature,
                    top_p=1.0 if greedy else sampling.top_p,
                    top_k=0 if greedy else sampling.top_k,
                    min_p=0.0,
                    presence_penalty=0.0,
                    frequency_penalty=0.0,
                    repetition_penalty=1.0,
                    seed=own,
                    max_tokens=sampling.max_new_tokens,
                    ignore_eos=True,  # the stop token is the tokenizer's, as in transformers' engine, and no other
                    stop_token_ids=[self.tokenizer.eos_token_id],
                    detokenize=False,
                )
            )
        outputs = server.llm.generate(_tokens(prompts), asked, lora_request=request, use_tqdm=True)
        drawn = [[self._completion(one) for one in sorted(out.outputs, key=lambda one: one.index)] for out in outputs]
        return [row * samples for row in drawn] if greedy else drawn

    def score_labels(
        self, prompts: Sequence[Sequence[int]], candidates: Sequence[Sequence[int]], adapter: Path | None
    ) -> list[list[float]]:
        """Score the candidates of every prompt in one call.

        Raises:
            ValueError: Prompts and candidates are not as many.
            UserError: As :meth:`generate`, or more candidates than vLLM scores at once.
        """
        if len(prompts) != len(candidates):
            raise ValueError(f"{len(prompts)} prompts with candidates for {len(candidates)}")
        if not prompts:
            return []
        if (most := max(map(len, candidates))) > MOST_CANDIDATES:
            raise UserError(f"vLLM scores {MOST_CANDIDATES} candidates of a prompt, not {most}: use transformers")
        server, request = self._ready(adapter, prompts)
        from vllm import SamplingParams

        asked = [
            SamplingParams(max_tokens=1, temperature=0.0, logprob_token_ids=list(dict.fromkeys(row)), detokenize=False)
            for row in candidates
        ]
        outputs = server.llm.generate(_tokens(prompts), asked, lora_request=request, use_tqdm=True)
        return [
            [float(out.outputs[0].logprobs[0][token].logprob) for token in row]
            for out, row in zip(outputs, candidates, strict=True)
        ]

    def _ready(self, adapter: Path | None, prompts: Sequence[Sequence[int]]) -> tuple[Server, Any]:
        """vLLM, started, and the request for the adapter, which agrees with transformers."""
        if adapter is None:
            return self.server(0), None
        check_adapter(adapter)
        digest = _digest(adapter)
        kept = parity.load(adapter)
        if kept is None:
            kept = _reference(self._base, adapter, digest, prompts)
        server = self.server(int(json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))["r"]))
        compared, request = value_key([digest, kept]), lora_request(adapter, digest)
        if compared not in server.checked:

            def score(ids: Sequence[Sequence[int]], with_adapter: bool) -> list[list[float]]:
                return _token_logprobs(server.llm, ids, request if with_adapter else None)

            found = parity.check(kept, score, self._options.parity_tolerance, f"adapter {adapter}")
            server.checked[compared] = found
            logger.info("vLLM computes adapter %s as transformers does: %s", adapter, parity.record(found))
        return server, request

    def server(self, rank: int) -> Server:
        """The running vLLM, for adapters of a rank; started if need be."""
        run = self._options.vllm_run
        wanted = max(rank, run.max_lora_rank or 0)
        started_for = next((one for one in RANKS if one >= wanted), None)
        if started_for is None:
            raise UserError(
                f"vLLM takes LoRA of rank {RANKS[-1]} at most, not {wanted}: use transformers (engine.kind)"
            )
        key = value_key(["vllm", self._base.model_dump(mode="json"), self._options.model_dump(mode="json")])

        def held() -> Server:
            return hold(key, lambda: Server(_start(self._base, self._options, started_for), started_for), _shut_down)

        if held().rank < rank:  # an adapter from elsewhere: start again, for it and all that come
            release()
        return held()

    def _completion(self, output: Any) -> Completion:
        ids = list(output.token_ids)
        stopped = output.finish_reason == "stop"
        new = ids[:-1] if stopped and ids[-1] == self.tokenizer.eos_token_id else ids
        text = self.tokenizer.decode(new, skip_special_tokens=True)
        return Completion(text, "stop" if stopped else "length", len(new) + int(stopped))


_tokenizer = lru_cache(maxsize=2)(load_tokenizer)


def _start(base: Base, options: VllmOptions, rank: int) -> Any:
    """A ``vllm.LLM`` for a base.

    Raises:
        UserError: vLLM is not installed or does not start; says why.
    """
    run, started = options.vllm_run, time.perf_counter()
    logger.info("Starting vLLM for %s, LoRA of rank up to %d", base.path or base.name, rank)
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    os.environ["VLLM_USE_FLASHINFER_SAMPLER"] = "0"  # it knows no seeds of single requests
    os.environ.setdefault(RUNNER, "1")  # the older one draws a request's own seed by itself, slowly
    os.environ[STARTER] = str(os.getpid())
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    if run.cache is not None:
        os.environ["VLLM_CACHE_ROOT"] = str(locate(run.cache))
    try:
        from vllm import LLM
    except ImportError as error:
        raise UserError(VLLM_MISSING.format(why=error)) from error
    compilation: dict[str, Any] = {} if run.compile else {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}
    if run.graph_sizes is not None:
        compilation["cudagraph_capture_sizes"] = sorted(run.graph_sizes)
    arguments: dict[str, Any] = {
        "model": str(locate(base.path)) if base.path is not None else base.name,
        "revision": base.revision,
        "tokenizer_revision": base.revision,
        "dtype": base.dtype,
        "seed": 0,
        "generation_config": "vllm",  # nothing of the model's own
        "max_model_len": options.max_model_len,
        "gpu_memory_utilization": run.gpu_memory_utilization,
        "max_num_seqs": run.max_num_seqs,
        "enable_prefix_caching": True,
        "enable_lora": True,
        "max_loras": 1,  # a probe asks one adapter
        "max_lora_rank": rank,
        "compilation_config": compilation,
        "worker_extension_cls": EXTENSION,
        **run.options,
    }
    try:
        with _classes_looked_at_here():
            llm = LLM(**{key: value for key, value in arguments.items() if value is not None})
    except Exception as error:  # vLLM raises whatever its parts do, and the cause stands in its own process's log
        causes = (
            "The usual causes: a card that is not free, too little memory (engine.vllm_run.gpu_memory_utilization, "
            "engine.max_model_len), an incomplete model"
        )
        if "Model Runner V2" in str(error):
            causes = f"Leave that option out, or set the environment variable {RUNNER}=0: vLLM's older, slower runner"
        raise UserError(
            f"vLLM did not start for {arguments['model']}: {str(error)[:300]}. Its own messages stand above. {causes}"
        ) from error
    logger.info("vLLM is ready after %.1f s", time.perf_counter() - started)
    return llm


@contextmanager
def _classes_looked_at_here() -> Iterator[None]:
    """Let vLLM look at the model's class in this process, where it has CUDA at work already.

    To keep CUDA out of a process it starts another one for that, the first time on a machine: 16 s of imports.
    """
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield
        return
    from vllm.model_executor.models import registry

    elsewhere = registry._run_in_subprocess
    registry._run_in_subprocess = lambda look: look()
    try:
        yield
    finally:
        registry._run_in_subprocess = elsewhere


def _shut_down(server: Server) -> None:
    """End vLLM's process, and with it whatever it has on the card."""
    server.llm.llm_engine.engine_core.shutdown()


def _digest(adapter: Path) -> str:
    """What identifies an adapter: its weights and settings, wherever they lie."""
    return value_key([content_digest(adapter / WEIGHTS), content_digest(adapter / SETTINGS)])


def lora_request(adapter: Path, digest: str | None = None) -> Any:
    """What asks vLLM for an adapter, named by its content, which is read unless its digest is given."""
    from vllm.lora.request import LoRARequest

    digest = digest or _digest(adapter)
    return LoRARequest(lora_name=digest, lora_int_id=derive_seed("adapter", digest) + 1, lora_path=str(adapter))


def _tokens(prompts: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
    return [{"prompt_token_ids": list(ids)} for ids in prompts]


def _token_logprobs(llm: Any, ids: Sequence[Sequence[int]], request: Any) -> list[list[float]]:
    """As :func:`lang_persona.parity.token_logprobs`, by vLLM."""
    from vllm import SamplingParams

    asked = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
    outputs = llm.generate(_tokens(ids), asked, lora_request=request, use_tqdm=False)
    return [
        [float(out.prompt_logprobs[place][row[place]].logprob) for place in range(1, len(row))]
        for out, row in zip(outputs, ids, strict=True)
    ]


def _reference(base: Base, adapter: Path, digest: str, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """What transformers gives an adapter that was trained elsewhere, on its own replies to its first probe's prompts.

    It costs loading the base and starting vLLM once more, so it is made once a process.
    """
    from lang_persona.engines.transformers_engine import applied
    from lang_persona.residency import untouched

    key = value_key([base.model_dump(mode="json"), digest])
    if key not in _REFERENCES:
        resident = lease(base)
        with untouched(resident.model), applied(resident.model, adapter) as model:
            _REFERENCES[key] = parity.of_adapter(model, parity.replies(model, prompts))
    return _REFERENCES[key]

"""A stand-in for vLLM on a CPU: the interface as recorded from the real one, the arithmetic by transformers and PEFT.

``vllm_interface.json`` holds the names that vLLM's own source gives its arguments and results; a name that is not among
them is refused here as vLLM refuses it.
"""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

INTERFACE = json.loads((Path(__file__).parent / "vllm_interface.json").read_text(encoding="utf-8"))


def _known(kind, given):
    unknown = set(given) - set(INTERFACE[kind])
    if unknown:
        raise TypeError(f"{kind} of vLLM {INTERFACE['vllm']} has no {sorted(unknown)}")
    return given


class SamplingParams:
    def __init__(self, **given):
        self.__dict__ = {"n": 1, "seed": None, "prompt_logprobs": None, "logprob_token_ids": None} | _known(
            "SamplingParams", given
        )
        if given.get("temperature") == 0 and self.n > 1:
            raise ValueError(f"n must be 1 when using greedy sampling, got {self.n}.")


class LoRARequest:
    def __init__(self, **given):
        self.__dict__ = _known("LoRARequest", given)


class LLM:
    """Loads the base anew, as a process of its own would; ``rslora`` False applies adapters at plain LoRA's scale."""

    started: ClassVar[list] = []
    rslora: ClassVar[bool] = True

    def __init__(self, **given):
        import torch
        from transformers import AutoModelForCausalLM

        _known("LLM", given)
        _known("CompilationConfig", given["compilation_config"])
        self.given, self.asked, self.ended = given, [], False
        self.model = AutoModelForCausalLM.from_pretrained(given["model"], dtype=getattr(torch, given["dtype"])).eval()
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shutdown))
        LLM.started.append(self)

    def _shutdown(self):
        self.ended = True

    def generate(self, prompts, sampling_params, *, lora_request, use_tqdm):
        _known("LLM.generate", {"prompts": 0, "sampling_params": 0, "lora_request": 0, "use_tqdm": 0})
        params = sampling_params if isinstance(sampling_params, list) else [sampling_params] * len(prompts)
        self.asked.append((prompts, params, lora_request))
        model = self.model
        if lora_request is not None:
            from peft import PeftConfig, PeftModel

            config = PeftConfig.from_pretrained(lora_request.lora_path)
            if config.r > self.given["max_lora_rank"]:
                raise ValueError(f"LoRA rank {config.r} is greater than max_lora_rank {self.given['max_lora_rank']}.")
            config.use_rslora = config.use_rslora and self.rslora
            model = PeftModel.from_pretrained(self.model, lora_request.lora_path, config=config).eval()
        try:
            return [
                self._one(model, one["prompt_token_ids"], wanted) for one, wanted in zip(prompts, params, strict=True)
            ]
        finally:
            if lora_request is not None:
                model.unload()

    def _one(self, model, ids, wanted):
        import torch

        with torch.inference_mode():
            logprobs = model(torch.tensor([ids])).logits[0].float().log_softmax(dim=-1)
        scored = None
        if wanted.prompt_logprobs is not None:
            scored = [None] + [
                {ids[i]: SimpleNamespace(logprob=float(logprobs[i - 1, ids[i]]))} for i in range(1, len(ids))
            ]
        labels = wanted.logprob_token_ids
        first = None if labels is None else [{i: SimpleNamespace(logprob=float(logprobs[-1, i])) for i in labels}]
        outputs = [self._drawn(model, ids, wanted, number, first) for number in range(wanted.n)]
        return SimpleNamespace(prompt_logprobs=scored, outputs=outputs[::-1])  # as they finish, not as they were asked

    def _drawn(self, model, ids, wanted, number, first):
        import torch

        stops = getattr(wanted, "stop_token_ids", None) or []
        greedy = wanted.temperature == 0
        if wanted.seed is not None:
            torch.manual_seed(wanted.seed + number)
        with torch.inference_mode():
            row = model.generate(
                torch.tensor([ids]),
                do_sample=not greedy,
                max_new_tokens=wanted.max_tokens,
                eos_token_id=stops or None,
                **({} if greedy else {"temperature": wanted.temperature, "top_p": wanted.top_p, "top_k": wanted.top_k}),
            )[0, len(ids) :].tolist()
        reason = "stop" if row[-1] in stops else "length"
        return SimpleNamespace(index=number, token_ids=row, finish_reason=reason, logprobs=first)


def install(monkeypatch):
    """Put the stand-in in vLLM's place."""
    LLM.started.clear()
    monkeypatch.setattr(LLM, "rslora", True)
    package, lora, request = (ModuleType(name) for name in ("vllm", "vllm.lora", "vllm.lora.request"))
    package.LLM, package.SamplingParams, request.LoRARequest = LLM, SamplingParams, LoRARequest
    for module in (package, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return LLM

"""The slices of config that judges and translators are made from: what they ask, and whom.

One place for studies and replays, so that a judge is the same judge in both.
"""

from collections.abc import Mapping
from typing import Any

from lang_persona.claude.config import Model
from lang_persona.claude.slices import RUN, make_slice
from lang_persona.environments import ClaudeTranslator, Environment, Judges
from lang_persona.errors import UserError
from lang_persona.judges import judge_asks, judge_class


def judging(environment: Environment, stage: str, judges: Judges | None = None) -> dict[str, list[dict[str, Any]]]:
    """What judging nodes read, by axis: each judge with its version, so that a new version judges again.

    Args:
        environment: Who can be asked.
        stage: What is judged, a study's name or "replay"; Claude's usage is recorded below it.
        judges: Other judges than the environment's.
    """
    named = judges or environment.judges
    return {
        axis: [judge_slice(environment, name, stage) for name in names]
        for axis, names in named.model_dump(mode="json").items()
    }


def judge_slice(environment: Environment, name: str, stage: str) -> dict[str, Any]:
    """One judge: name, version and, where it asks a model, the model and the prompt.

    Raises:
        UserError: The environment does not say whom it asks.
    """
    judge = judge_class(name)
    made: dict[str, Any] = {"name": name, "version": judge.version}
    asks = judge_asks(name)
    if asks == "claude":
        if environment.claude is None:
            raise UserError(f"{name} asks Claude, and this environment has no key 'claude' (see docs/claude.md)")
        made |= _claude(environment, environment.claude.judge, f"judge_{judge.axis}.yml", f"{stage}.{name}")
    if asks == "local_model":
        local = environment.local_judge
        if local is None:
            raise UserError(f"{name} asks a local model: name it (parameters.yml, key 'local_judge')")
        made |= {
            "base": environment.bases[local.base].model_dump(mode="json"),
            # The local judge's own batch size, where the engine has one.
            "engine": {
                key: local.batch_size if key == "batch_size" else value
                for key, value in environment.scoring.model_dump(mode="json").items()
            },
            "prompt": f"{local.prompts}/judge_{judge.axis}.yml",
        }
    return made


def translator_slice(environment: Environment, stage: str) -> dict[str, Any]:
    """The translator of a study's texts."""
    translator = environment.translator
    if not isinstance(translator, ClaudeTranslator):
        return translator.model_dump(mode="json")
    asked = _claude(environment, translator.model, "translation.yml", f"{stage}.translation")
    return {"kind": translator.kind, **asked}


def family(environment: Environment) -> dict[str, Any]:
    """Whether translator and judges are of one family, for the report.

    Returns:
        ``translator`` ("claude", "local" or "parallel_file"), ``judges`` (name -> "claude", "local_model" or
        "rules") and ``shared``, the judges that share the translator's.
    """
    judges: Mapping[str, Any] = environment.judges.model_dump()
    names = dict.fromkeys(name for group in judges.values() for name in group)
    kinds = {name: judge_asks(name) or "rules" for name in names}
    kind = environment.translator.kind
    return {"translator": kind, "judges": kinds, "shared": [name for name in names if kinds[name] == kind]}


def cost_slice(environment: Environment, stage: str) -> dict[str, Any]:
    """What the estimate of costs reads beside the slices of judges and translator."""
    claude = environment.claude
    run = None if claude is None else {"stage": stage, "sending": claude.sending.model_dump(mode="json")}
    return {"study": stage, RUN: run}


def checking_judges(judges: Judges) -> dict[str, list[str]]:
    """The judges that cross-check the deciding one, by axis: those behind the first that ask a model.

    One that follows rules shares too many weaknesses with another such judge to be a check of it.
    """
    named = judges.model_dump(mode="json")
    return {axis: [name for name in names[1:] if judge_asks(name)] for axis, names in named.items()}


def _claude(environment: Environment, model: Model, prompt: str, stage: str) -> dict[str, Any]:
    claude = environment.claude
    assert claude is not None  # checked with the environment
    return make_slice(
        model,
        f"{claude.prompts}/{prompt}",
        sending=claude.sending,
        stage=stage,
        missing_at_most=claude.missing_at_most,
    )

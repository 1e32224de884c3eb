"""Nodes of the cost of asking Claude."""

import logging
from collections import defaultdict
from typing import Any

from lang_persona.claude.config import Sending
from lang_persona.claude.slices import RUN, placed
from lang_persona.cost_plan import Drawn, Plan, actual_usage, estimate_plans, plan_judging, plan_translation
from lang_persona.probes import build_items
from lang_persona.recipes import recipe

logger = logging.getLogger(__name__)

#: Joins an arm, a seed, a probe and the kind of data to the argument name of an input.
SEPARATOR = "|"
NOTHING: dict[str, Any] = {"estimates": [], "total_usd": {"value": 0.0, "low": 0.0, "high": 0.0}}


@recipe(version=2)
def estimate_costs(
    config: dict[str, Any], others: dict[str, Any], first_batch: int, **given: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the default cells of a study will ask Claude, and what it was paid so far.

    ``given`` are configs, named ``translation``, ``<probe>|judges`` and ``<arm>|<seed>|<probe>|config``, and the
    study's ``sources`` and what probes ask; ``others`` is whatever exists of ``translations`` and
    ``<arm>|<seed>|<probe>|generations``. Nothing is sent but token counts, which are free, and ``first_batch`` rows of
    every job, if any.
    """
    data = {**others, **given}
    if config[RUN] is None:
        logger.info("%s: nothing asks Claude in this environment, so nothing is paid", config["study"])
        return {"study": config["study"], **NOTHING}, {"stages": [], "ledger": [], "usd": 0.0}
    sending: Sending = placed(config[RUN]["sending"])
    plans: list[Plan] = []
    if "translation" in data:
        plans += plan_translation(data["translation"], data["sources"], data.get("translations"))
    arms: dict[str, list[Drawn]] = defaultdict(list)
    for name, spec in data.items():
        if name.endswith(f"{SEPARATOR}config"):
            arm, seed, probe, _ = name.split(SEPARATOR)
            rows = data.get(SEPARATOR.join([arm, seed, probe, "generations"]))
            arms[probe].append(_drawn(spec, rows, data.get(f"{probe}{SEPARATOR}rows", ())))
    plans += plan_judging((data[f"{probe}{SEPARATOR}judges"], drawn) for probe, drawn in arms.items())
    estimated = estimate_plans(config["study"], plans, sending, first_batch)
    return estimated, actual_usage(config["study"], estimated["estimates"], sending)


def _drawn(spec: dict[str, Any], rows: list[dict[str, Any]] | None, asked: Any) -> Drawn:
    items = build_items(spec, asked)
    requests = [item.messages[-1]["content"] for item in items for _ in range(spec["samples"])]
    return Drawn(rows, requests, spec["sampling"]["max_new_tokens"])

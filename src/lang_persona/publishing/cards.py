"""Cards of repositories: what the hub shows first, written from the run alone and checked by the hub's own library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lang_persona.errors import UserError
from lang_persona.metrics import ALL, CHOICE
from lang_persona.publishing.repository import CARD, Repository
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
#: Figures of ``run.json`` that a card repeats.
TRAINED = ("rows", "steps", "tokens_seen", "seconds", "device")


def evaluation(metrics: pd.DataFrame, config: Row) -> list[dict[str, Any]]:
    """The rates of hits of the deciding judge, a row for each seed, probe and value that it varies.

    Args:
        metrics: The metrics of the condition and of the baseline.
        config: :func:`lang_persona.publishing.slices.publishing_slice`.

    Returns:
        Rows ``probe, seed, value, metric, successes, n, estimate, low, high, method`` and ``before``, the baseline's
        rate under the same seed (None where it was not evaluated).
    """
    rates: dict[tuple[Any, ...], Any] = {}
    for row in metrics.to_dict("records"):
        spec = config["probes"].get(row["probe"])
        if spec is None or row["metric"] != spec["hit"] or row["judge"] != (spec["judge"] or CHOICE):
            continue
        variables = json.loads(row["variables"])
        level = variables.pop(spec["within"], ALL) if spec["within"] else ALL
        if set(variables) == {spec["over"]} and level == ALL:
            rates[row["condition"], row["seed"], row["probe"], variables[spec["over"]]] = row
    found = []
    for (arm, seed, probe, value), row in rates.items():
        if arm == config["condition"]:
            before = rates.get((BASELINE, seed, probe, value))
            kept = {key: row[key] for key in ("metric", "successes", "n", "estimate", "low", "high", "method")}
            found.append(
                {"probe": probe, "seed": seed, "value": value, **kept, "before": before and before["estimate"]}
            )
    return found


def model_card(config: Row, publishing: Row, names: Mapping[str, str], context: Row) -> str:
    """The card of what was trained; ``context`` is what :func:`lang_persona.publishing.prepare.prepare` shows in it."""
    from huggingface_hub import EvalResult, ModelCardData

    first = min((row["seed"] for row in context["evaluation"]), default=None)
    shown = [row for row in context["evaluation"] if row["probe"] == config["headline_probe"] and row["seed"] == first]
    data = ModelCardData(
        base_model=config["base"]["name"],
        datasets=_unique([names["dataset"], *(one["dataset"] for one in context["materials"].values())]),
        language=config["languages"] or None,
        library_name="transformers" if context["whole"] else "peft",
        license=publishing["licence"],
        model_name=names["model"].rpartition("/")[2],
        pipeline_tag="text-generation",
        tags=[*([] if context["whole"] else ["lora"]), "lang_persona", config["study"]],
        eval_results=[
            EvalResult(
                task_type="text-generation",
                dataset_type=names["dataset"],
                dataset_name=row["probe"],
                dataset_config=f"{config['probes'][row['probe']]['over']} {row['value']}",
                metric_type=row["metric"],
                metric_name=f"{row['metric']}, {row['method']} 95% interval {row['low']:.3f} to {row['high']:.3f}, "
                f"n = {row['n']}",
                metric_value=row["estimate"],
            )
            for row in shown
        ]
        or None,
    )
    return _card("model.md.j2", data, config, publishing, names, context)


def dataset_card(config: Row, publishing: Row, names: Mapping[str, str], context: Row, views: Row) -> str:
    """The card of a dataset; ``views`` are its files by the name under which the hub shows them."""
    from huggingface_hub import DatasetCardData

    passed_on = [one["licence_name"] for one in context["materials"].values() if one["redistribute"]]
    data = DatasetCardData(
        language=config["languages"] or None,
        license=_unique([publishing["licence"], *passed_on]) or None,
        pretty_name=f"{config['title']}: {config['condition']}",
        task_categories=["text-generation"],
        tags=["lang_persona", config["study"]],
        configs=[{"config_name": name, "data_files": pattern} for name, pattern in views.items()],
    )
    return _card("dataset.md.j2", data, config, publishing, names, context)


def check_repository(repository: Repository) -> None:
    """Check a repository's name and card with the hub's own library, as far as it does so without network.

    Raises:
        UserError: The hub would refuse the name, or can't read the card.
    """
    from huggingface_hub import DatasetCard, ModelCard
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository.id)
        content = repository.files[CARD]
        assert isinstance(content, bytes)
        card = (ModelCard if repository.type == "model" else DatasetCard)(content.decode("utf-8"))
    except (HFValidationError, ValueError) as error:
        raise UserError(
            f"the hub would refuse {repository.id}: {error}. Shorter or other names: publishing.prefix, or the "
            "condition's own"
        ) from error
    if not card.data.to_dict():
        raise UserError(f"the card of {repository.id} has no metadata")


def _unique(values: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value is not None))


def _card(template: str, data: Any, config: Row, publishing: Row, names: Mapping[str, str], context: Row) -> str:
    body = _templates().get_template(template).render(config=config, publishing=publishing, names=names, **context)
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("lang_persona.publishing"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    templates.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    return templates

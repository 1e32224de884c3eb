"""Put a condition's repositories together from what it trained and was evaluated on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lang_persona import metrics as metrics_
from lang_persona.datasets.folders import MODEL, RUN, SETTINGS, Adapter
from lang_persona.publishing.cards import TRAINED, check_repository, dataset_card, evaluation, model_card
from lang_persona.publishing.repository import CARD, Content, Publication, Repository, hashes
from lang_persona.publishing.withhold import publishable_examples, publishable_rows
from lang_persona.studies import BASELINE

Row = Mapping[str, Any]
#: Kinds of rows of a probe that are published.
ROWS = ("generations", "judgements", "choice_scores")
#: All in one format: the hub's viewer takes the format of one file for that of all.
EXAMPLES, METRICS, WITHHELD = "examples.jsonl", "metrics.jsonl", "withheld.jsonl"


def prepare(
    config: Row,
    publishing: Row,
    adapters: Mapping[int, Adapter],
    examples: Iterable[Row],
    rows: Mapping[tuple[int, str, str], Callable[[], list[Row]]],
    metrics: Iterable[Any],
    provenance: Row,
) -> Publication:
    """The model repository (adapters, or whole models) and the dataset repository of one condition.

    Args:
        config: :func:`lang_persona.publishing.slices.publishing_slice`.
        publishing: :class:`lang_persona.run_parameters.Publishing`, as plain data.
        adapters: The adapter of every seed that was trained; with none there is nothing to publish.
        examples: The condition's mixture.
        rows: What loads the rows of a seed, a probe and a kind of :data:`ROWS`.
        metrics: Frames of metrics of the condition and of the untrained base.
        provenance: Versions and keys of everything upstream, commit and packages.

    Raises:
        UserError: The hub would refuse a name or a card.
    """
    if not adapters:
        return Publication(())
    names = repository_names(config, publishing)
    data, withheld = _data_files(config, examples, rows)
    table = metrics_.concat(metrics)
    data[METRICS] = _lines(json.loads(table.to_json(orient="records")))  # bounds that are not told become null
    model: dict[str, Content] = {}
    for seed, adapter in sorted(adapters.items()):
        model |= {f"seed_{seed}/{name}": content for name, content in _learnt_files(adapter, config["base"]).items()}
    runs = {f"seed_{seed}": adapter.run for seed, adapter in sorted(adapters.items())}
    context = {
        "seeds": list(runs),
        "whole": any(name.endswith(f"/{MODEL}") for name in model),
        "runs": runs,
        "trained": TRAINED,
        "recipe": {key: value for key, value in next(iter(runs.values()))["recipe"].items() if value is not None},
        "evaluation": evaluation(table, config),
        "materials": _held(config, {probe for _, probe, _ in rows}),
        "withheld": withheld,
        "provenance": _own(provenance, config),
        "model_files": list(hashes(model)),
        "dataset_files": list(hashes(data)),
    }
    model[CARD] = model_card(config, publishing, names, context).encode()
    data[CARD] = dataset_card(config, publishing, names, context, _views(data)).encode()
    made = (Repository("model", names["model"], model), Repository("dataset", names["dataset"], data))
    for repository in made:
        check_repository(repository)
    return Publication(made, tuple({key: one[key] for key in ("of", "file", "rows")} for one in withheld))


def repository_names(config: Row, publishing: Row) -> dict[str, str]:
    """The ids of a condition's repositories, by type."""
    name = f"{publishing['prefix']}-{config['study']}-{config['condition']}"
    owner = "" if publishing["namespace"] is None else f"{publishing['namespace']}/"
    return {"model": f"{owner}{name}", "dataset": f"{owner}{name}-data"}


def _data_files(
    config: Row, examples: Iterable[Row], rows: Mapping[tuple[int, str, str], Callable[[], list[Row]]]
) -> tuple[dict[str, Content], list[dict[str, Any]]]:
    kept, withheld = publishable_examples(examples, config)
    files = {EXAMPLES: _lines(kept)} if kept else {}
    named = [{"id": row_id, "of": one["of"]} for one in withheld for row_id in one["ids"]]
    if named:
        files[WITHHELD] = _lines(named)
    for (seed, probe, kind), load in sorted(rows.items()):
        file = f"seed_{seed}/{probe}/{kind}.jsonl"
        # Judgements hold labels of completions, and no prompt.
        prompts = {} if kind == "judgements" else config["probes"][probe]["prompts"]
        own, out = publishable_rows(load(), prompts, config["materials"], file)
        files[file] = _lines(own)
        withheld += out
    return dict(files), withheld


def _held(config: Row, probes: set[str]) -> dict[str, Row]:
    """The materials of the mixture and of the probes that were asked."""
    used = {name for held in config["components"].values() for name in held}
    used |= {name for probe in probes for name in config["probes"][probe]["prompts"].values()}
    return {name: one for name, one in config["materials"].items() if name in used}


def _own(provenance: Row, config: Row) -> dict[str, Any]:
    """Provenance without other conditions' data, which is upstream because all mixtures are audited together."""
    study, own = config["study"], (config["condition"], BASELINE)
    datasets = {
        name: stamp
        for name, stamp in provenance.get("datasets", {}).items()
        if name.count(".") == 1 or name.removeprefix(f"{study}.").split(".")[0] in own
    }
    return {**provenance, "datasets": datasets} if provenance else {}


def _learnt_files(adapter: Adapter, base: Row) -> dict[str, Content]:
    """What a cell learnt; its settings name the base as everybody knows it, not where it lay."""
    files: dict[str, Content] = {
        path.relative_to(adapter.path).as_posix(): path for path in adapter.path.rglob("*") if path.is_file()
    }
    of_base = {"base_model_name_or_path": base["name"] or base["path"], "revision": base["revision"]}
    name, known = (MODEL, {}) if MODEL in files else (SETTINGS, of_base)  # a whole model is its own base
    settings = json.loads((adapter.path / name).read_text(encoding="utf-8"))
    settings.pop("_name_or_path", None)
    files[name] = json.dumps({**settings, **known}, indent=2, ensure_ascii=False).encode()
    files[RUN] = json.dumps(adapter.run, indent=1, ensure_ascii=False).encode()
    return files


def _views(files: Mapping[str, Content]) -> dict[str, str]:
    """What the hub's viewer shows: a view a kind of file, all seeds together."""
    views = {Path(name).stem: name for name in (EXAMPLES, METRICS) if name in files}
    for name in files:
        if name.startswith("seed_"):
            _, probe, file = name.split("/")
            views[f"{probe}.{Path(file).stem}"] = f"seed_*/{probe}/{file}"
    return views


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()

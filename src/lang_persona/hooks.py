"""What happens around a run: recipe keys on datasets, provenance for reports, errors without tracebacks.

Nothing else depends on these hooks: kedro-viz, the registry and notebooks work without them.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lang_persona.cells import STAGES
from lang_persona.claude.secrets import VARIABLE, has_key
from lang_persona.claude.slices import asks_claude
from lang_persona.datasets.folders import ReportDataset
from lang_persona.datasets.other_cells import OtherCells
from lang_persona.datasets.tables import TextDataset
from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.errors import UserError, mistake_in
from lang_persona.freshness import keys_of
from lang_persona.paths import locate
from lang_persona.provenance import commit, made_here, made_with, packages
from lang_persona.recipes import COLLECTS, RecipeKeys, is_order_only
from lang_persona.residency import release
from lang_persona.run_parameters import Tracking, require_trackers, require_vllm
from lang_persona.runners.dry_runner import DRY_RUN
from lang_persona.runners.heavy import heavy_model

logger = logging.getLogger(__name__)

#: Stages whose slices tell of engines that they do not ask.
TELL_OF_ENGINES = {"reporting", "cost"}


class ProjectHooks:
    """Hooks of every ``kedro run``."""

    def __init__(self) -> None:
        self._parameters: Mapping[str, Any] = {}
        self._env: str | None = None
        self._keys: RecipeKeys | None = None
        self._started: dict[str, float] = {}
        self._made_here: dict[str, Any] = {}  # of this run: a notebook has many, and commits may lie between them

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Keep libraries quiet and offline-friendly before any of them is imported."""
        self._env = context.env
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    @hook_impl
    def after_catalog_created(self, parameters: Mapping[str, Any]) -> None:
        """Remember the parameters that recipe keys are computed from."""
        self._parameters = parameters

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Give every dataset of the run its recipe key, mark those that may be missing, and refuse what can't end."""
        made = {output for node in pipeline.nodes for output in node.outputs}
        everything = pipelines["all"]
        keys, present = keys_of(everything, self._parameters, catalog, made)
        self._keys = keys
        for name in pipeline.datasets():
            dataset = catalog.get(name)
            if isinstance(dataset, RecipeDataset):
                dataset.recipe_key = keys.key(name)
                dataset.may_be_missing = is_order_only(name)
                dataset.made_by = _made_by(name, keys)
        self._warn_without_key(pipeline)
        self._refuse_in_vain(run_params, pipeline, catalog)
        for node in pipeline.nodes:
            for dataset in _made_here(node, catalog):
                dataset.made_from = keys.recipe(node)
            if COLLECTS in node.tags:
                self._attach_others(node, everything, catalog, present)

    def _refuse_in_vain(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Stop a run that would end, after its work, for want of something that can be known now.

        Raises:
            UserError: A tracker or vLLM is not installed, or a replay is read whose completions are not named.
        """
        if "params:tracking" in pipeline.inputs():
            require_trackers(Tracking.model_validate(self._parameters["params:tracking"]))
        if run_params["runner"] != DRY_RUN and self._needs_vllm(pipeline, catalog, run_params["only_missing_outputs"]):
            require_vllm()
        if "replay.generations" in pipeline.inputs() and self._parameters["params:replay"]["replay_file"] is None:
            raise UserError(
                "name the completions whose replay is read: give the same --params replay_file=<generations.jsonl> "
                "that `kedro run --pipelines replay` got"
            )

    def _needs_vllm(self, pipeline: Pipeline, catalog: DataCatalog, only_missing: bool) -> bool:
        """Whether a node that is about to run is asked of vLLM."""
        nodes = [node for node in pipeline.nodes if TELL_OF_ENGINES.isdisjoint(node.tags)]
        heavy = {node: heavy_model(node, self._parameters.get) for node in nodes}
        asking = [node for node, model in heavy.items() if model is not None and model.engine == "vllm"]
        return any(not (only_missing and all(catalog.get(name).exists() for name in node.outputs)) for node in asking)

    def _warn_without_key(self, pipeline: Pipeline) -> None:
        """Say before hours of training that Claude can't be asked after them."""
        asking = [
            name
            for name in sorted(pipeline.inputs())
            if name.startswith("params:") and asks_claude(self._parameters.get(name))
        ]
        if asking and not has_key():
            logger.warning(
                "%s is not set, and this run asks Claude (%s). It goes on as far as answers are in the cache",
                *(VARIABLE, ", ".join(asking[:3]) + (" ..." if len(asking) > 3 else "")),
            )

    @staticmethod
    def _attach_others(node: Node, everything: Pipeline, catalog: DataCatalog, present: Callable[[str], bool]) -> None:
        """Give a collecting node what it would collect in the whole project, as far as that exists."""
        whole = next(other for other in everything.nodes if other.name == node.name)
        arguments = dict(whole._inputs) if isinstance(whole._inputs, dict) else {}
        members = {}
        for argument, name in arguments.items():
            dataset = catalog.get(name)
            if name not in node.inputs and isinstance(dataset, RecipeDataset) and present(name):
                members[argument] = dataset
        for name in node.inputs:
            others = catalog.get(name)
            if isinstance(others, OtherCells):
                others.members = members

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog) -> dict[str, Any] | None:
        """Start the clock, and hand a report the versions of everything it is made of."""
        self._started[node.name] = time.monotonic()
        if "params:provenance" not in node.inputs or self._keys is None:
            return None
        upstream = pipelines["all"].to_nodes(node.name)
        stamps = {}
        for name in sorted(upstream.datasets() - set(node.outputs)):
            dataset = catalog.get(name)
            if isinstance(dataset, RecipeDataset):
                dataset.recipe_key = self._keys.key(name)
                if dataset.exists():
                    stamps[name] = dataset.stamp()
        return {
            "params:provenance": {
                "datasets": {name: {key: stamp[key] for key in ("version", "key")} for name, stamp in stamps.items()},
                "packages": packages(),
                "commit": commit(),
                "made_with": made_with(stamps.values()),
                "command": " ".join(["kedro", *sys.argv[1:]]),
                "environment": self._env or "laptop",
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                **self._paid(node.name.split(".")[0]),
            }
        }

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Let versions say how long they took to make, so that a dry run can tell, and with which code and packages."""
        seconds = round(time.monotonic() - self._started[node.name], 3)
        self._made_here = self._made_here or made_here()
        for dataset in _made_here(node, catalog):
            dataset.made_from = {**dataset.made_from, "seconds": seconds, **self._made_here}

    def _paid(self, study: str) -> dict[str, Any]:
        """What Claude was paid for a study by the ledger, beside its estimates; nothing where it was never asked."""
        claude = self._parameters.get("params:claude")
        path = locate(claude["sending"]["cache"]) if claude else None
        if path is None or not path.is_file():
            return {}
        from lang_persona.claude.cache import Cache
        from lang_persona.claude.cost import compare

        with Cache(path) as cache:
            stages = compare(cache, f"{study}.")
        paid = [row for row in stages if row["answers"]]
        said = ", ".join(f"{row['stage'].split('.', 1)[1]} ${row['usd']:.4f}" for row in paid)
        total = f"${sum(row['usd'] for row in paid):.4f} ({said})"
        return {"costs": stages, "api_cost": total if paid else None}

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Show the current reports at their stable paths, say where, and give the resident model back."""
        release()
        if run_params["runner"] == DRY_RUN:
            return
        folders: set[Path] = set()
        for name in sorted(pipeline.all_outputs()):
            dataset = catalog.get(name) if name.endswith(".report") else None
            if isinstance(dataset, ReportDataset) and (page := dataset.publish()) is not None:
                print(f"Report: {_relative(page)}")
                folders.add(page.parent.parent)
            said = name.startswith("human_labels.") or name.endswith(".plan_page")
            text = catalog.get(name) if said else None
            if isinstance(text, TextDataset) and text.announced is not None:
                print(f"{text.announced}: {_relative(text.place())}")
        for folder in sorted(folders):
            from lang_persona.reporting.index import write_index

            if (index := write_index(folder)) is not None:
                print(f"All reports: {_relative(index)}")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Show a user's mistake as its message alone, however deep it was raised."""
        release()
        if (mistake := mistake_in(error)) is not None:
            raise mistake from None


def _made_by(name: str, keys: RecipeKeys) -> str:
    """The command that makes a dataset."""
    if name.startswith("replay."):
        return "`kedro run --pipelines replay` with the same --params"
    stages = [stage for stage in STAGES if name in keys and stage in keys.maker(name).tags]
    return f"`kedro run --pipelines {stages[0]} --tags={name.split('.')[0]}`" if stages else "the stage that makes it"


def _made_here(node: Node, catalog: DataCatalog) -> list[RecipeDataset]:
    """The keyed outputs of a node."""
    return [one for name in node.outputs if isinstance(one := catalog.get(name), RecipeDataset)]


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

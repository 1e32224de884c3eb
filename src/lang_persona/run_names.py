"""Names given to ``kedro run``: a wrong one is told in one message, with names close to it and what lists them all.

Kedro answers a wrong name with a traceback, and its hooks see errors of nodes only. So the project's ``run`` is Kedro's
with a check before it; its options stay Kedro's.
"""

import copy
import os
from collections.abc import Collection, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import pipelines, settings
from kedro.pipeline import Pipeline
from kedro.utils import load_obj

from lang_persona.cells import STAGES
from lang_persona.errors import UserError, did_you_mean
from lang_persona.paths import project_path

RUNNERS = (
    "SequentialRunner",
    "ThreadRunner",
    "ParallelRunner",
    "lang_persona.runners.DryRunner",
    "lang_persona.runners.RayRunner",
)
NODES = "`kedro registry describe all` names all"
#: Options whose values are names of the graph -> the word for one of them, what lists all (None: they are few).
KINDS = {
    "tags": ("tag", None),
    "namespaces": ("namespace", f"{NODES} nodes, each after its namespace"),
    "node_names": ("node", NODES),
    "from_nodes": ("node", NODES),
    "to_nodes": ("node", NODES),
    "from_inputs": ("dataset", "`kedro catalog resolve-patterns` names all"),
    "to_outputs": ("dataset", "`kedro catalog resolve-patterns` names all"),
    "load_versions": ("dataset", "`kedro catalog resolve-patterns` names all"),
}
#: Those of them that choose nodes, as Kedro's ``Pipeline.filter`` calls them.
FILTERS = {name: name for name in KINDS if name != "load_versions"} | {"namespaces": "node_namespaces"}


def checked(command: click.Command) -> click.Command:
    """Kedro's ``run`` that tells wrong names in one message; other errors stay what they are."""
    run = command.callback
    assert run is not None

    @wraps(run)
    def callback(**given: Any) -> Any:
        check_names(given, project_path())
        try:
            return run(**given)
        except ValueError as error:
            if (message := nothing_chosen(given)) is None:
                raise
            raise UserError(message) from error

    own = copy.copy(command)
    own.callback = callback
    return own


def check_names(given: Mapping[str, Any], project: Path) -> None:
    """Refuse names that nothing has.

    Args:
        given: Values of the options of ``kedro run``.
        project: The project's folder.

    Raises:
        UserError: All of one kind that are wrong, with names close to each.
    """
    _check_environment(given["env"] or os.environ.get("KEDRO_ENV"), given["conf_source"], project)
    if given["runner"]:
        _check_runner(given["runner"])
    chosen = _chosen(given)
    pipelines.set_requested(chosen or None)  # as Kedro's session will, which else makes the graph a second time
    _refuse("pipeline", chosen, set(pipelines), "`kedro registry list` names all")
    if not any(given[option] for option in KINDS):
        return
    nodes = {id(node): node for pipeline in pipelines.values() for node in pipeline.nodes}.values()
    names = {node.name for node in nodes}
    known: dict[str, Collection[str]] = {
        "tag": {tag for node in nodes for tag in node.tags},
        "namespace": {prefix for node in nodes if node.namespace for prefix in _prefixes(node.namespace)},
        "node": names,
        "dataset": {name for node in nodes for name in (*node.inputs, *node.outputs)},
    }
    for option, (kind, listing) in KINDS.items():
        _refuse(kind, given[option] or (), known[kind], listing or f"there are {', '.join(sorted(known[kind]))}")


def nothing_chosen(given: Mapping[str, Any]) -> str | None:
    """What to say where each name exists but no node of the chosen pipelines fits them; None where some do."""
    chosen = _chosen(given)
    filters = {new: list(given[option]) for option, new in FILTERS.items() if given[option]}
    if not set(chosen) <= set(pipelines) or _holds(chosen or ["__default__"], filters):
        return None
    what = ", ".join(f"{KINDS[option][0]} {name}" for option in FILTERS for name in given[option])
    said = f"{'pipeline ' + ', '.join(chosen) if chosen else 'the default pipeline'} has no node of {what}"
    default_only = not chosen or set(chosen) & set(STAGES)
    said += " (it holds default conditions and probes only)" if default_only else ""
    command = _instead(chosen, filters)
    return f"{said}: `{command}`" if command else f"{said}; `kedro registry describe <pipeline>` lists its nodes"


def _instead(chosen: list[str], filters: dict[str, list[str]]) -> str | None:
    """A command whose pipeline holds what was asked for."""
    stages = [name for name in chosen if name in STAGES]
    if stages and "tags" not in filters:
        filters = {**filters, "tags": stages}
    namespaces = filters.get("node_namespaces", [])
    without = {option: names for option, names in filters.items() if option != "node_namespaces"}
    if namespaces and set(namespaces) <= set(pipelines) and _holds(namespaces, without):
        return _command(namespaces, without)
    narrow = namespaces or "node_names" in filters  # a whole stage of everything is nothing to suggest
    return _command(["all"], filters) if narrow and _holds(["all"], filters) else None


def _command(chosen: list[str], filters: Mapping[str, list[str]]) -> str:
    options = {"node_names": "nodes", "node_namespaces": "namespaces"}
    said = [f"--{options.get(name, name).replace('_', '-')}={','.join(values)}" for name, values in filters.items()]
    return " ".join([f"kedro run --pipelines {','.join(chosen)}", *said])


def _holds(chosen: Iterable[str], filters: Mapping[str, Any]) -> bool:
    nodes = dict.fromkeys(node for name in chosen for node in pipelines[name].nodes)
    try:
        return bool(Pipeline(list(nodes)).filter(**filters).nodes)
    except ValueError:
        return False


def _chosen(given: Mapping[str, Any]) -> list[str]:
    return [given["pipeline"]] if given["pipeline"] else list(given["pipelines"] or ())


def _check_environment(env: str | None, conf_source: str | None, project: Path) -> None:
    conf = Path(conf_source) if conf_source else project / settings.CONF_SOURCE
    if env and conf.is_dir() and not (conf / env).is_dir():
        there = sorted(folder.name for folder in conf.iterdir() if folder.is_dir() and folder.name != "base")
        _refuse("environment", [env], there, f"there are {', '.join(there)} (folders of {conf.name}/)")


def _check_runner(runner: str) -> None:
    try:
        load_obj(runner, "kedro.runner")
    except (AttributeError, ModuleNotFoundError) as error:
        module = runner.rpartition(".")[0]
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            raise  # something that the runner needs is not installed
        _refuse("runner", [runner], RUNNERS, f"there are {', '.join(RUNNERS)}")


def _refuse(kind: str, given: Iterable[str], known: Collection[str], listing: str) -> None:
    wrong = [name for name in given if name not in known]
    if wrong:
        raise UserError(" ".join([*(f"no {kind} {name!r};{did_you_mean(name, known)}" for name in wrong), listing]))


def _prefixes(namespace: str) -> Iterable[str]:
    parts = namespace.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))

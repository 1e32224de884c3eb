"""The project's own commands, beside Kedro's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option
from kedro.framework.session import KedroSession

from lang_persona.run_names import checked


@click.group(name="lang_persona")
def cli() -> None:
    """Commands of lang_persona."""


run = checked(kedro_run)  # also what a packaged project runs
cli.add_command(run)


@cli.command()
@env_option
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.pass_obj
def prune(metadata: Any, env: str | None, yes: bool) -> None:
    """Remove versions that nothing refers to, and checkpoints of trainings that were given up.

    Kept is what the config and code of any environment with this data root refers to, what its reports list, and what a
    study or any environment names by its path. Not to be used while something runs there.
    """
    from kedro.framework.project import pipelines

    from lang_persona.context import Parameters
    from lang_persona.paths import locate
    from lang_persona.prune import current_versions, left_checkpoints, named_files, prunable, remove
    from lang_persona.slices.plain import plain
    from lang_persona.studies import load_studies

    roots, current, checkpoints = {}, {}, {}
    conf = Path(metadata.project_path) / "conf"
    studies = load_studies(conf / "base" / "studies")
    named = named_files([plain(study) for study in studies.values()])
    for folder in sorted(conf.iterdir()):
        if folder.name == "base" or not any(folder.glob("parameters*.yml")):
            continue
        with KedroSession.create(project_path=metadata.project_path, env=folder.name) as session:
            context = session.load_context()
            roots[folder.name] = locate(context.config_loader["globals"]["data_root"]).resolve()
            named |= named_files(context.params)  # another environment's root may be where a model came from
            checkpoints[folder.name] = locate(context.params["tracking"]["checkpoints"]).resolve()
            if roots[folder.name].exists():
                parameters = Parameters(context.params)
                current[folder.name] = current_versions(pipelines["all"], parameters, context.catalog, studies)
    chosen = env or context.config_loader.default_run_env
    if chosen not in roots:
        raise click.BadParameter(f"no environment {chosen!r}; there are {', '.join(roots)}", param_hint="--env")
    root = roots[chosen]
    sharing = [name for name in roots if roots[name] == root and name in current]
    found = prunable(root, {version for name in sharing for version in current[name].values()}, named)
    resuming = [name for name in roots if checkpoints[name] == checkpoints[chosen]]
    finished = set.intersection(*(_trained(current.get(name, {})) for name in resuming))
    left = left_checkpoints(checkpoints[chosen], finished)
    versions = f"{len(found)} versions and {len(left)} checkpoints"
    found += left
    for version in found:
        place = version.path.relative_to(root) if version.path.is_relative_to(root) else version.path
        click.echo(f"{version.bytes / 1e6:10.1f} MB  {version.why:10}  {place}")
    total = f"{versions}, {sum(version.bytes for version in found) / 1e6:.1f} MB"
    click.echo(f"Nothing refers to {total} of {root} (environments: {', '.join(sharing)})")
    if found and (yes or click.confirm("Remove them?")):
        for _ in remove(found):
            pass
        click.echo(f"Removed {total}")


def _trained(current: Mapping[str, Path]) -> set[str]:
    """Cells that have a current adapter."""
    return {name.removesuffix(".adapter") for name in current if name.endswith(".adapter")}

"""The project's own commands, beside Kedro's."""

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run
from kedro.framework.cli.utils import env_option
from kedro.framework.session import KedroSession

from lang_persona.run_names import checked


@click.group(name="lang_persona")
def cli() -> None:
    """Commands of lang_persona."""


cli.add_command(checked(run))


@cli.command()
@env_option
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.pass_obj
def prune(metadata: Any, env: str | None, yes: bool) -> None:
    """Remove versions that nothing refers to.

    Kept is what the config and code of any environment with this data root refers to, and what its reports list. Not to
    be used while something runs there.
    """
    from kedro.framework.project import pipelines

    from lang_persona.context import Parameters
    from lang_persona.paths import locate
    from lang_persona.prune import current_versions, prunable, remove
    from lang_persona.studies import load_studies

    roots, current = {}, {}
    conf = Path(metadata.project_path) / "conf"
    studies = load_studies(conf / "base" / "studies")
    for folder in sorted(conf.iterdir()):
        if folder.name == "base" or not any(folder.glob("parameters*.yml")):
            continue
        with KedroSession.create(project_path=metadata.project_path, env=folder.name) as session:
            context = session.load_context()
            roots[folder.name] = locate(context.config_loader["globals"]["data_root"]).resolve()
            if roots[folder.name].exists():
                parameters = Parameters(context.params)
                current[folder.name] = current_versions(pipelines["all"], parameters, context.catalog, studies)
    chosen = env or context.config_loader.default_run_env
    if chosen not in roots:
        raise click.BadParameter(f"no environment {chosen!r}; there are {', '.join(roots)}", param_hint="--env")
    root = roots[chosen]
    sharing = [name for name in roots if roots[name] == root and name in current]
    found = prunable(root, set().union(*(current[name] for name in sharing)))
    for version in found:
        click.echo(f"{version.bytes / 1e6:10.1f} MB  {version.why:10}  {version.path.relative_to(root)}")
    total = f"{len(found)} versions, {sum(version.bytes for version in found) / 1e6:.1f} MB"
    click.echo(f"Nothing refers to {total} below {root} (environments: {', '.join(sharing)})")
    if found and (yes or click.confirm("Remove them?")):
        for _ in remove(found):
            pass
        click.echo(f"Removed {total}")

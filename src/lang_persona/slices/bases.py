"""The base of an arm, as plain data."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.errors import UserError
from lang_persona.slices.plain import plain
from lang_persona.studies import Study


def base_slice(study: Study, environment: Environment, arm: str) -> dict[str, Any]:
    """The base that an arm is trained or evaluated on; a checkpoint from elsewhere is a base of its own.

    Raises:
        UserError: The environment maps no such base.
    """
    key = study.base_key(arm)
    if key not in environment.bases:
        raise UserError(
            f"study {study.name} needs a base {key!r}; this environment maps {', '.join(environment.bases)} "
            "(parameters.yml, key 'bases')"
        )
    base = plain(environment.bases[key])
    checkpoint = study.arms[arm].checkpoint if arm in study.arms else None
    if checkpoint is None:
        return base
    revision = study.arms[arm].revision
    if revision is None:
        return {**base, "path": checkpoint, "name": None, "revision": None}
    return {**base, "path": None, "name": checkpoint, "revision": revision}

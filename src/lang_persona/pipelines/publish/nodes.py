"""Nodes of publishing."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lang_persona.publishing.prepare import ROWS, prepare
from lang_persona.publishing.repository import Publication
from lang_persona.publishing.upload import upload
from lang_persona.recipes import recipe
from lang_persona.studies import BASELINE

log = logging.getLogger(__name__)

#: Joins an arm, a seed, a probe and the kind of data to the argument name of an input.
SEPARATOR = "|"


@recipe(version=2)
def prepare_publication(
    config: dict[str, Any],
    publishing: dict[str, Any],
    provenance: dict[str, Any],
    others: Mapping[str, Callable[[], Any]],
    **given: Any,
) -> Publication:
    """The repositories of one condition, from whatever of it was trained and evaluated.

    ``others`` loads ``examples``, ``<arm>|<seed>||adapter`` and ``<arm>|<seed>|<probe>|<kind>`` of the condition, and
    the baseline's metrics; ``given`` are the same as values.
    """
    loads: dict[str, Callable[[], Any]] = {**others, **{name: partial(_value, one) for name, one in given.items()}}
    adapters, rows, metrics = {}, {}, []
    examples = loads.pop("examples", list)
    for name, load in loads.items():
        arm, seed, probe, kind = name.split(SEPARATOR)
        if kind == "adapter":
            adapters[int(seed)] = load()
        elif kind == "metrics":
            metrics.append(load)
        elif kind in ROWS and arm != BASELINE:
            rows[int(seed), probe, kind] = load
    if not adapters:
        log.info("%s.%s is not trained: nothing to publish", config["study"], config["condition"])
        return Publication(())
    return prepare(config, publishing, adapters, examples(), rows, [load() for load in metrics], provenance)


def _value(value: Any) -> Any:
    return value


@recipe(version=1)
def upload_publication(publication: Publication, publishing: dict[str, Any]) -> list[dict[str, str]]:
    """Where the repositories of one condition lie: their folders, and their commits where they were uploaded."""
    return upload(publication, publishing)

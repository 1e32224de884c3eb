"""Nodes of data engineering."""

from typing import Any

from pydantic import TypeAdapter

from lang_persona.judges import get_judge
from lang_persona.recipes import recipe
from lang_persona.sources import read_source
from lang_persona.sources import select_sources as select
from lang_persona.studies import Selection, Source


@recipe(version=1)
def select_sources(config: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Read a study's source and keep the rows that pass; see :mod:`lang_persona.sources`."""
    source: Any = TypeAdapter(Source).validate_python(config["source"])
    selection = Selection.model_validate(config["selection"])
    judge = get_judge(config["judge"]["name"])
    return select(read_source(source, selection.language), selection, lambda text: judge.judge([text])[0].label)

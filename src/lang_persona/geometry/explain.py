"""What a study's probes spread, held against every distance that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lang_persona.geometry.classification import linguistic_distances
from lang_persona.geometry.divergence import answer_divergences
from lang_persona.geometry.relate import Distances, Spread, relate, spread_of_languages, spread_to_personas

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
#: Names of the measures; those in the base have their layer behind them.
DESCENT, BASE_LAYER, ANSWERS = "descent", "base, layer", "answers of the base"


def explain_spread(
    frame: pd.DataFrame,
    config: Row,
    judges: Mapping[str, str],
    geometry: Row | None,
    scores: Mapping[str, Sequence[Row]],
) -> list[dict[str, Any]]:
    """Spread of the reply language over directives, and of wrong answers over personas, each with what explains it.

    Args:
        frame: The metrics table of the study.
        config: The study's ``report``.
        judges: The judge that decides, by axis.
        geometry: :func:`lang_persona.geometry.representation_distances`; None where it was not measured.
        scores: The untrained base's choices, by probe.

    Returns:
        A row for each probe that shows any spread: ``probe, what`` ("language", "persona"), ``spread`` (rows of
        :class:`lang_persona.geometry.relate.Spread`), ``explained`` (:func:`lang_persona.geometry.relate.relate`) and
        ``base``, what the base's distances were read off (None where they were not measured).
    """
    found = []
    headline = config["probes"][config["headline_probe"]]
    if headline["kind"] == "directive":
        spread = spread_of_languages(frame, config, judges.get(headline["axis"], ""))
        measures = {DESCENT: linguistic_distances(config["languages"]), **_layers(geometry, "questions", wanted=False)}
        found.append(_row(config["headline_probe"], "language", spread, measures, geometry))
    for probe, spec in config["probes"].items():
        if spec["kind"] == "choice" and scores.get(probe):
            spread = spread_to_personas(frame, config, probe)
            answers = {ANSWERS: answer_divergences(scores[probe])}
            measures = {**answers, **_layers(geometry, "questions", wanted=True)}
            found.append(_row(probe, "persona", spread, measures, geometry))
    return [row for row in found if row["spread"]]


def _layers(geometry: Row | None, over: str, *, wanted: bool) -> dict[str, Distances]:
    """The base's distances by layer, where they are of the objects that are wanted."""
    if geometry is None or (geometry["over"] == over) != wanted:
        return {}
    return {
        f"{BASE_LAYER} {layer}": {(one, other): distance for one, other, distance in rows}
        for layer, rows in enumerate(geometry["layers"])
    }


def _row(
    probe: str, what: str, spread: Sequence[Spread], measures: Mapping[str, Distances], geometry: Row | None
) -> dict[str, Any]:
    known = any(name.startswith(BASE_LAYER) for name in measures)
    return {
        "probe": probe,
        "what": what,
        "spread": [asdict(one) for one in spread],
        "explained": relate(spread, measures),
        "base": {"over": geometry["over"], "n": geometry["n"]} if known and geometry is not None else None,
    }

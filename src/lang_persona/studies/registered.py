"""The hypotheses of a study as they are registered: one row for every condition that they speak of."""

from collections.abc import Sequence
from typing import Any

from lang_persona.probes import KINDS
from lang_persona.probes.steering import control_names
from lang_persona.studies.hypotheses import Hypothesis
from lang_persona.studies.probes import Probe, QuestionProbe, SteeringProbe, SteeringSweepProbe
from lang_persona.studies.study import Study


def registered_hypotheses(study: Study) -> list[dict[str, Any]]:
    """Every hypothesis for every condition that it applies to, variables filled in; keys as in the study file.

    ``mirror`` and ``than`` stand only in rows that use them, so that the hash of a hypothesis is that of its own words.
    """
    rows = []
    for name, hypothesis in study.hypotheses.items():
        for condition in hypothesis.applies_to or study.conditions:
            filled = study.filled(name, condition)
            probe = study.probes[hypothesis.probe or study.headline_probe]
            every, kind = asked_values(study, probe, condition), KINDS[probe.kind]
            compared: dict[str, Any] = {} if filled["than"] is None else {"than": filled["than"]}
            if hypothesis.mirror is not None:
                compared["mirror"] = mirrors(study, hypothesis, condition)
                every = [value for value in every if value in compared["mirror"]]
            if filled["than"] is not None:
                every = [value for value in every if value != filled["than"]]
            rows.append(
                {
                    "hypothesis": name,
                    "condition": condition,
                    "claim": hypothesis.claim,
                    "probe": hypothesis.probe or study.headline_probe,
                    "over": kind.over,
                    "values": [
                        value for value in filled["over"]["only"] or every if value not in filled["over"]["except"]
                    ],
                    "metric": kind.hit if filled["label"] is None else "label_share",
                    "label": filled["label"],
                    "axis": hypothesis.axis or kind.axis,
                    "kind": probe.kind,
                    "paired": kind.choices,
                    "against": hypothesis.against,
                    **compared,
                    "supported": filled["supported"],
                    "falsified": filled["falsified"],
                }
            )
    return [row for row in rows if row["values"] or "mirror" not in row]


def mirrors(study: Study, hypothesis: Hypothesis, condition: str) -> dict[str, dict[str, str]]:
    """By value of the mirrored variable: the later condition that has it, and the value that it is asked in."""
    assert hypothesis.mirror is not None
    among = list(hypothesis.applies_to or study.conditions)
    values = {name: study.conditions[name].variables[hypothesis.mirror] for name in among[among.index(condition) :]}
    own = values.pop(condition)
    return {value: {"condition": name, "value": own} for name, value in values.items()}


def asked_values(study: Study, probe: Probe, arm: str) -> Sequence[str]:
    """What a probe's results are tabled by, for one arm: languages, personas or interventions."""
    if isinstance(probe, QuestionProbe):
        return list(study.probe_personas(probe, arm))
    if isinstance(probe, SteeringProbe):
        return control_names(probe.random)
    # Settings of a sweep differ between scales, so no hypothesis speaks of them.
    return [] if isinstance(probe, SteeringSweepProbe) else study.probe_languages(probe)

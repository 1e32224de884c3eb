"""The inputs of a report with what every section asks of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lang_persona.reporting.counts import Counts, Rate
from lang_persona.reporting.inputs import ReportInputs, Row
from lang_persona.reporting.words import arms, directive_languages


@dataclass(frozen=True)
class Material:
    """The inputs and what is read off them once."""

    inputs: ReportInputs

    @property
    def report(self) -> Row:
        """What is known of the study."""
        return self.inputs.report

    @cached_property
    def counts(self) -> Counts:
        """The metrics as counts."""
        return Counts(self.inputs.metrics)

    @property
    def judge(self) -> str:
        """The language judge whose labels decide."""
        return str(self.report["judges"]["language"][0])

    @property
    def probe(self) -> str:
        """The headline probe."""
        return str(self.report["headline_probe"])

    def arms(self, probe: str | None = None) -> list[str]:
        """Arms that a probe (None: the headline probe) was run on."""
        return arms(self.report, self.counts, probe or self.probe)

    def languages(self, probe: str | None = None) -> list[str]:
        """Directive languages that a probe (None: the headline probe) was run with."""
        return directive_languages(self.report, self.counts, probe or self.probe)

    def followed(self, condition: str, language: str, **where: Any) -> Rate | None:
        """How often a directive of the headline probe was followed, by the deciding judge."""
        return self.counts.followed(condition, self.probe, self.judge, language, **where)

    @property
    def headline(self) -> list[tuple[str, str, Rate]]:
        """(arm, directive language, rate) of everything measured under :meth:`followed`."""
        cells = [(name, code, self.followed(name, code)) for name in self.arms() for code in self.languages()]
        return [(name, code, rate) for name, code, rate in cells if rate is not None]

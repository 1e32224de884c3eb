"""Names of cells and their datasets: the single place that knows how a cell is spelled."""

from dataclasses import dataclass

from lang_persona.studies import Study

#: Stages in the order of the data; each is a pipeline and a tag.
STAGES = ("data_engineering", "translation", "audit", "training", "evaluation", "reporting")


@dataclass(frozen=True)
class Cell:
    """An arm of a study under one seed; ``trained`` says whether this project trains it."""

    study: str
    arm: str
    seed: int
    default: bool
    trained: bool

    @property
    def namespace(self) -> str:
        """Kedro namespace, and the prefix of the cell's datasets and parameters."""
        return f"{self.study}.{self.arm}.seed_{self.seed}"

    @property
    def adapter(self) -> str:
        """Name of the adapter's dataset."""
        return f"{self.namespace}.adapter"

    def of_probe(self, probe: str, dataset: str) -> str:
        """Name of a probe's dataset in this cell."""
        return f"{self.namespace}.{probe}.{dataset}"


def cells(study: Study) -> list[Cell]:
    """Every registered cell of a study: each arm under each seed, the baseline included."""
    return [
        Cell(
            study=study.name,
            arm=arm,
            seed=seed,
            default=study.is_default(arm) and seed in study.seeds.default,
            trained=arm in study.conditions,
        )
        for arm in study.arm_names
        for seed in study.seeds.all
    ]

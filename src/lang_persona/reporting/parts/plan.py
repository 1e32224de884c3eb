"""What was planned of the probes that ask instructions, against what was judged."""

from collections.abc import Collection

from lang_persona.reporting.material import Material
from lang_persona.reporting.words import listing, number, plural, value_name


def planned(material: Material, probe: str) -> int | None:
    """Completions planned for one value of a probe and one seed; None where the report does not say."""
    spec = material.spec(probe)
    half = str(spec.get("half", "held_out"))
    asked = spec.get("items") or (material.report.get("sets") or {}).get(spec.get("set"), {}).get(half)
    samples = (material.report.get("samples") or {}).get(probe)
    return None if asked is None or samples is None else asked * samples


def judged(material: Material, name: str, probe: str, value: str, seed: str) -> int:
    """Completions of one cell that the deciding judge labelled, those with nothing to measure too."""
    where = material.where(probe, value)
    found = material.counts.labelled(material.cell(name), probe, material.judge_of(probe), seed, **where)
    rate = material.hit(name, value, probe, seed=seed)
    return found or (0 if rate is None else rate.n)


def lost(material: Material, kinds: Collection[str]) -> list[str]:
    """Cells of these kinds of probe with another number of judged completions than planned, those alike together."""
    found: dict[tuple[str, str, str, int], list[str]] = {}
    for probe in material.probes(kinds):
        wanted = planned(material, probe)
        for name in material.arms(probe) if wanted is not None else []:
            for seed in material.counts.seeds(name, probe):
                for value in material.values(probe):
                    n = judged(material, name, probe, value, seed)
                    if n != wanted:
                        found.setdefault((name, seed, probe, n), []).append(value_name(material.over(probe), value))
    return [
        f"`{name}`, seed {seed}, probe {probe}: {plural(n, 'judged completion')} where "
        f"{number(planned(material, probe))} were planned, for {listing(values)}."
        for (name, seed, probe, n), values in found.items()
    ]

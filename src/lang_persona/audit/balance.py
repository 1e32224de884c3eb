"""Whether what is taught favours a place among the choices: a letter bias that the mixture itself would plant."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from lang_persona.audit.base import SHOWN, Finding, Mixture, Row, known

#: Imbalance rarer than this under even places is reported as a warning.
RARE = 0.001
#: Places whose expected count is smaller are pooled, as the chi-square test wants.
SMALLEST_EXPECTED = 5


def check_label_balance(mixture: Mixture, questions: Mapping[str, Row]) -> Iterator[Finding]:
    """Counts of taught labels by their place among the choices, for every component; of right ones where they differ.

    Places are compared rather than letters, since "1" and "A" are one place. Each component is tested (Pearson's
    chi-square) against labels that are even over each question's own choices.

    Args:
        mixture: The condition's mixture.
        questions: The study's questions by source id; without its question a row is counted by label, untested.
    """
    parts: dict[str, list[Row]] = defaultdict(list)
    for example in mixture.examples:
        if known(example, "label") is not None:
            parts[example["component"]].append(example)
    said: list[str] = []
    counts: dict[str, int] = {}
    for component, rows in parts.items():
        asked = [questions[row["source_id"]] for row in rows if _among(row, questions)]
        if len(asked) < len(rows):
            taught = Counter(known(row, "label") for row in rows)
            counts |= {f"{component} {label}": taught[label] for label in sorted(taught, key=str)}
            said.append(f"{component} untested, its questions are not known")
            continue
        places = [question["labels"].index(known(row, "label")) for row, question in zip(rows, asked, strict=True)]
        rights = [question["labels"].index(question["answer"]) for question in asked]
        expected = expected_counts([len(question["labels"]) for question in asked])
        seen = [places.count(place) for place in range(len(expected))]
        counts |= {f"{component} place {place + 1}": count for place, count in enumerate(seen) if count}
        if places != rights:
            right = {f"{component} right place {place + 1}": rights.count(place) for place in range(len(expected))}
            counts |= {name: count for name, count in right.items() if count}
        p = even_p(seen, expected)
        said.append(f"{component} {'untested, too few rows' if p is None else f'p = {p:.2g}'}")
        if p is not None and p < RARE:
            shown = ", ".join(f"{count} (even: {want:.0f})" for count, want in zip(seen, expected, strict=True))
            yield Finding(
                "label_balance", "warning", mixture.condition,
                f"{component} teaches some places among the choices more often than others, from the first: {shown}, "
                f"p = {p:.1g}",
                "draw its questions or wrong labels evenly, or read a letter bias as taught",
                {f"place {place + 1}": count for place, count in enumerate(seen)}, [row["id"] for row in rows[:SHOWN]],
            )  # fmt: skip
    if said:
        yield Finding(
            "label_balance", "info", mixture.condition,
            f"labels taught at even places among each question's choices? (chi-square) {'; '.join(said)}",
            counts=counts,
        )  # fmt: skip


def _among(row: Row, questions: Mapping[str, Row]) -> bool:
    """Whether a row's label is one of its question's."""
    return known(row, "label") in questions.get(row["source_id"], {}).get("labels", ())


def expected_counts(choices: Sequence[int]) -> list[float]:
    """Expected count of every place, for questions of so many choices, if labels were even."""
    return [sum(1 / number for number in choices if number > place) for place in range(max(choices))]


def even_p(observed: Sequence[int], expected: Sequence[float]) -> float | None:
    """P of Pearson's chi-square test; None where fewer than two places can be expected often enough to test.

    Questions of different numbers of choices make the statistic's null distribution narrower than chi-square, so p errs
    on the large side.
    """
    from scipy.stats import chisquare

    cells: list[tuple[int, float]] = []
    for seen, want in sorted(zip(observed, expected, strict=True), key=lambda pair: pair[1]):
        if cells and cells[-1][1] < SMALLEST_EXPECTED:
            cells[-1] = (cells[-1][0] + seen, cells[-1][1] + want)
        else:
            cells.append((seen, want))
    if len(cells) < 2 or cells[-1][1] < SMALLEST_EXPECTED:
        return None
    return float(chisquare([seen for seen, _ in cells], [want for _, want in cells]).pvalue)

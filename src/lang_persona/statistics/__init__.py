"""Intervals, tests, resampling, associations and power. docs/statistics.md says which is used for what.

Proportions lie in [0, 1]; every interval is two-sided at :data:`LEVEL`. Formulas come from statsmodels and scipy where
they have them; what is written here is tested against published tables or another implementation.
"""

from lang_persona.statistics.association import Association, spearman, spearman_of_pairs
from lang_persona.statistics.power import design_effect, detectable_difference, needed_rate
from lang_persona.statistics.rates import (
    LEVEL,
    Estimate,
    difference,
    mean_over_seeds,
    newcombe,
    normal_quantile,
    paired_difference,
    wilson,
)
from lang_persona.statistics.reliability import alpha_interval, krippendorff_alpha
from lang_persona.statistics.resampling import (
    LEVELS_NEEDED,
    RESAMPLES,
    cluster_bootstrap,
    level_interval,
    mean_interval,
)
from lang_persona.statistics.significance import holm, mcnemar_exact, two_proportion_p, two_proportion_z

__all__ = [
    "LEVEL",
    "LEVELS_NEEDED",
    "RESAMPLES",
    "Association",
    "Estimate",
    "alpha_interval",
    "cluster_bootstrap",
    "design_effect",
    "detectable_difference",
    "difference",
    "holm",
    "krippendorff_alpha",
    "level_interval",
    "mcnemar_exact",
    "mean_interval",
    "mean_over_seeds",
    "needed_rate",
    "newcombe",
    "normal_quantile",
    "paired_difference",
    "spearman",
    "spearman_of_pairs",
    "two_proportion_p",
    "two_proportion_z",
    "wilson",
]

"""Re-reads a rendered report and says what in it the datasets do not give.

``page`` reads the HTML back into sections of passages, ``formulas`` computes a number's formula from the datasets,
``trace`` holds every number of the page against its formula, ``claims`` asks of every estimate its interval and n, and
``compare`` holds all files against a report written anew. Nothing here trusts what the report says of itself: the
formulas that it carries are computed from the datasets.
"""

from lang_persona.reporting.checking.check import Problem, check_report, problems_of, require_whole

__all__ = ["Problem", "check_report", "problems_of", "require_whole"]

"""What explains where a trained behaviour spreads: descent of languages, or nearness in the untrained base.

``classification`` has distances by descent, ``representation`` those in the base's activations, layer by layer,
``divergence`` those between its answers, and ``relate`` holds all against what spread.
"""

from lang_persona.geometry.classification import linguistic_distances
from lang_persona.geometry.divergence import answer_divergences
from lang_persona.geometry.relate import Spread, relate, spread_of_languages, spread_to_personas
from lang_persona.geometry.representation import representation_distances

__all__ = [
    "Spread",
    "answer_divergences",
    "linguistic_distances",
    "relate",
    "representation_distances",
    "spread_of_languages",
    "spread_to_personas",
]

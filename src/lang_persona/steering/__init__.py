"""Steering: vectors in the residual stream that stand for a language, and adding them while a model generates.

Layer convention, stated here and nowhere else. *Layer k*, counted from 0, is the residual stream as decoder block k
leaves it: ``hidden_states[k + 1]`` in the words of transformers, for the last block before any final norm (the library
gives that entry after the norm). A vector of layer k is read from the output of block k and added to the output of
block k, so the input of block k (``hidden_states[k]``) never changes. Coefficient 1 adds the plain difference of means
(the language steered to, minus the other); the vectors are never scaled to a norm.
"""

from lang_persona.datasets.vectors import SteeringVectors
from lang_persona.steering.choice import best_setting, choose_setting, sweep_table
from lang_persona.steering.hooks import Intervention, Positions, Steer, check_interventions, decoder_blocks, steered
from lang_persona.steering.plans import interventions, random_vector
from lang_persona.steering.vectors import (
    CONVENTION,
    MeanDifferences,
    Span,
    language_vectors,
    mean_differences,
    paired_spans,
    prompt_span,
    reply_span,
    span_means,
)

__all__ = [
    "CONVENTION",
    "Intervention",
    "MeanDifferences",
    "Positions",
    "Span",
    "Steer",
    "SteeringVectors",
    "best_setting",
    "check_interventions",
    "choose_setting",
    "decoder_blocks",
    "interventions",
    "language_vectors",
    "mean_differences",
    "paired_spans",
    "prompt_span",
    "random_vector",
    "reply_span",
    "span_means",
    "steered",
    "sweep_table",
]

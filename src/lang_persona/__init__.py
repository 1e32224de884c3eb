"""Fine-tune on a mixture of languages and personas, measure what changes elsewhere, report it with its uncertainty."""

__version__ = "0.1.0"

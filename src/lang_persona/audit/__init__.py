"""The mixture audit: findings on what the chat template renders, on token ids, before anything is trained.

A module a family of rules; :mod:`~lang_persona.audit.study` applies them all.
"""

from lang_persona.audit.base import Finding, Mixture
from lang_persona.audit.describe import describe
from lang_persona.audit.outside import audit_file, load_tokenizer_folder
from lang_persona.audit.study import audit_study, blocking

__all__ = ["Finding", "Mixture", "audit_file", "audit_study", "blocking", "describe", "load_tokenizer_folder"]

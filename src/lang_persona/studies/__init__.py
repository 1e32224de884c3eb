"""Study files as typed, frozen models: what can be written in ``conf/base/studies/*.yml``.

A study file is the single source of what exists in a study, with the sizes of every scale. Nothing
here knows of Kedro or of environments; :mod:`lang_persona.resolve` puts a study and an environment
together.
"""

from lang_persona.studies.arms import BASELINE
from lang_persona.studies.checks import POOLED
from lang_persona.studies.geometry import Geometry
from lang_persona.studies.hypotheses import Hypothesis
from lang_persona.studies.instructions import (
    FileInstructions,
    FileTable,
    HubInstructions,
    HubTable,
    InstructionSet,
    PilotInstructions,
)
from lang_persona.studies.languages import instruction_languages, translated_languages
from lang_persona.studies.load import RESERVED_STUDIES, load_studies
from lang_persona.studies.mixture import (
    AnswerCompletion,
    Component,
    DirectiveTurn,
    FileComponent,
    FixedCompletion,
    InstructionTurn,
    OutputCompletion,
    QuestionTurn,
    ReplyCompletion,
    TextTurn,
    component_languages,
)
from lang_persona.studies.probes import (
    DirectiveProbe,
    InstructionProbe,
    Probe,
    QuestionProbe,
    SteeringProbe,
    SteeringSweepProbe,
)
from lang_persona.studies.questions import FileQuestions, HubQuestions, Questions
from lang_persona.studies.registered import registered_hypotheses
from lang_persona.studies.scales import Scale
from lang_persona.studies.sources import FileSource, HubSource, PilotSource, Selection, Source
from lang_persona.studies.steering import LanguageVector, SweepSettings
from lang_persona.studies.study import Study
from lang_persona.studies.training import Sampling, Training
from lang_persona.studies.translation import Gates, Translation

__all__ = [
    "BASELINE",
    "POOLED",
    "RESERVED_STUDIES",
    "AnswerCompletion",
    "Component",
    "DirectiveProbe",
    "DirectiveTurn",
    "FileComponent",
    "FileInstructions",
    "FileQuestions",
    "FileSource",
    "FileTable",
    "FixedCompletion",
    "Gates",
    "Geometry",
    "HubInstructions",
    "HubQuestions",
    "HubSource",
    "HubTable",
    "Hypothesis",
    "InstructionProbe",
    "InstructionSet",
    "InstructionTurn",
    "LanguageVector",
    "OutputCompletion",
    "PilotInstructions",
    "PilotSource",
    "Probe",
    "QuestionProbe",
    "QuestionTurn",
    "Questions",
    "ReplyCompletion",
    "Sampling",
    "Scale",
    "Selection",
    "Source",
    "SteeringProbe",
    "SteeringSweepProbe",
    "Study",
    "SweepSettings",
    "TextTurn",
    "Training",
    "Translation",
    "component_languages",
    "instruction_languages",
    "load_studies",
    "registered_hypotheses",
    "translated_languages",
]

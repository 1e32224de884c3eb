"""Kedro datasets of the project; all are versioned and keyed by recipe (:mod:`lang_persona.recipes`)."""

from lang_persona.datasets.figure import FigureDataset
from lang_persona.datasets.folders import Adapter, AdapterDataset, PublishedReport, ReportDataset
from lang_persona.datasets.other_cells import OtherCells
from lang_persona.datasets.publication import PublicationDataset
from lang_persona.datasets.registrations import FirstRegistrations
from lang_persona.datasets.tables import CompletionsDataset, JSONDataset, JSONLinesDataset, ParquetDataset, TextDataset
from lang_persona.datasets.vectors import SteeringVectors, SteeringVectorsDataset

__all__ = [
    "Adapter",
    "AdapterDataset",
    "CompletionsDataset",
    "FigureDataset",
    "FirstRegistrations",
    "JSONDataset",
    "JSONLinesDataset",
    "OtherCells",
    "ParquetDataset",
    "PublicationDataset",
    "PublishedReport",
    "ReportDataset",
    "SteeringVectors",
    "SteeringVectorsDataset",
    "TextDataset",
]

"""Data for training and evaluation: content-addressed sets of samples with versions, checked, cleaned and divided."""

from __future__ import annotations

from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.ingest import IngestResult, ingest
from samebody.lab.data.manifest import Manifest
from samebody.lab.data.sources import SourceOptions, list_source

__all__ = ["DataSet", "IngestResult", "Manifest", "SourceOptions", "Version", "ingest", "list_source"]

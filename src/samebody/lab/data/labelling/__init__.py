"""Labelling by hand: a schema, queued tasks, independent labels, adjudication, agreement, exchange, a page."""

from __future__ import annotations

from samebody.lab.data.labelling.agreement import krippendorff_alpha
from samebody.lab.data.labelling.project import LabelProject
from samebody.lab.data.labelling.schema import LabelSchema, load_schema

__all__ = ["LabelProject", "LabelSchema", "krippendorff_alpha", "load_schema"]

"""Compression: distillation from teachers, structured pruning, training with quantised numbers."""

from samebody.lab.train.compress.prune import PruneReport, count_macs, prune
from samebody.lab.train.compress.quantise import quantised
from samebody.lab.train.compress.teacher import OnnxTeacher, RunTeacher

__all__ = ["OnnxTeacher", "PruneReport", "RunTeacher", "count_macs", "prune", "quantised"]

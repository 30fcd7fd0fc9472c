"""A second renderer of specimen documents, written apart from samebody's own, that nothing is ever tuned on."""

from benchmarks.second_renderer.render import DIFFICULTIES, FORGERIES, FORMATS, render, version

__all__ = ["DIFFICULTIES", "FORGERIES", "FORMATS", "render", "version"]

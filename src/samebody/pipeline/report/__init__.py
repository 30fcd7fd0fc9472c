"""The report: one self-contained HTML file that shows a person what the verdict rests on."""

from samebody.pipeline.report.build import render_report, write_report

__all__ = ["render_report", "write_report"]

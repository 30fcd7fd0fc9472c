"""Reports of evaluations: one self-contained HTML file each, with JSON and CSV beside it."""

from samebody.lab.evaluate.report.build import (
    EXAMPLE_COSTS,
    ReportOptions,
    comparison_remarks,
    render_comparison,
    render_page,
    report_files,
)

__all__ = [
    "EXAMPLE_COSTS",
    "ReportOptions",
    "comparison_remarks",
    "render_comparison",
    "render_page",
    "report_files",
]

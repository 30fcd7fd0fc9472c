"""The page of the worst errors: one self-contained HTML file, pictures blurred unless asked otherwise."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from samebody.lab.evaluate.error_analysis import ErrorAnalysis
from samebody.lab.evaluate.report.build import picture_uri, render_page


def errors_page(
    found: ErrorAnalysis, *, pictures: Path | None = None, show_pictures: bool = False, command: str = ""
) -> str:
    """The analysis as HTML without script and without any external reference.

    Args:
        found: what :func:`samebody.lab.evaluate.error_analysis.analyse_run` found.
        pictures: folder that sample names are relative to; without one the page names samples only. A picture that is
            missing or cannot be decoded is left out.
        show_pictures: embed them as they are; otherwise blurred beyond recognition.
        command: as it was typed.
    """
    kinds = []
    for kind in found.kinds:
        fields: dict[str, Any] = {name: getattr(kind, name) for name in kind.__slots__}
        fields["pictures"] = [
            [picture_uri(pictures, name, blurred=not show_pictures) if pictures else None for name in case.samples]
            for case in kind.worst
        ]
        kinds.append(fields)
    blurred = pictures is not None and not show_pictures
    return render_page("errors.html", found=found, kinds=kinds, blurred=blurred, command=command)


def errors_json(found: ErrorAnalysis) -> dict[str, Any]:
    """The analysis as JSON values; names of samples, no pixels and no templates."""
    data = asdict(found)
    for kind, made in zip(data["kinds"], found.kinds):
        for test, source in zip(kind["tests"], made.tests):
            test["significant"] = source.significant
    return data

"""``samebody evaluate``: error rates of scores, templates and models; each command in a module of its own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "verification": ("samebody.cli.evaluate_verification", "1:1: thresholds, FMR, FNMR, DET, groups, quality"),
    "identification": ("samebody.cli.evaluate_identification", "1:N: FPIR, FNIR, selectivity, CMC"),
    "operating-points": (
        "samebody.cli.evaluate_operating_points",
        "thresholds of an embedder, written into its record",
    ),
    "pad": ("samebody.cli.evaluate_pad", "attack detection: APCER per species, BPCER"),
    "robustness": ("samebody.cli.evaluate_robustness", "corruptions and attacks: error against strength"),
    "mitigation": ("samebody.cli.evaluate_mitigation", "cohort normalisation against raw scores, by group"),
    "reliability": ("samebody.cli.evaluate_reliability", "what one comparison says: calibrated likelihood ratio"),
    "report": ("samebody.cli.evaluate_report", "runs as one HTML file, JSON and CSV"),
    "criteria": ("samebody.cli.evaluate_criteria", "check a run against acceptance criteria"),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Measure scores, templates or models: error rates with intervals, written to a run folder."""

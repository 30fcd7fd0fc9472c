"""``samebody data``: from a folder of raw pictures to a versioned data set; each command in a module of its own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "ingest": ("samebody.cli.data_ingest", "take pictures into a content-addressed data set"),
    "log": ("samebody.cli.data_log", "list the versions of a data set, check that they are as they were"),
    "validate": ("samebody.cli.data_validate", "hold a version against rules, all errors at once"),
    "clean": ("samebody.cli.data_clean", "put what cannot serve into quarantine, with reasons"),
    "dedupe": ("samebody.cli.data_dedupe", "find copies and neighbours, within and across splits"),
    "labels": ("samebody.cli.data_labels", "find wrong labels, subjects that are two people, people under two names"),
    "split": ("samebody.cli.data_split", "divide by subject and prove that nothing leaks"),
    "balance": ("samebody.cli.data_balance", "even out the cells of a version by weights or by leaving out"),
    "coverage": ("samebody.cli.data_coverage", "cells that are missing or thin, as a heat map"),
    "card": ("samebody.cli.data_card", "write the data sheet"),
    "diff": ("samebody.cli.data_diff", "what changed between two versions"),
    "export": ("samebody.cli.data_export", "copy the usable samples into a plain folder"),
    "erase": ("samebody.cli.data_erase", "remove a subject from every version, list the models trained on them"),
    "label": ("samebody.cli.data_label", "label by hand: tasks, page, agreement, adjudication, exchange"),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Data for training and evaluation: ingest, check, clean, divide, describe, erase."""

"""``samebody operate``: watch and change what runs; each command in a module of its own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "drift": ("samebody.cli.operate_drift", "have scores or outcomes changed against a reference window?"),
    "shadow": ("samebody.cli.operate_shadow", "what a candidate policy or model would have decided, with intervals"),
    "promote-policy": ("samebody.cli.operate_promote_policy", "make a policy live, unless guard rails forbid"),
    "rollback-policy": ("samebody.cli.operate_rollback_policy", "make the policy before it live again"),
    "export-labels": ("samebody.cli.operate_export_labels", "reviewers' labels and samples, as a list for the lab"),
    "cost": ("samebody.cli.operate_cost", "cost per 1,000 verifications from measured rates and stated prices"),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Watch and change what the service runs: drift, shadows, promotion, rollback, labels, cost."""

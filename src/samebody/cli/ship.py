"""``samebody ship``: from a trained run to a measured, signed bundle; each command in a module of its own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "run": ("samebody.cli.ship_run", "all steps of a release from one file"),
    "export": ("samebody.cli.ship_export", "a training run to ONNX, held against the network on real inputs"),
    "quantise": ("samebody.cli.ship_quantise", "a float graph to int8, calibrated on real inputs"),
    "gate": ("samebody.cli.ship_gate", "accuracy overall and by group, time, size: kept or refused"),
    "record": ("samebody.cli.ship_record", "record and model card of a release"),
    "sign": ("samebody.cli.ship_sign", "sign a bundle, pack it into one file"),
    "keygen": ("samebody.cli.ship_keygen", "make a signing key"),
}


class _Steps(LazyGroup):
    """The steps; a release file in place of a step stands for all of them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """``samebody ship release.yaml`` is ``samebody ship run release.yaml``."""
        if args and args[0] not in self.table and args[0].lower().endswith((".yaml", ".yml")):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Steps, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Ship a model: export, quantise, gates, record, signature. Install the result with `samebody models add`.

    `samebody ship RELEASE.yaml` takes all steps that the file declares.
    """

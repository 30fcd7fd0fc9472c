"""What several commands of ``samebody ship`` share: samples from a file or from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samebody.errors import UsageError

if TYPE_CHECKING:
    from samebody.lab.ship.samples import Samples

RECORD_HELP = "How pictures are fitted to the input: id of a model record, or the declaration of one (YAML)."


def samples_of(
    place: Path, graph: bytes, record: str | None, *, split: str = "", limit: int, version: str | None = None
) -> Samples:
    """Samples for a graph from an ``.npz``, a data set, or a folder of pictures.

    Raises:
        UsageError: pictures without a record that says how they are fitted.
        SamplesError: they cannot be used.
    """
    from samebody.lab.ship.graph import input_names
    from samebody.lab.ship.samples import load_samples, picture_samples
    from samebody.models.contracts import ImageInput

    names = input_names(graph)
    if not place.is_dir():
        return load_samples(place, names)
    contract = None
    if record is not None and record.lower().endswith((".yaml", ".yml")):
        from samebody.lab.ship.record import load_declaration

        contract = load_declaration(record).input
    elif record is not None:
        from samebody.models import catalogue

        contract = catalogue()[record].input
    if not isinstance(contract, ImageInput) or len(names) != 1:
        raise UsageError("pictures need --record with an input of pictures, and a graph with one input.")
    return picture_samples(place, contract, names[0], version=version, split=split, limit=limit)

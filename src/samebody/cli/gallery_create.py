"""``samebody gallery create``: an empty gallery, or one filled with synthetic templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from samebody.cli.gallery_common import FOLDER, gallery_key, json_option, key_option, progress, say

BATCH = 10_000


@click.command("create")
@click.argument("path", type=FOLDER)
@click.option("--face", "face", is_flag=False, flag_value="face/sface", help="Hold faces of this record [face/sface].")
@click.option("--iris", "iris", is_flag=False, flag_value="default", help="Hold irises of this pipeline [default].")
@click.option("--vector-space", help="Hold vectors of the space DIGEST:DIMENSION, made elsewhere.")
@click.option("--iris-space", help="Hold iris codes of the space DIGEST:COLUMNS, made elsewhere.")
@click.option(
    "--synthetic", type=click.Choice(["iris", "vector"]), multiple=True, help="Fill with generated templates."
)
@click.option("--count", type=click.IntRange(0), default=10_000, show_default=True, help="Synthetic people.")
@click.option("--dimension", type=click.IntRange(2, 8192), default=512, show_default=True, help="Of synthetic vectors.")
@click.option("--columns", type=click.IntRange(8, 4096), default=200, show_default=True, help="Of synthetic irises.")
@click.option("--seed", type=click.IntRange(0), default=20260, show_default=True, help="Of synthetic templates.")
@click.option("--tenant", default="local", show_default=True, help="Whose gallery it is.")
@click.option("--plain", is_flag=True, help="Do not seal: for public or synthetic data only; the service refuses it.")
@key_option
@json_option
def command(path: Path, **options: Any) -> None:
    """Create a gallery, sealed with a key unless --plain is given.

    It is pinned to the embedding spaces named here. With --synthetic it is filled with people who do not exist, marked
    by its space: no template of a person can ever be compared with them.
    """
    from samebody.errors import UsageError
    from samebody.search.gallery import Gallery

    key = gallery_key(options["key_file"])
    if (key is None) != options["plain"]:
        raise UsageError(
            "give a key (--key-file) or say --plain, not both." if options["plain"] else "a gallery is sealed: no key.",
            hint="Make one with: openssl rand -hex 32 > gallery.key; or say --plain for public or synthetic data.",
        )
    with Gallery.create(path, layouts=_layouts(options), key=key, tenant=options["tenant"]) as gallery:
        written = 0
        for modality in options["synthetic"]:
            with progress(f"enrolling {modality}", options["as_json"]) as step:
                written += fill(gallery, modality, options["count"], options["seed"], step)
        held = [f"{layout.modality} {layout.space} ({layout.size})" for layout in gallery.layouts]
    protection = "plain" if key is None else "sealed"
    result = {"path": str(path), "protection": protection, "spaces": held, "records": written}

    def lines(console: Any) -> None:
        extra = f", {written:,} synthetic records" if options["synthetic"] else ""
        console.print(f"{path}: {protection} gallery of {', '.join(held)}{extra}", markup=False)

    say(result, options["as_json"], lines)


def _layouts(options: dict[str, Any]) -> list[Any]:
    from samebody.errors import UsageError
    from samebody.search.session import synthetic_iris_space
    from samebody.search.thresholds import synthetic_vector_space
    from samebody.search.types import Layout

    found = []
    if options["face"]:
        from samebody.models import catalogue

        record = catalogue()[options["face"]]
        found.append(Layout("vector", record.embedding_space().digest, record.embedding_output.dimensions))
    if options["iris"]:
        from samebody.search.bulk import IrisEmbedder

        embedder = IrisEmbedder(options["iris"])
        found.append(Layout("iris", embedder.space, embedder.size))
    for name, kind in (("vector_space", "vector"), ("iris_space", "iris")):
        if options[name]:
            digest, _, size = options[name].partition(":")
            if not size.isdigit():
                raise UsageError(f"--{name.replace('_', '-')} is DIGEST:SIZE, not {options[name]!r}.")
            found.append(Layout(kind, digest, int(size)))  # type: ignore[arg-type]
    if "vector" in options["synthetic"]:
        found.append(Layout("vector", synthetic_vector_space(options["dimension"]).digest, options["dimension"]))
    if "iris" in options["synthetic"]:
        found.append(Layout("iris", synthetic_iris_space(options["columns"]).digest, options["columns"]))
    if not found:
        raise UsageError("what shall it hold?", hint="Say --face, --iris, --vector-space, --iris-space or --synthetic.")
    return found


def fill(gallery: Any, modality: str, count: int, seed: int, step: Any = None) -> int:
    """Enrol synthetic people number 0 to ``count``; a run that was killed can be repeated. Returns the records."""
    layout = next(held for held in gallery.layouts if held.modality == modality)
    for start in range(0, count, BATCH):
        number = min(BATCH, count - start)
        gallery.enrol_arrays(
            modality,
            [f"synthetic-{start + row:09d}" for row in range(number)],
            synthetic_references(layout, seed, start, number),
            space=layout.space,
            request_id=f"synthetic/{modality}/{seed}/{start}/{number}",
        )
        if step is not None:
            step(start + number, count)
    return count


def synthetic_references(layout: Any, seed: int, start: int, count: int) -> Any:
    """Payload of synthetic people ``start`` to ``start + count``; ``start`` a multiple of the batch."""
    if layout.modality == "iris":
        from samebody.synth.iris import IrisCodePopulation

        return IrisCodePopulation(seed, columns=layout.size).references(start, count)
    import numpy as np

    generator = np.random.default_rng([seed, start])
    vectors = generator.standard_normal((count, layout.size), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def synthetic_probes(layout: Any, seed: int, people: Any, *, capture: int = 1, cosine: float = 0.7) -> Any:
    """Mated probes of synthetic people: another capture of their codes, or a vector at ``cosine`` from theirs."""
    import numpy as np

    from samebody.search.types import Probes

    numbers = np.asarray(people, dtype=np.int64)
    if layout.modality == "iris":
        from samebody.synth.iris import IrisCodePopulation

        codes, masks = IrisCodePopulation(seed, columns=layout.size).probes(numbers, capture)
        return Probes(layout.space, codes=codes, masks=masks)
    rows = []
    for number in numbers.tolist():
        start = number // BATCH * BATCH
        block = synthetic_references(layout, seed, start, number - start + 1)
        other = np.random.default_rng([seed, number, capture, 7]).standard_normal(layout.size)
        own = block[-1].astype(np.float64)
        other -= other @ own * own
        row = cosine * own + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)
        rows.append(row / np.linalg.norm(row))
    return Probes.of_vectors(np.stack(rows), layout.space)

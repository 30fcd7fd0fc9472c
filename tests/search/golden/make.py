"""Writes the small galleries of the present format that tests open for ever after.

``python -m tests.search.golden.make`` writes ``gallery-v<format>-plain`` and ``-sealed`` beside this file, and JSON
files with what is in them; it refuses to replace any. Everything in them is random numbers from a seed.
"""

from __future__ import annotations

import json
from pathlib import Path

from samebody.search.gallery import Gallery
from samebody.search.gallery.sealing import FORMAT
from tests.search.gallery.material import IRIS, KEY, SMALL, VECTOR, irises, live, make, subjects, vectors

HERE = Path(__file__).parent


def write(folder: Path, key: bytes | None) -> dict:
    """A gallery with segments of both modalities, tombstones, requests, attributes, and a log of all kinds."""
    with make(folder, key) as gallery:
        for number in range(4):
            facts = [{"batch": number}] * 20
            gallery.enrol_arrays(
                "vector",
                subjects(20, 20 * number),
                vectors(20, number),
                space=VECTOR.space,
                attributes=facts,
                request_id=f"request-{number}",
            )
        gallery.enrol_arrays("iris", subjects(20), irises(20), space=IRIS.space, attributes=[{"eye": "left"}] * 20)
        gallery.compact()
        gallery.delete("subject-00003")
        gallery.enrol_arrays("iris", subjects(25, 30), irises(25, 1), space=IRIS.space)  # the log is rolled after this
        gallery.enrol_arrays("vector", ["ünï"], vectors(1, 9), space=VECTOR.space, request_id="last")
        gallery.delete("subject-00005")
    return facts_of(folder, key)


def facts_of(folder: Path, key: bytes | None) -> dict:
    """What a gallery holds, as JSON."""
    with Gallery.open(folder, key=key, tuning=SMALL) as gallery:
        content = {
            modality: {
                str(record): "".join(part.hex() for part in parts) for record, parts in live(gallery, modality).items()
            }
            for modality in ("vector", "iris")
        }
        names = {
            name: [[each.record_id, each.modality, each.attributes] for each in gallery.records_of(name)]
            for name in gallery.subjects()
        }
        return {"content": content, "subjects": names}


def main() -> None:
    for name, key in (("plain", None), ("sealed", KEY)):
        folder = HERE / f"gallery-v{FORMAT}-{name}"
        facts = write(folder, key)
        (folder / "LOCK").unlink()
        (HERE / f"{folder.name}.json").write_text(json.dumps(facts, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

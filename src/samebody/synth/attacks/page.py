"""One self-contained HTML page with examples of every species and family, to look at."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence

from samebody.synth.attacks.record import Pair

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; background: #f4f4f2; color: #222; }
h2 { margin: 2.5rem 0 .2rem; } h3 { margin: 1.2rem 0 .3rem; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0; background: #fff; padding: 6px; border: 1px solid #ddd; max-width: 100%; }
figure img { display: block; max-width: 100%; image-rendering: auto; }
figcaption { font-size: 12px; color: #555; padding-top: 4px; }
details { max-width: 22rem; } pre { white-space: pre-wrap; font-size: 11px; margin: 0; }
p { max-width: 46rem; }
"""


def examples_page(rows: Mapping[tuple[str, str], Sequence[Pair]], *, title: str, notes: Sequence[str] = ()) -> str:
    """The page.

    Args:
        rows: pairs by (species, family), in the order in which they are shown.
        title: heading.
        notes: paragraphs below it: credits of the photographs, what was left out.

    Returns:
        HTML with the pictures' own files inside and no external reference.
    """
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
        "<p>Each figure shows the bona fide twin on the left and the attack on the right. Both went through the same "
        "view, camera, scaling and JPEG qualities; exposure and sharpness are matched.</p>",
        *(f"<p>{html.escape(note)}</p>" for note in notes),
    ]
    shown = ""
    for (species, family), pairs in rows.items():
        if species != shown:
            parts.append(f"<h2>{html.escape(species)}</h2>")
            shown = species
        parts.append(f"<h3>{html.escape(family)}</h3><div class='row'>")
        parts.extend(_figure(pair) for pair in pairs)
        parts.append("</div>")
    return "\n".join([*parts, "</html>\n"])


def _figure(pair: Pair) -> str:
    label = pair.attack.label
    facts = {key: value for key, value in label.parameters.items() if key not in ("view", "capture")}
    text = json.dumps({key: _short(value) for key, value in facts.items()}, indent=1)
    height, width = pair.attack.pixels.shape[:2]
    name = f"{label.species} {label.family}"
    return (
        "<figure><div style='display:flex;gap:2px'>"
        f"{_image(pair.bona_fide.jpeg, width, height, 'bona fide twin')}{_image(pair.attack.jpeg, width, height, name)}"
        f"</div><figcaption>seed {label.seed}, strength {label.strength:.2f}"
        f"<details><summary>parameters</summary><pre>{html.escape(text)}</pre></details></figcaption></figure>"
    )


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def _image(jpeg: bytes, width: int, height: int, name: str) -> str:
    data = base64.b64encode(jpeg).decode("ascii")
    return f"<img alt='{html.escape(name)}' width='{width}' height='{height}' src='data:image/jpeg;base64,{data}'>"

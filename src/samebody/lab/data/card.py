"""The data sheet of a version, in Markdown, after Gebru et al., "Datasheets for datasets" (CACM 64(12), 2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from samebody.lab.data.coverage import THIN, coverage
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.manifest import PARTS, Manifest

ABOUT = ("description", "purpose", "collection", "consent", "intended_use", "not_for", "maintainer", "contact")
"""Fields of ``dataset.json`` that only a person can fill in."""

GROUPS = ("age", "gender", "race", "country", "device", "pai_species", "document_type", "label")


def card(data_set: DataSet, version: Version, by: Sequence[str] = ()) -> str:
    """The data sheet.

    Every number comes from the manifest; what only people know comes from ``dataset.json`` and is named as missing when
    it is not there.

    Args:
        data_set: the set.
        version: which one.
        by: columns for the table of coverage; those with known values otherwise.
    """
    manifest = data_set.manifest(version)
    usable = manifest.where(manifest.usable)
    lines = [
        f"# {data_set.name}",
        "",
        f"Version `{version.short}` (`{version.id}`), {len(manifest):,} samples, {len(usable):,} usable.",
        "",
    ]
    lines += _about(data_set)
    lines += ["## Composition", "", *_composition(manifest, usable), ""]
    lines += ["## Terms", "", *_terms(manifest), ""]
    lines += ["## Groups", "", *_groups(usable), ""]
    asked = list(by) or [name for name in ("race", "gender", "pai_species") if any(usable[name] != "")][:2]
    if asked and len(usable):
        lines += ["## Coverage", "", *_coverage(usable, asked), ""]
    lines += ["## Left out", "", *_left_out(manifest), ""]
    lines += ["## Splits", "", *_splits(usable), ""]
    lines += ["## History", "", *_history(data_set, version), ""]
    return "\n".join(lines)


def _about(data_set: DataSet) -> list[str]:
    lines = []
    for name in ABOUT:
        said = data_set.about.get(name, "")
        title = name.replace("_", " ").capitalize()
        lines += [f"**{title}.** {said or 'Not stated.'}", ""]
    return lines


def _composition(manifest: Manifest, usable: Manifest) -> list[str]:
    subjects = Counter(name for name in usable["subject"].tolist() if name)
    named = sum(subjects.values())
    per = sorted(subjects.values())
    lines = [
        f"- different files: {len(set(manifest['sha256'])):,}; bytes: {int(manifest['bytes'].sum()):,}",
        f"- subjects: {len(subjects):,}; samples without a subject: {len(usable) - named:,}",
    ]
    if per:
        lines.append(f"- samples of a subject: {per[0]} to {per[-1]}, median {per[len(per) // 2]}")
    lines.append(f"- formats: {_counted(usable['format'].tolist())}")
    if len(usable):
        widths, heights = usable["width"], usable["height"]
        lines.append(f"- sizes: {widths.min()} x {heights.min()} to {widths.max()} x {heights.max()} pixels")
    return lines


def _terms(manifest: Manifest) -> list[str]:
    lines = [
        f"- {title}: {_counted(manifest[column].tolist())}"
        for column, title in (("source", "sources"), ("licence", "licences"), ("consent", "consent"))
    ]
    dates = sorted(value for value in manifest["retain_until"].tolist() if value)
    kept = f"{dates[0]} at the earliest ({len(dates):,} samples)" if dates else "not stated"
    return [*lines, f"- to be erased after: {kept}"]


def _groups(usable: Manifest) -> list[str]:
    lines = [f"- {name}: {_counted(usable[name].tolist())}" for name in GROUPS if any(usable[name] != "")]
    return [*(lines or ["No label of a group is known."]), "", "Labels of groups serve evaluation; they are no output."]


def _coverage(usable: Manifest, by: list[str]) -> list[str]:
    found = coverage(usable, by, THIN)
    lines = [f"| {' | '.join(by)} | samples | subjects |", f"|{' --- |' * (len(by) + 2)}"]
    lines += [f"| {' | '.join(cell.values)} | {cell.samples:,} | {cell.subjects:,} |" for cell in found.cells[:60]]
    if len(found.cells) > 60:
        lines.append(f"\n{len(found.cells) - 60} more cells.")
    return [*lines, "", f"{len(found.missing)} cells are missing, {len(found.thin)} have fewer than {THIN} samples."]


def _left_out(manifest: Manifest) -> list[str]:
    reasons = Counter(part for cell in manifest["quarantine"] for part in cell.split(PARTS) if part)
    repeats = int((manifest["duplicate_of"] != "").sum())
    lines = [f"- {reason}: {count:,}" for reason, count in sorted(reasons.items())]
    return [*lines, f"- copies of another sample: {repeats:,}"]


def _splits(usable: Manifest) -> list[str]:
    held: dict[str, set[str]] = {}
    for subject, part in zip(usable["subject"], usable["split"]):
        held.setdefault(part, set()).update([subject] if subject else [])
    counts = Counter(usable["split"].tolist())
    named = [name for name in sorted(counts) if name]
    if not named:
        return ["Not divided."]
    return [f"- {name}: {counts[name]:,} samples, {len(held[name]):,} subjects" for name in named]


def _history(data_set: DataSet, version: Version) -> list[str]:
    known = {entry.id: entry for entry in data_set.versions()}
    lines = []
    waiting, seen = [version.id], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in known:
            continue
        seen.add(name)
        entry = known[name]
        figures = ", ".join(f"{key} {value}" for key, value in entry.step["figures"].items())
        erased = f"; {len(entry.erased):,} rows erased since" if entry.erased else ""
        lines.append(f"- `{entry.short}` {entry.step['name']}: {figures or 'nothing found'}{erased}")
        waiting += entry.parents
    return lines


def _counted(values: list[str]) -> str:
    counts = Counter(value or "not stated" for value in values)
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(12))
    return shown + (f", {len(counts) - 12} more" if len(counts) > 12 else "") if counts else "none"

"""Pictures to a template set: found, labelled, detected, aligned, embedded as the product does it, with a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.capture import decode_image
from samebody.config import Limits, Settings, load_settings
from samebody.errors import InputError
from samebody.face import FaceAnalyser
from samebody.face.networks import DETECTOR
from samebody.face.stream import ordered
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.grey_maps import read_grey_map
from samebody.lab.evaluate.results import Algorithm
from samebody.lab.evaluate.sources import open_table, text_cells
from samebody.lab.evaluate.template_cache import TemplateCache
from samebody.lab.evaluate.templates import TemplateSet
from samebody.types import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".pgm")
_SPOT_CHECKS = 4

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how far, out of how many)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a set.

    Attributes:
        file: path below the folder, with ``/``: the sample's name.
        sha256: of the file.
        subject: who it shows.
        group: label; empty without one.
    """

    file: str
    sha256: str
    subject: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Labelled pictures below a folder."""

    name: str
    root: Path
    pictures: tuple[Picture, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``sha256  file``: what ``sha256sum`` prints."""
        return digest_of((picture.sha256, picture.file) for picture in self.pictures)


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted lines ``sha256  file``."""
    lines = sorted(f"{sha256}  {file}\n" for sha256, file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_pictures(
    folder: Path | str, labels: Path | str | None = None, group_by: Sequence[str] = (), name: str = ""
) -> PictureSet:
    """Pictures of a folder. Without labels the folder of a picture is its subject.

    Args:
        folder: all pictures below it take part, or those that ``labels`` names.
        labels: table with ``file``, and where known ``subject``; without that column every file is another subject.
        group_by: columns of ``labels`` that make the group, joined by a space.
        name: of the set; the folder's otherwise.

    Raises:
        ScoreTableError: no picture, missing columns or files; all problems at once.
    """
    root = Path(folder)
    if labels is None:
        if group_by:
            raise ScoreTableError(str(root), ["groups are asked for and no labels are given"], hint="Give --labels.")
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise ScoreTableError(str(root), [f"there is no picture ({', '.join(SUFFIXES)}) below it"])
        pictures = tuple(
            Picture(path.relative_to(root).as_posix(), _sha256(path), path.parent.relative_to(root).as_posix())
            for path in paths
        )
        return PictureSet(name or root.name, root, pictures)
    table = open_table(labels)
    columns = [key for key in ("file", "subject", *group_by) if key in table.columns]
    problems = [f"column {key!r} is missing" for key in ("file", *group_by) if key not in table.columns]
    if problems:
        raise ScoreTableError(str(labels), problems, hint=f"It has {', '.join(table.columns)}.")
    cells: dict[str, list[str]] = {key: [] for key in columns}
    for chunk in table.chunks(columns):
        for key in columns:
            cells[key].extend(text_cells(chunk[key]))
    files = cells["file"]
    missing = [file for file in files if not (root / file).is_file()]
    if missing:
        problems.append(f"{len(missing)} files are not below {root} ({', '.join(missing[:3])})")
    if len(set(files)) < len(files):
        problems.append(f"{len(files) - len(set(files))} files are named twice")
    if problems or not files:
        raise ScoreTableError(str(labels), problems or ["it names no file"])
    found = tuple(
        Picture(
            file,
            _sha256(root / file),
            cells["subject"][row] if "subject" in cells else file,
            " ".join(cells[key][row] for key in group_by),
        )
        for row, file in enumerate(files)
    )
    return PictureSet(name or root.name, root, found)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_picture(path: Path, limits: Limits | None = None) -> Image:
    """Decode a picture; portable grey maps (``.pgm``) are taken too, as evaluation sets hold them.

    Raises:
        samebody.capture.DecodeError: it cannot be decoded; see :func:`samebody.capture.decode_image`.
        samebody.lab.evaluate.grey_maps.GreyMapError: a broken grey map.
    """
    return read_grey_map(path) if path.suffix.lower() == ".pgm" else decode_image(path, limits=limits)


Entry = NDArray[np.float32] | str
"""A template, or the reason why there is none."""


def cached_entries(
    files: Sequence[tuple[str, Path]],
    work: Callable[[Path], Entry],
    cache: TemplateCache,
    *,
    workers: int,
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> dict[str, Entry]:
    """``work`` of each file by its hash, from the cache where it is there.

    A few cached entries are made again first; when one differs the cache is dropped.

    Args:
        files: (sha256, path) of each.
        work: what makes an entry; runs in several threads.
        cache: of the embedding space.
        workers: threads.
        fresh: drop the cache.
        progress: told (done, of how many).
    """
    cached = [item for item in files if item[0] in cache]
    checked = cached[:: max(1, len(cached) // _SPOT_CHECKS)][:_SPOT_CHECKS]
    if fresh or not all(_agree(cache[sha256], work(path)) for sha256, path in checked):
        cache.clear()
    missing = [item for item in files if item[0] not in cache]
    done = len(files) - len(missing)
    for sha256, entry in ordered(lambda item: (item[0], work(item[1])), missing, workers=workers):
        cache.put(sha256, entry)
        done += 1
        progress(done, len(files))
    cache.flush()
    return {sha256: cache[sha256] for sha256, _ in files}


def _agree(old: Entry, new: Entry) -> bool:
    if isinstance(old, str) or isinstance(new, str):
        return isinstance(old, str) and isinstance(new, str) and old == new
    return bool(np.max(np.abs(old - new)) < 1e-4)


def cache_folder(settings: Settings) -> Path:
    """Where templates of evaluation pictures are kept."""
    return settings.models_dir.parent / "evaluation-templates"


def acquisition_key(analyser: FaceAnalyser) -> str:
    """16 hex digits of all that decides which crop of a picture reaches the embedder, or whether one does.

    The detector's weights, the parameters of the stages, and the code of the stages itself: a limit or a line that
    changes there makes other templates, so templates made before it must not be found again.
    """
    parts = [analyser.networks.records[DETECTOR].run_sha256, *analyser.acquisition_parameters()]
    digest = hashlib.sha256("\n".join(parts).encode())
    for name in ("align", "choose", "detect", "geometry", "yunet"):
        digest.update((resources.files("samebody.face") / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def template_cache(analyser: FaceAnalyser, settings: Settings, kind: str = "") -> TemplateCache:
    """The cache of an embedder (and the detector before it)."""
    record = analyser.embedder
    name = f"{record.embedding_space().digest}-{kind or acquisition_key(analyser)}"
    return TemplateCache(cache_folder(settings) / name, record.embedding_output.dimensions)


def embed_picture(analyser: FaceAnalyser, load: Callable[[], Image], *, aligned: bool = False) -> Entry:
    """The template of one picture as the product makes it, or the reason code why there is none."""
    try:
        image = load()
        if aligned:
            wanted = analyser.embedder.image_input
            if (image.height, image.width) != (wanted.height, wanted.width):
                return "evaluate.not_aligned_size"
            return analyser.embed(image.pixels).vector
        analysis = analyser.template(image, "selfie")
    except InputError as error:  # a picture that cannot be decoded is a failure to acquire too
        return error.code
    if analysis.template is None:
        return analysis.findings[0].reasons[0].code
    return analysis.template.vector


def embed_pictures(
    chosen: PictureSet,
    model: str = "face/sface",
    *,
    aligned: bool = False,
    quality: bool = False,
    settings: Settings | None = None,
    fresh: bool = False,
    progress: Progress = lambda what, done, whole: None,
) -> tuple[TemplateSet, Algorithm]:
    """Templates of every picture; pictures without a usable face are failures to acquire, with their reason.

    Args:
        chosen: pictures.
        model: record id of the embedder.
        aligned: the pictures are crops that the embedder takes as they are.
        quality: also assess the quality of each picture (unified score, 0-100), which takes longer.
        settings: where weights and cache are.
        fresh: make everything again.
        progress: told while pictures are embedded.

    Raises:
        ScoreTableError: no picture gave a template.
        samebody.models.UnknownModelError, WeightsMissingError.
    """
    settings = settings or load_settings()
    analyser = FaceAnalyser(settings, embedder=model)
    single = analyser.single_threaded()
    files = [(picture.sha256, chosen.root / picture.file) for picture in chosen.pictures]
    entries = cached_entries(
        files,
        lambda path: embed_picture(single, lambda: load_picture(path, settings.limits), aligned=aligned),
        template_cache(analyser, settings, "aligned" if aligned else ""),
        workers=settings.session_threads,
        fresh=fresh,
        progress=lambda done, whole: progress(f"embedding {chosen.name}", done, whole),
    )
    qualities = _qualities(files, analyser, settings, fresh, progress) if quality and not aligned else None
    good = [picture for picture in chosen.pictures if not isinstance(entries[picture.sha256], str)]
    bad = [(picture, reason) for picture in chosen.pictures if isinstance(reason := entries[picture.sha256], str)]
    if not good:
        raise ScoreTableError(chosen.name, ["no picture gave a template"], hint=f"First reason: {bad[0][1]}.")
    labelled = any(picture.group for picture in chosen.pictures)
    record = analyser.embedder
    templates = TemplateSet(
        vectors=np.array([entries[picture.sha256] for picture in good], dtype=np.float32),
        samples=np.array([picture.file for picture in good], dtype=np.str_),
        subjects=np.array([picture.subject for picture in good], dtype=np.str_),
        groups=np.array([picture.group for picture in good], dtype=np.str_) if labelled else None,
        quality=None
        if qualities is None
        else np.array([qualities[picture.sha256] for picture in good], dtype=np.float32),
        failed=tuple(picture.file for picture, _ in bad),
        failed_subjects=tuple(picture.subject for picture, _ in bad),
        failed_groups=tuple(picture.group for picture, _ in bad) if labelled else (),
        reasons=tuple(reason for _, reason in bad),
        name=chosen.name,
        digest=chosen.digest,
        space=record.embedding_space().digest,
    )
    return templates, Algorithm(record.id, record.version, record.embedding_space().digest)


def _qualities(
    files: Sequence[tuple[str, Path]], analyser: FaceAnalyser, settings: Settings, fresh: bool, progress: Progress
) -> Mapping[str, float]:
    """Unified quality by hash; NaN where none could be assessed."""
    single = analyser.single_threaded()
    networks = single.networks.records
    digest = hashlib.sha256("".join(sorted(record.run_sha256 for record in networks.values())).encode())
    digest.update(acquisition_key(analyser).encode())
    for source in sorted(resources.files("samebody.face.quality").iterdir(), key=lambda entry: entry.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    version = digest.hexdigest()

    def work(path: Path) -> Entry:
        try:
            analysis = single.analyse(load_picture(path, settings.limits), "selfie")
        except InputError as error:
            return error.code
        if analysis.quality is None:
            return "quality.not_assessed"
        return np.array([analysis.quality.unified], dtype=np.float32)

    found = cached_entries(
        files,
        work,
        TemplateCache(cache_folder(settings) / f"quality-{version[:16]}", 1),
        workers=settings.session_threads,
        fresh=fresh,
        progress=lambda done, whole: progress("assessing quality", done, whole),
    )
    return {sha256: float("nan") if isinstance(entry, str) else float(entry[0]) for sha256, entry in found.items()}


def by_stem(names: Iterable[str]) -> dict[str, str]:
    """Names without suffix to names, for protocols that leave the suffix out (LFW)."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.rpartition(".")[0] or name, name)
    return found

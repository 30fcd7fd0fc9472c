"""Real inputs of a graph, with what is known of them: for parity, calibration, gates and timing."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.errors import InputError
from samebody.lab.ship.errors import SamplesError
from samebody.models.contracts import ImageInput, preprocess_images

COLUMNS = ("label", "subject", "group", "species", "family", "domain", "mask", "name")
"""What a file of samples may say of each: class (1 = bona fide for detectors), who, evaluation group, PAI species and
generator family (empty for bona fide), truth of a segmentation, name."""
Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Samples:
    """Samples of a graph.

    Attributes:
        tensors: what the graph takes, by the name of its input: float32, first axis the samples.
        columns: further arrays of :data:`COLUMNS`, first axis the samples.
        source: where they come from, for reports.
    """

    tensors: Mapping[str, Tensor] = field(repr=False)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    source: str = ""

    def __post_init__(self) -> None:
        counts = {name: len(value) for name, value in {**self.tensors, **self.columns}.items()}
        problems = []
        if not self.tensors or len(set(counts.values())) != 1:
            stated = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
            problems.append(f"arrays of different lengths, or none: {stated}")
        problems += [f"{name} is {v.dtype}, not float32" for name, v in self.tensors.items() if v.dtype != np.float32]
        problems += [
            f"{name} holds values that are not finite"
            for name, value in self.tensors.items()
            if not np.isfinite(value).all()
        ]
        if problems:
            raise SamplesError(f"the samples {self.source} cannot be used: {'; '.join(problems)}.")

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        """The tensors in pieces of at most ``size`` samples."""
        for start in range(0, len(self), size):
            yield {name: value[start : start + size] for name, value in self.tensors.items()}

    def chosen(self, which: NDArray[np.int64]) -> Samples:
        """The samples at these places."""
        return Samples(
            {name: np.ascontiguousarray(value[which]) for name, value in self.tensors.items()},
            {name: value[which] for name, value in self.columns.items()},
            self.source,
        )

    def limited(self, count: int, seed: int = 0) -> Samples:
        """At most ``count`` of them, drawn without repetition, in their order."""
        if len(self) <= count:
            return self
        return self.chosen(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def column(self, name: str) -> NDArray[Any]:
        """The column ``name``.

        Raises:
            SamplesError: there is none.
        """
        if name not in self.columns:
            known = ", ".join(self.columns) or "none"
            raise SamplesError(f"the samples {self.source} have no column {name!r}.", hint=f"Columns: {known}.")
        return self.columns[name]

    @property
    def digest(self) -> str:
        """SHA-256 over the tensors: names, shapes and values."""
        whole = hashlib.sha256()
        for name, value in sorted(self.tensors.items()):
            whole.update(f"{name}{value.shape}".encode())
            whole.update(np.ascontiguousarray(value, dtype="<f4").tobytes())
        return whole.hexdigest()

    def packed(self) -> bytes:
        """The content of an ``.npz`` file of these samples: numbers and text, no pickle."""
        buffer = io.BytesIO()
        arrays = {name: np.asarray(value) for name, value in {**self.tensors, **self.columns}.items()}
        np.savez(buffer, **{name: v.astype(np.str_) if v.dtype == object else v for name, v in arrays.items()})  # type: ignore[arg-type]
        return buffer.getvalue()


def load_samples(path: Path, inputs: Sequence[str]) -> Samples:
    """Read samples that ``samebody ship export`` wrote, or an ``.npz`` of your own.

    Args:
        path: arrays named as the inputs of the graph (float32), and any of :data:`COLUMNS`.
        inputs: the names of the graph's inputs.

    Raises:
        SamplesError: the file is missing, no ``.npz``, holds a pickle, or lacks an input.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name in (*inputs, *COLUMNS)}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise SamplesError(
            f"{path} cannot be read as samples: {error}.", hint="Give an .npz that `samebody ship export` wrote."
        ) from None
    except AttributeError:  # a lone array: NpyFile has no members
        raise SamplesError(f"{path} is a single array.", hint="Give an .npz with arrays named as the inputs.") from None
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise SamplesError(f"{path} has no array {', '.join(missing)}, which the graph takes.")
    tensors = {}
    for name in inputs:
        value = arrays.pop(name)
        if value.dtype.kind not in "fiu":
            raise SamplesError(f"{path}: {name} is no array of numbers.")
        tensors[name] = np.ascontiguousarray(value, dtype=np.float32)
    return Samples(tensors, arrays, path.name)


def picture_samples(
    folder: Path,
    contract: ImageInput,
    name: str,
    *,
    version: str | None = None,
    split: str = "",
    limit: int = 256,
    seed: int = 0,
    settings: Settings | None = None,
) -> Samples:
    """Samples from pictures: a data set of ``samebody data``, or any folder with pictures in it.

    A picture is aligned to the contract's five points, or cut around the largest face, or scaled to its size, as the
    contract says. Pictures that cannot be read or show no face where one is needed are left out.

    Args:
        folder: data set or folder.
        contract: of the record.
        name: of the graph's input.
        version, split: of a data set; the last version and every split otherwise.
        limit: pictures at most, drawn at random with ``seed``.
        settings: limits, and where the face detector is.

    Raises:
        SamplesError: no picture is usable.
    """
    from samebody.capture import decode_image

    settings = settings or load_settings()
    files, columns = _listed(folder, version, split)
    order = np.random.default_rng(seed).permutation(len(files))
    fit = _Fitter(contract, settings)
    pictures: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    for place in order:
        if len(kept) >= limit:
            break
        try:
            found = fit(decode_image(files[place].read_bytes(), limits=settings.limits).pixels)
        except (InputError, OSError):
            continue
        if found is not None:
            pictures.append(found)
            kept.append(int(place))
    if not kept:
        raise SamplesError(
            f"no picture in {folder} can be used for this input.", hint="Look at [input] of the record, and the folder."
        )
    tensor = preprocess_images(contract, np.stack(pictures))
    return Samples({name: tensor}, {key: value[kept] for key, value in columns.items()}, str(folder))


def _listed(folder: Path, version: str | None, split: str) -> tuple[list[Path], dict[str, NDArray[Any]]]:
    if (folder / "dataset.json").is_file():
        from samebody.lab.data import DataSet

        held = DataSet.open(folder)
        manifest = held.manifest(held.version(version))
        keep = np.flatnonzero(
            (manifest["quarantine"] == "") & ((manifest["split"] == split) if split else (manifest["split"] != "\0"))
        )
        columns = {
            "name": manifest["sample"][keep],
            "label": manifest["label"][keep],
            "subject": manifest["subject"][keep],
            "species": manifest["pai_species"][keep],
        }
        return [held.object_path(digest) for digest in manifest["sha256"][keep]], columns
    suffixes = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return files, {"name": np.array([path.relative_to(folder).as_posix() for path in files], dtype=object)}


class _Fitter:
    """Bring one RGB picture to the size of a contract."""

    def __init__(self, contract: ImageInput, settings: Settings) -> None:
        self.contract, self.settings = contract, settings
        self._analyser: Any = None

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        import cv2

        contract = self.contract
        if contract.alignment != "none" or contract.crop is not None:
            face = self._face(pixels)
            if face is None:
                return None
            if contract.alignment != "none":
                from samebody.face.align import align

                return align(pixels, face, contract)
            pixels = self._cut(pixels, face.box)
        width, height = contract.width or pixels.shape[1], contract.height or pixels.shape[0]
        width, height = (max(contract.multiple_of, n - n % contract.multiple_of) for n in (width, height))
        shrinks = width < pixels.shape[1]
        scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        grey = contract.colour == "grey"
        return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY) if grey else scaled, dtype=np.uint8)

    def _face(self, pixels: NDArray[np.uint8]) -> Any:
        from samebody.face import FaceAnalyser
        from samebody.types import Image

        if self._analyser is None:
            self._analyser = FaceAnalyser(self.settings)
        found = self._analyser.detect(Image(pixels))
        return found[0] if found else None

    def _cut(self, pixels: NDArray[np.uint8], box: Any) -> NDArray[np.uint8]:
        import cv2

        half = (self.contract.crop or 1.0) * max(box.width, box.height) / 2
        x, y = box.x + box.width / 2, box.y + box.height / 2
        left, top = round(x - half), round(y - half)
        side = max(2, round(2 * half))
        pad = max(0, -left, -top, left + side - pixels.shape[1], top + side - pixels.shape[0])
        wide = cv2.copyMakeBorder(pixels, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else pixels
        return np.asarray(wide[top + pad : top + pad + side, left + pad : left + pad + side], dtype=np.uint8)

"""Task ``embed-distil``: a small face embedder that learns from a large one what faces are alike. No identities.

The student begins as a pruned copy of the teacher (:mod:`samebody.lab.train.embed_prune`) and then learns, from views
of aligned faces, the teacher's vector of each face and how the vectors of a batch stand to each other.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.config import load_settings
from samebody.errors import UsageError
from samebody.lab.data.files import write_bytes
from samebody.lab.evaluate.evaluation_sets import Sample, read_fairface, read_repeats
from samebody.lab.train.embed_faces import MARGIN, AlignedFaces, aligned_faces
from samebody.lab.train.embed_network import EdgeNetwork, spread
from samebody.lab.train.embed_prune import prune, refit_head
from samebody.lab.train.embed_targets import halfway, partners, teacher_targets
from samebody.lab.train.embed_teacher import read_teacher
from samebody.lab.train.embed_views import draw_view
from samebody.lab.train.task import Data, Example, Source, Task, tasks
from samebody.models import catalogue, weights_path

_INIT_VERSION = 3
_LOG = logging.getLogger(__name__)


class FaceSource:
    """Faces with the teacher's vectors.

    Attributes:
        columns: ``label`` int64 zeros, ``group`` text (race and gender as the set labels them; for measuring alone).
    """

    def __init__(
        self,
        faces: AlignedFaces,
        rows: NDArray[np.int64],
        targets: NDArray[np.float32],
        strength: float | None,
        mixes: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]] = (),
    ) -> None:
        self.faces, self.rows, self.targets, self.strength, self.mixes = faces, rows, targets, strength, mixes
        allowed = np.zeros(len(faces), bool)
        allowed[rows] = True
        places = [(0, row) for row in rows.tolist()]
        for number, (other, _) in enumerate(mixes, 1):
            # both halves must be faces of this side
            places += [(number, row) for row in rows[allowed[other[rows]]].tolist()]
        self.places = np.array(places, np.int64).reshape(-1, 2)
        groups = np.array([faces.samples[row].group for _, row in places])
        self.columns: Mapping[str, NDArray[Any]] = {"label": np.zeros(len(places), np.int64), "group": groups}

    def __len__(self) -> int:
        """Number of faces, halfway ones among them."""
        return len(self.places)

    def _wide(self, mix: int, row: int) -> NDArray[np.uint8]:
        crop = np.asarray(self.faces.crops[row])
        return halfway(crop, np.asarray(self.faces.crops[int(self.mixes[mix - 1][0][row])])) if mix else crop

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """``input`` float32 [n, 3, side, side] of 0-255 and ``teacher`` float32 [n, d] of unit length."""
        places = self.places[indices].tolist()
        if self.strength is None:
            crops = [self._wide(mix, row)[MARGIN:-MARGIN, MARGIN:-MARGIN] for mix, row in places]
        else:
            rng = np.random.default_rng(seed)
            crops = [draw_view(self._wide(mix, row), rng, self.strength) for mix, row in places]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
        answers = [self.mixes[mix - 1][1][row] if mix else self.targets[row] for mix, row in places]
        return {"input": pixels, "teacher": torch.from_numpy(np.stack(answers))}


def held_people(samples: tuple[Sample, ...], people: list[str], share: float, seed: int) -> NDArray[np.bool_]:
    """bool [n]: which samples are held back, by person, so that nobody stands on both sides.

    A person is held back by the hash of their first file and ``seed``: adding pictures to a set moves nobody.
    """
    found = []
    for person in people:
        digest = hashlib.sha256(f"{seed}\n{person}".encode()).digest()
        found.append(int.from_bytes(digest[:8], "big") / 2**64 < share)
    return np.array(found[: len(samples)])


def _batches(source: FaceSource, places: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    """Faces at ``places`` as they are, 48 at a time, with the teacher's vectors."""
    for start in range(0, len(places), 48):
        rows = source.rows[np.sort(places[start : start + 48])]
        pixels = torch.from_numpy(np.ascontiguousarray(source.faces.middle(rows))).permute(0, 3, 1, 2).float()
        yield pixels.contiguous(memory_format=torch.channels_last), torch.from_numpy(source.targets[rows])


class _Vector(nn.Module):
    """What is shipped: the vector alone."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x)["embedding"]
        return found


@tasks.register("embed-distil")
class EmbedDistil(Task):
    """Distil a face embedder from a record of one, on faces without identities."""

    monitor = "cosine"
    larger_is_better = True

    class Parameters(stage.Parameters):
        """Data, split and beginning."""

        root: str = Field(default="data", description="folder with fairface/, from the working folder")
        repeats: str = Field(default="", description="reviewed list of pictures that show one person; empty = none")
        teacher: str = Field(default="face/sface", description="record id of the teacher")
        held: float = Field(default=0.1, gt=0, lt=0.9, description="share of the people held back")
        mixes: int = Field(default=0, ge=0, le=16, description="halfway faces, as many times as there are faces")
        strength: float = Field(default=1.0, ge=0, le=2, description="of the views; 0 = mirrored alone")
        begin: bool = Field(default=True, description="begin as a compressed copy of the teacher")
        fine: int = Field(default=96, ge=8, le=4096, description="faces that the first layers are fitted on")
        coarse: int = Field(default=512, ge=8, le=20000, description="faces that the later layers are fitted on")
        head: int = Field(default=8_000, ge=0, description="faces that the dense layer is fitted on; 0 = not at all")
        measured: int = Field(default=600, ge=16, le=20000, description="held-back faces measured while training")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._begin: tuple[Path, FaceSource, int] | None = None

    def data(self, folder: Path, *, seed: int) -> Data:
        """Faces of fairface, cut, answered by the teacher and split by person; both are kept in ``folder``.

        Raises:
            DataSetError: the set or the list of repeats is not as expected.
            NoFacesError: no usable face.
            samebody.models.WeightsMissingError: detector or teacher were not pulled.
        """
        options: Any = self.parameters
        chosen = read_fairface(Path(options.root))
        faces = aligned_faces(chosen, folder, embedder=options.teacher)
        targets = teacher_targets(faces, folder, teacher=options.teacher)
        samples = list(faces.samples)
        people = (
            read_repeats(Path(options.repeats), chosen.samples).people(samples)
            if options.repeats
            else [sample.person for sample in samples]
        )
        held = held_people(faces.samples, people, options.held, seed)
        mixes = [
            (partners(len(faces), number), teacher_targets(faces, folder, mix=number, teacher=options.teacher))
            for number in range(1, options.mixes + 1)
        ]
        train = FaceSource(faces, np.flatnonzero(~held), targets, options.strength, mixes)
        self._begin = folder, train, seed
        teacher = catalogue(load_settings())[options.teacher]
        identity = {
            "set": chosen.name,
            "sha256_of_list": chosen.digest,
            "faces": faces.digest,
            "teacher": teacher.embedding_space().digest,
            "repeats": options.repeats and read_repeats(Path(options.repeats), chosen.samples).sha256,
            "train": int((~held).sum()),
            "held": int(held.sum()),
        }
        if mixes:
            identity["halfway"] = len(train) - int((~held).sum())
        return Data(train, FaceSource(faces, np.flatnonzero(held), targets, None), identity)

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """The ``edge`` network, begun as a pruned copy of the teacher when data were opened before."""
        entries = dict(parts)
        name = entries.pop("name", "edge")
        if name != "edge":
            raise UsageError(f"embed-distil prunes its student from the teacher and has no network {name!r}.")
        network = EdgeNetwork(**entries)
        options: Any = self.parameters
        if self._begin is not None and options.begin:
            self._load_begin(network)
        return network

    def _load_begin(self, network: EdgeNetwork) -> None:
        """Prune, or take what an earlier run pruned from the same teacher, faces and widths."""
        assert self._begin is not None
        folder, source, seed = self._begin
        options: Any = self.parameters
        record = catalogue(load_settings())[options.teacher]
        sizes = {k: v for k, v in network.options.model_dump(mode="json").items() if k != "frozen"}
        key = [
            _INIT_VERSION,
            record.run_sha256,
            source.faces.digest,
            options.fine,
            options.coarse,
            options.head,
            seed,
            sizes,
        ]
        key.append(hashlib.sha256(source.rows.tobytes()).hexdigest())
        path = folder / f"pruned-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.pt"
        if not path.is_file():
            rng = np.random.default_rng(seed)
            rows = source.rows[np.sort(rng.permutation(len(source.rows))[: options.coarse])]
            pixels = torch.from_numpy(np.ascontiguousarray(source.faces.middle(rows))).permute(0, 3, 1, 2).float()
            teacher = read_teacher(str(weights_path(record)))
            few = pixels[rng.permutation(len(pixels))[: options.fine].tolist()]
            prune(teacher, network, few, pixels, seed=seed, progress=_LOG.info)
            refit_head(network, _batches(source, rng.permutation(len(source.rows))[: options.head]))
            stream = io.BytesIO()
            torch.save(network.state_dict(), stream)
            write_bytes(path, stream.getvalue())
        network.load_state_dict(torch.load(path, weights_only=True))

    @torch.no_grad()
    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """``cosine`` to the teacher (mean), ``cosine_5`` (5 % quantile), ``ranks`` (:func:`rank_correlation`)."""
        options: Any = self.parameters
        count = min(len(held), options.measured)
        memory = next(network.parameters())
        student, teacher = [], []
        for start in range(0, count, 50):
            batch = held.batch(np.arange(start, min(start + 50, count)), 0)
            student.append(network(batch["input"].to(memory.device))["embedding"].float().cpu())
            teacher.append(batch["teacher"])
        ours, theirs = functional.normalize(torch.cat(student)), torch.cat(teacher)
        cosines = (ours * theirs).sum(1)
        return {
            "cosine": float(cosines.mean()),
            "cosine_5": float(cosines.quantile(0.05)),
            "ranks": rank_correlation(ours.numpy(), theirs.numpy()),
        }

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """The vector alone, of pixels 0-255."""
        return _Vector(spread(network)).eval(), Example(torch.full((1, 3, 112, 112), 127.5), "input", ("embedding",))


def rank_correlation(one: NDArray[np.floating], two: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of the scores that two embedders give to all pairs of the same faces.

    Args:
        one, two: [n, d] and [n, e] unit vectors, n >= 3.
    """
    rows, columns = np.triu_indices(len(one), 1)
    ranks = []
    for vectors in (one, two):
        scores = (vectors @ vectors.T)[rows, columns]
        order = np.empty(len(scores))
        order[np.argsort(scores, kind="stable")] = np.arange(len(scores))
        ranks.append(order)
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])

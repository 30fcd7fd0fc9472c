"""A gallery opened for work: its engines by name, and the error rates of its embedding spaces by their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebody.config import Settings
from samebody.errors import SamebodyError, UsageError
from samebody.search.candidates import Builder
from samebody.search.dedupe import DuplicateReport, Hint, Side, find_duplicates
from samebody.search.engines import DEFAULT, build, engine_names
from samebody.search.enrolment import BIRTH, Applicant, Enroller, EnrolmentPolicy
from samebody.search.errors import UnknownEngineError
from samebody.search.gallery import Enrolment, Gallery
from samebody.search.identify import Identifier, SearchPolicy
from samebody.search.thresholds import ErrorRates, MeasuredRates, UnitVectorRates, synthetic_vector_space
from samebody.search.types import Engine, Layout, Source
from samebody.types import EmbeddingSpace

EXACT = "exact"
RAY = "ray"
SYNTHETIC_IRISES = "synthetic/iris-codes"
SYNTHETIC_POINTS = Path(__file__).with_name("synthetic_irises.points.json")


class RatesUnknownError(UsageError):
    """No model record is of the gallery's embedding space."""

    code = "search.rates_unknown"


def synthetic_iris_space(columns: int) -> EmbeddingSpace:
    """The space of codes that were drawn and never photographed: comparable with nothing that an encoder made."""
    return EmbeddingSpace(SYNTHETIC_IRISES, "1", "0" * 64, f"columns={columns}")


def rates_of(
    layout: Layout,
    *,
    model: str | None = None,
    file: Path | str | None = None,
    population: str | None = None,
    settings: Settings | None = None,
) -> ErrorRates:
    """The error rates of a layout's embedding space.

    Args:
        layout: of a gallery.
        model: id of the record to take; its space has to be the layout's.
        file: operating points in the form of a record's sidecar, instead of a record.
        population: of non-mated pairs; None takes the record's default.
        settings: where records are.

    Raises:
        RatesUnknownError: no record has that space.
        RatesFileError: the file does not fit.
    """
    if file is not None:
        return MeasuredRates.of_file(file, layout.space, population)
    if layout.modality == "vector" and layout.space == synthetic_vector_space(layout.size).digest:
        return UnitVectorRates(layout.size)
    if layout.modality == "iris" and layout.space == synthetic_iris_space(layout.size).digest:
        return MeasuredRates.of_file(SYNTHETIC_POINTS, layout.space, population)
    from samebody.models import catalogue

    records = catalogue(settings)
    for identifier in [model] if model is not None else list(records):
        record = records[identifier]
        try:
            space = record.embedding_space()
        except SamebodyError:  # no embedder
            continue
        if space.digest == layout.space:
            return MeasuredRates.of_record(record, population)
    wanted = f"the record {model} is not" if model else "no model record is"
    raise RatesUnknownError(
        f"{wanted} of the gallery's {layout.modality} space {layout.space}, so no threshold is known.",
        hint="Name a file of operating points, or use the record that made the templates.",
    )


def builder(engine: str | None = None, *, threads: int | None = None) -> Builder:
    """Makes engines: the named one for the modality it searches, the exact one for the other.

    Raises:
        UnknownEngineError: there is no such engine.
    """
    chosen = None if engine in (None, EXACT, RAY) else engine
    if chosen is not None and chosen not in engine_names():
        known = ", ".join((EXACT, RAY, *engine_names()))
        raise UnknownEngineError(f"there is no engine {chosen!r}.", hint=f"Take one of {known}.")

    def make(source: Source) -> Engine:
        kind = source.layout.modality
        name = chosen if chosen is not None and chosen in engine_names(kind) else DEFAULT[kind]
        return build(source, name, **({} if threads is None else {"threads": threads}))

    return make


def exact_builder(threads: int | None = None) -> Builder:
    """Makes the exact engine of each modality, whatever is named elsewhere: what few candidates are compared with."""
    return builder(EXACT, threads=threads)


@dataclass(slots=True)
class Session:
    """An open gallery with all that a search of it needs.

    Attributes:
        gallery: open.
        engine: ``exact``, ``ray`` or a name of :func:`samebody.search.engines.engine_names`.
        threads: of an engine; None takes all cores.
        rates_files, models: by modality, where the catalogue is not to be asked.
        population: of non-mated pairs.
        cluster: makes the engine over shards of one modality, for ``ray``.
        settings: where records are.
    """

    gallery: Gallery
    engine: str = EXACT
    threads: int | None = None
    rates_files: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    population: str | None = None
    cluster: Callable[[str], Engine] | None = None
    settings: Settings | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Of the gallery."""
        return tuple(layout.modality for layout in self.gallery.layouts)

    def rates(self, modalities: Sequence[str] | None = None) -> dict[str, ErrorRates]:
        """Error rates by modality.

        Raises:
            RatesUnknownError, RatesFileError.
        """
        return {
            layout.modality: rates_of(
                layout,
                model=self.models.get(layout.modality),
                file=self.rates_files.get(layout.modality),
                population=self.population,
                settings=self.settings,
            )
            for layout in self.gallery.layouts
            if modalities is None or layout.modality in modalities
        }

    def build(self) -> Builder:
        """Of engines, as named."""
        return builder(self.engine, threads=self.threads)

    def identifier(self, policy: SearchPolicy, modalities: Sequence[str] | None = None) -> Identifier:
        """Searches in these modalities, by default all.

        Raises:
            RatesUnknownError, and what the engines raise.
        """
        names = [name for name in self.modalities if modalities is None or name in modalities]
        sources = {name: self.gallery.source(name) for name in names}
        engines: dict[str, Engine] = {}
        for name in names:
            if self.engine == RAY and self.cluster is not None:
                engines[name] = self.cluster(name)
            else:
                engines[name] = self.build()(sources[name])
        return Identifier(
            self.gallery, sources, self.rates(names), exact_builder(self.threads), engines=engines, policy=policy
        )

    def enroller(self, policy: EnrolmentPolicy) -> Enroller:
        """Enrols into the gallery, which has to be open for writing.

        Raises:
            RatesUnknownError: duplicates are to be found, and no error rates are known.
        """
        rates = {} if policy.duplicates == "allow" else self.rates()
        return Enroller(self.gallery, self._write, rates, self.build(), policy=policy)

    def duplicates(
        self,
        policy: SearchPolicy,
        *,
        other: Gallery | None = None,
        journal: Path | str | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> DuplicateReport:
        """All duplicate groups of the gallery, or between it and ``other``; twins by the attribute ``birth``.

        Raises:
            RatesUnknownError, ThresholdUnknownError, SearchSpaceMismatchError, JournalError, JournalWriteError.
        """
        return find_duplicates(
            _side(self.gallery),
            self.rates(),
            self.build(),
            exact=exact_builder(self.threads),
            engines=self._shards(other),
            other=None if other is None else _side(other),
            policy=policy,
            same_birth=self._same_birth(other or self.gallery),
            journal=None if journal is None else str(journal),
            progress=progress,
            settings=self.engine,
        )

    def _shards(self, other: Gallery | None) -> dict[str, Engine] | None:
        if self.engine != RAY or self.cluster is None or other is not None:
            return None
        return {name: self.cluster(name) for name in self.modalities}

    def _same_birth(self, other: Gallery) -> Hint:
        def births(gallery: Gallery, subject: str) -> set[Any]:
            return {str(r.attributes[BIRTH]) for r in gallery.records_of(subject) if BIRTH in r.attributes}

        return lambda first, second: bool(births(self.gallery, first) & births(other, second))

    def _write(self, batch: Sequence[tuple[Applicant, Mapping[str, Any]]]) -> list[dict[str, int]]:
        """One durable batch for all applicants, or nothing."""
        rows: list[Enrolment] = []
        places: list[list[str]] = []
        for applicant, attributes in batch:
            names: list[str] = []
            for name in applicant.modalities:
                template: Any = applicant.vector if name == "vector" else applicant.iris
                facts = {**attributes, **applicant.facts.get(name, {})}
                rows.append(Enrolment(applicant.subject, template, facts, applicant.spaces[name]))
                names.append(name)
            places.append(names)
        if not rows:
            return [{} for _ in batch]
        ids = iter(self.gallery.enrol(rows).tolist())
        return [{name: next(ids) for name in names} for names in places]


def _side(gallery: Gallery) -> Side:
    return Side(gallery, {layout.modality: gallery.source(layout.modality) for layout in gallery.layouts})

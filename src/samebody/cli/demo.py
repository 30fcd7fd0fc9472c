"""``samebody demo``: the main job on example photographs and specimen documents, with reports to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samebody.config import Settings
    from samebody.pipeline.verify import Verification
    from samebody.types import Image

GENUINE_PORTRAIT = "example/person-b-1"
GENUINE_SELFIE = "example/person-b-2"
IMPOSTOR_SELFIE = "example/person-c-1"
FORGER_PORTRAIT = "example/person-a-1"
FORGER_SELFIE = "example/person-a-2"
SEED = 20
HELD_BACK = frozenset({"reject", "review", "retry"})


@dataclass(frozen=True, slots=True)
class Scene:
    """One row of the demo: what is tried, with which pictures, under which policy, and what should come out.

    Forgeries are shown with a ``seed`` of the specimen at which a check catches them: not every one is caught, and how
    many of many are stands in docs/results/forgery-rates.md.
    """

    name: str
    selfie: str
    portrait: str
    policy: str
    expected: frozenset[str]
    forgery: str | None = None
    substitute: str | None = None
    seed: int = SEED


SCENES = (
    Scene("same person, years apart", GENUINE_SELFIE, GENUINE_PORTRAIT, "default", frozenset({"review"})),
    Scene("same person, years apart", GENUINE_SELFIE, GENUINE_PORTRAIT, "no-liveness", frozenset({"accept"})),
    Scene("another person's selfie", IMPOSTOR_SELFIE, GENUINE_PORTRAIT, "no-liveness", frozenset({"reject"})),
    *(
        Scene(f"forged: {name.replace('_', ' ')}", GENUINE_SELFIE, GENUINE_PORTRAIT, "no-liveness", HELD_BACK, name)
        for name in ("date_plain", "viz_mismatch", "reprint")
    ),
    Scene(
        "forged: screen recapture",
        GENUINE_SELFIE,
        GENUINE_PORTRAIT,
        "no-liveness",
        HELD_BACK,
        "screen_recapture",
        seed=21,
    ),
    # the forger pastes their own portrait into somebody else's document and shows their own face
    Scene(
        "forged: portrait swap",
        FORGER_SELFIE,
        GENUINE_PORTRAIT,
        "no-liveness",
        HELD_BACK,
        "portrait_swap",
        FORGER_PORTRAIT,
    ),
)


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("demo-out"), show_default=True)
@click.option("--show-pictures/--blur-pictures", default=True, show_default=True, help="Pictures in the reports.")
@click.option("--only-pictures", is_flag=True, help="Only write me.jpg and id.jpg, to try the service with.")
def command(out: Path, show_pictures: bool, only_pictures: bool) -> int:
    """Verify a person against specimen documents, genuine and forged, and write reports.

    Pulls weights and example photographs on the first run. Exits with 1 when a verdict is not the expected one.
    """
    from rich.console import Console
    from rich.table import Table

    from samebody.config import load_settings

    console = Console()
    settings = load_settings()
    pull_missing(settings)
    out.mkdir(parents=True, exist_ok=True)
    if only_pictures:
        for path in write_pictures(settings, out):
            console.print(path, highlight=False)
        return 0
    table = Table(title="samebody demo", show_lines=True)
    for name in ("", "case", "policy", "verdict", "face match"):
        table.add_column(name)
    table.add_column("what decided", overflow="fold", min_width=25)
    as_expected = True
    for number, (scene, case) in enumerate(play(settings, out), start=1):
        case.write_report(out / f"{number}.html", show_pictures=show_pictures)
        right = case.decision.value in scene.expected
        as_expected &= right
        match = case.verdict.finding("face.match")
        score = f"{match.outcome.value}" + (f" {match.score:.3f}" if match.score is not None else "")
        colour = {"accept": "green", "reject": "red"}.get(case.decision.value, "yellow")
        table.add_row(
            str(number),
            scene.name,
            scene.policy,
            f"[{colour}]{case.verdict.headline}[/]" + ("" if right else " [red](not expected)[/]"),
            score,
            "\n".join(deciding_checks(case)) or "every layer passed",
        )
    console.print(table)
    console.print(f"Reports: {out}/1.html to {out}/{len(SCENES)}.html")
    console.print(
        "These forgeries are caught; how often each kind is: docs/results/forgery-rates.md, docs/threat-model.md"
    )
    console.print("Documents are specimens of the fictional state UTO. Photographs and their licences:")
    for line in credits(settings):
        console.print(f"  {line}", highlight=False)
    if not as_expected:
        console.print("[red]A verdict is not the expected one.[/]")
    return 0 if as_expected else 1


def pull_missing(settings: Settings) -> None:
    """Pull every record that the demo needs and that is not there yet."""
    from samebody.cli.models_progress import PullProgress
    from samebody.models import catalogue, pull, require_all

    needed = [record for record in catalogue(settings).values() if record.task != "example" or record.id in EXAMPLES]
    with PullProgress(len(needed)) as observer:
        results = pull(needed, settings, observer=observer)
    require_all(results)


EXAMPLES = (GENUINE_PORTRAIT, GENUINE_SELFIE, IMPOSTOR_SELFIE, FORGER_PORTRAIT, FORGER_SELFIE)


def example(settings: Settings, identifier: str) -> Image:
    """The example photograph of a record, decoded."""
    from samebody.capture import decode_image
    from samebody.models import catalogue, weights_path

    return decode_image(weights_path(catalogue(settings)[identifier], settings))


def credits(settings: Settings) -> Iterator[str]:
    """One line of credit for each photograph shown."""
    from samebody.models import catalogue

    records = catalogue(settings)
    for identifier in EXAMPLES:
        record = records[identifier]
        yield f"{identifier}: {record.licence.notice}"


def write_pictures(settings: Settings, out: Path) -> tuple[Path, Path]:
    """An example photograph of a person, and a photograph of their specimen passport, into ``out``."""
    from samebody.models import catalogue, weights_path
    from samebody.synth.photograph import photograph
    from samebody.synth.specimen import render

    selfie, document = out / "me.jpg", out / "id.jpg"
    selfie.write_bytes(weights_path(catalogue(settings)[GENUINE_SELFIE], settings).read_bytes())
    specimen = render("TD3", seed=SEED, portrait=example(settings, GENUINE_PORTRAIT))
    document.write_bytes(photograph(specimen, difficulty="clean", seed=SEED, megapixels=2).jpeg)
    return selfie, document


def play(settings: Settings, out: Path) -> Iterator[tuple[Scene, Verification]]:
    """Render each scene's document into ``out``, verify, and hand over scene and case."""
    from samebody.models import catalogue, weights_path
    from samebody.pipeline.verify import Verifier
    from samebody.synth.photograph import photograph
    from samebody.synth.specimen import render

    verifier = Verifier(settings)
    records = catalogue(settings)
    for scene in SCENES:
        path = out / f"document-{scene.forgery or 'genuine'}.jpg".replace("_", "-")
        specimen = render(
            "TD3",
            seed=scene.seed,
            portrait=example(settings, scene.portrait),
            forgery=scene.forgery,
            substitute=example(settings, scene.substitute) if scene.substitute else None,
        )
        path.write_bytes(photograph(specimen, difficulty="clean", seed=scene.seed, megapixels=2).jpeg)
        yield (
            scene,
            verifier.verify(selfie=weights_path(records[scene.selfie], settings), document=path, policy=scene.policy),
        )


def deciding_checks(case: Verification) -> list[str]:
    """Names of the checks that kept the case from an accept."""
    waived = {check for layer in case.verdict.assurance if layer.status == "waived" for check in layer.checks}
    informational = set(getattr(case.policy, "informational", ()))
    return [
        finding.check
        for finding in case.verdict.findings
        if finding.outcome.value in ("fail", "not_run") and finding.check not in waived | informational
    ] or [layer.layer for layer in case.verdict.assurance if layer.status in ("absent", "unsure")]

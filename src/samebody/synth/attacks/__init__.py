"""Attacks synthesised from bona fide pictures: seeded, physically motivated, labelled with species and parameters.

The runtime never imports this; torch is not needed.
"""

from samebody.synth.attacks.capture import CaptureChain, draw_chain
from samebody.synth.attacks.make import FRAMINGS, attack, bona_fide, families, pair
from samebody.synth.attacks.mesh import misfit
from samebody.synth.attacks.record import (
    BONA_FIDE,
    AttackInputError,
    AttackLabel,
    AttackUnknownError,
    Pair,
    Shot,
    Source,
    generator,
)

__all__ = [
    "BONA_FIDE",
    "FRAMINGS",
    "AttackInputError",
    "AttackLabel",
    "AttackUnknownError",
    "CaptureChain",
    "Pair",
    "Shot",
    "Source",
    "attack",
    "bona_fide",
    "draw_chain",
    "families",
    "generator",
    "misfit",
    "pair",
]

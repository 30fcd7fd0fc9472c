"""Fills the registries of :mod:`samebody.lab.train.task`: importing this module makes all parts known by name."""

from __future__ import annotations

from samebody.lab.train import augment as _augment
from samebody.lab.train import backbones as _backbones
from samebody.lab.train import compress as _compress
from samebody.lab.train import domain as _domain
from samebody.lab.train import losses as _losses
from samebody.lab.train import samplers as _samplers
from samebody.lab.train.task import augmentations, backbones, losses, samplers, teachers, wrappers

__all__ = ["augmentations", "backbones", "losses", "samplers", "teachers", "wrappers"]

_ = (_augment, _backbones, _compress, _domain, _losses, _samplers)

"""Backbones: from pictures to features; each is found by name in ``samebody.lab.train.task.backbones``."""

from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.backbones.minifas import MiniFas
from samebody.lab.train.backbones.mobileface import MobileFace
from samebody.lab.train.backbones.network import MapHead, Network

__all__ = ["Backbone", "MapHead", "MiniFas", "MobileFace", "Network"]

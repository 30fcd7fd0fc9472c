"""Backbones: from pictures to features; each is found by name in ``samebody.lab.train.task.backbones``."""

from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.backbones.frozen import Frozen, OnnxModel
from samebody.lab.train.backbones.ir_resnet import IrResNet
from samebody.lab.train.backbones.minifas import MiniFas
from samebody.lab.train.backbones.mobileface import MobileFace
from samebody.lab.train.backbones.network import MapHead, Network, build
from samebody.lab.train.backbones.vit import VisionTransformer

__all__ = [
    "Backbone",
    "Frozen",
    "IrResNet",
    "MapHead",
    "MiniFas",
    "MobileFace",
    "Network",
    "OnnxModel",
    "VisionTransformer",
    "build",
]

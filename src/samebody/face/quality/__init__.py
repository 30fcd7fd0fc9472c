"""Face image quality after ISO/IEC 29794-5: named components with advice, and a unified score of our own."""

from __future__ import annotations

from samebody.face.quality.assess import QualityAssessor, QualityLimits, quality_finding
from samebody.face.quality.components import COMPONENTS, ComponentDefinition

__all__ = ["COMPONENTS", "ComponentDefinition", "QualityAssessor", "QualityLimits", "quality_finding"]

"""Evidence in, verdict out: the pipeline runs the rooms below it once per case and keeps what they said on a trace."""

from samebody.pipeline.trace import Trace
from samebody.pipeline.verify import Verification, Verifier, pictures_for, verify

__all__ = ["Trace", "Verification", "Verifier", "pictures_for", "verify"]

"""Were the frames taken while the challenge ran, and did the person answer prompts and not foresee them?
``selfie.liveness.timing``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.active_pose import Followed
from samebody.attacks.active_track import Floats
from samebody.attacks.challenge import Challenge
from samebody.types import Finding, Outcome, Reason

CHECK = "selfie.liveness.timing"


class TimingCheck(stage.Stage):
    """Judges times only: those of the frames by the client's clock, and how long the server waited."""

    class Parameters(stage.Stage.Parameters):
        """Frame rates that a page can hold, and human reaction times."""

        median_gap_ms: float = Field(default=300, gt=0, description="most milliseconds between frames, in the median")
        longest_gap_ms: float = Field(default=1500, gt=0, description="longest pause between two frames")
        reaction_ms: float = Field(default=150, ge=0, description="nobody answers a prompt sooner")
        slack_ms: float = Field(default=1500, ge=0, description="difference of clocks that is borne")

    parameters: Parameters

    def check(
        self, at_ms: Floats, challenge: Challenge, followed: Sequence[Followed], waited_ms: float | None = None
    ) -> Finding:
        """The finding.

        Args:
            at_ms: (n,) milliseconds since the challenge began, by the client's clock.
            followed: of :meth:`samebody.attacks.active_pose.PoseCheck.follow`.
            waited_ms: between drawing and receiving, by the server's clock; None when unknown.
        """
        limits, failed, doubtful = self.parameters, [], []
        gaps = np.diff(at_ms)
        if len(at_ms) < 2 or not np.isfinite(at_ms).all() or (gaps <= 0).any() or at_ms[0] < 0:
            failed.append(Reason("attacks.timing_disordered", "The times of the frames do not ascend."))
        else:
            if at_ms[-1] < challenge.duration_ms - limits.longest_gap_ms or at_ms[0] > limits.longest_gap_ms:
                text = "The frames do not cover the whole challenge."
                doubtful.append(Reason("attacks.timing_incomplete", text, "Stay until the colours end."))
            if float(np.median(gaps)) > limits.median_gap_ms or float(gaps.max()) > limits.longest_gap_ms:
                text = f"Too few frames: {np.median(gaps):.0f} ms between two, at most {gaps.max():.0f} ms."
                doubtful.append(Reason("attacks.timing_sparse", text, "Close other programs and try again."))
            if waited_ms is not None and at_ms[-1] > waited_ms + limits.slack_ms:
                text = "The frames claim to have taken longer than the server waited for them."
                failed.append(Reason("attacks.timing_impossible", text))
        early = [each for each in followed if each.onset_ms is not None and each.onset_ms < limits.reaction_ms]
        if early:
            text = f"{len(early)} of {len(followed)} prompts were answered before anyone can react to them."
            (failed if len(early) > 1 else doubtful).append(
                Reason("attacks.timing_foreseen", text, "Wait for each prompt and look into the camera in between.")
            )
        outcome = Outcome.FAIL if failed else Outcome.UNSURE if doubtful else Outcome.PASS
        details = {
            "validated": "synthetic",
            "frames": len(at_ms),
            "median_gap_ms": round(float(np.median(gaps)), 1) if len(gaps) else None,
            "onsets_ms": [None if each.onset_ms is None else round(each.onset_ms) for each in followed],
        }
        return Finding(CHECK, outcome, reasons=(*failed, *doubtful), details=details)

"""The plain words of a verdict: headline, paragraph and next steps, without jargon, scores or blame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from samebody.types import Decision, LayerAssurance

LAYER_NOUNS: Mapping[str, str] = {
    "capture": "picture check",
    "document": "document check",
    "forgery": "forgery checks",
    "face_match": "face match",
    "liveness": "liveness",
}

_HEADLINES: Mapping[tuple[str, str], str] = {
    ("capture", "failed"): "a picture cannot be used",
    ("document", "failed"): "the document is not in order",
    ("forgery", "failed"): "the document shows signs of a change",
    ("face_match", "failed"): "the faces do not match",
    ("liveness", "failed"): "no living person was shown",
    ("capture", "unsure"): "a picture could not be judged",
    ("document", "unsure"): "the document was not read with certainty",
    ("forgery", "unsure"): "the document could not be checked for changes",
    ("face_match", "unsure"): "the faces could not be compared with certainty",
    ("liveness", "unsure"): "it is not certain that a living person was shown",
}

_SENTENCES: Mapping[tuple[str, str], str] = {
    ("capture", "failed"): "At least one picture is not good enough to be checked.",
    ("capture", "unsure"): "It is not certain that the pictures are good enough to be checked.",
    ("capture", "absent"): "The pictures themselves were not checked.",
    ("document", "passed"): "The document could be read and agrees with itself.",
    ("document", "failed"): "The document could not be read in full, is not valid, or contradicts itself.",
    ("document", "unsure"): "Not everything on the document could be read with certainty.",
    ("document", "absent"): "The document was not read.",
    ("document", "waived"): "No document was asked for.",
    ("forgery", "passed"): "No sign of a change to the document was found.",
    ("forgery", "failed"): "The document shows signs that it may have been changed or copied.",
    ("forgery", "unsure"): "It could not be told whether the document was changed.",
    ("forgery", "absent"): "The document was not checked for changes.",
    ("face_match", "passed"): "The two faces look like the same person.",
    ("face_match", "failed"): "The two faces do not look like the same person.",
    ("face_match", "unsure"): "It could not be told with certainty whether the two faces are the same person.",
    ("face_match", "absent"): "The two faces were not compared.",
    ("face_match", "waived"): "A comparison of faces was not asked for.",
    ("liveness", "passed"): "A living person was in front of the camera.",
    ("liveness", "failed"): "The selfie does not seem to show a living person in front of the camera.",
    ("liveness", "unsure"): "It could not be told whether a living person was in front of the camera.",
    ("liveness", "absent"): "It was not checked whether a living person was in front of the camera.",
    ("liveness", "waived"): "It was not checked whether a living person was in front of the camera.",
}

_OPENINGS: Mapping[Decision, str] = {
    Decision.ACCEPT: "The verification succeeded.",
    Decision.REVIEW: "The verification could not be completed automatically, so a person has to look at it.",
    Decision.RETRY: "The verification could not be completed with these pictures; new ones are needed.",
    Decision.REJECT: "The verification did not succeed.",
}

_LAST_STEPS: Mapping[Decision, str] = {
    Decision.ACCEPT: "Nothing more is needed.",
    Decision.REVIEW: "A person will look at your case; you do not have to do anything now.",
    Decision.RETRY: "Take the picture again in even light; hold the camera still and show everything in full.",
    Decision.REJECT: "If you think that this is a mistake, ask for a person to look at your case.",
}


def headline(decision: Decision, assurance: Sequence[LayerAssurance], heaviest_layer: str | None) -> str:
    """The decision in a few words, with what was left out of an accept or what weighed most against one.

    Args:
        heaviest_layer: the layer of the heaviest reason, None when no layer stands behind it.
    """
    if decision is Decision.ACCEPT:
        left_out = [LAYER_NOUNS[entry.layer] for entry in assurance if entry.status != "passed"]
        return f"accept, without {_enumerate(left_out)}" if left_out else "accept"
    status = next((entry.status for entry in assurance if entry.layer == heaviest_layer), None)
    if heaviest_layer is None or status is None:
        return str(decision)
    if status == "absent":
        return f"{decision}, {LAYER_NOUNS[heaviest_layer]} missing"
    phrase = _HEADLINES.get((heaviest_layer, status))
    return f"{decision}, {phrase}" if phrase else str(decision)


def summary(decision: Decision, assurance: Sequence[LayerAssurance]) -> str:
    """One paragraph for a person who knows nothing of biometrics: what came out, then each layer, worst first."""
    weight = {"failed": 0, "unsure": 1, "passed": 2, "absent": 3, "waived": 4}
    entries = sorted(assurance, key=lambda entry: weight[entry.status])
    sentences = [_SENTENCES.get((entry.layer, entry.status), "") for entry in entries]
    if _document_not_asked(assurance):
        sentences = [text for text in sentences if text != _SENTENCES[("forgery", "absent")]]
    return " ".join([_OPENINGS[decision], *(text for text in sentences if text)])


def next_steps(decision: Decision, advice: Iterable[str]) -> tuple[str, ...]:
    """What the person can do now: ``advice`` in order without repeats, closed by the step that follows ``decision``."""
    steps = list(dict.fromkeys(text for text in advice if text))
    if decision is Decision.ACCEPT:
        return (_LAST_STEPS[decision],)
    if decision is Decision.RETRY and steps:
        return tuple(steps)
    return (*steps, _LAST_STEPS[decision])


def _document_not_asked(assurance: Sequence[LayerAssurance]) -> bool:
    return any(entry.layer == "document" and entry.status == "waived" for entry in assurance)


def _enumerate(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"

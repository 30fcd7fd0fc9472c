"""The policy of a case is read once: each version by its own text, a broken one refused every time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the extra samebody[service] is not installed")

from samebody.decide.errors import PolicyInvalidError
from samebody.decide.load import policy_text
from samebody.service import work


def test_each_text_is_its_own_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = work.parse_policy
    monkeypatch.setattr(work, "parse_policy", lambda text: asked.append(text) or real(text))  # type: ignore[func-returns-value]
    work._parsed.cache_clear()
    text = policy_text("no-liveness")[0]
    title = "Document and face match, liveness not asked for"
    other = text.replace(f"title: {title}", "title: Other")
    for _ in range(3):
        assert work.policy_of(SimpleNamespace(id="p", text=text)).title == title  # type: ignore[arg-type]
        assert work.policy_of(SimpleNamespace(id="p", text=other)).title == "Other"  # type: ignore[arg-type]
    assert asked == [text, other]
    for _ in range(2):
        with pytest.raises(PolicyInvalidError):
            work.policy_of(SimpleNamespace(id="p", text="schema_version: 1"))  # type: ignore[arg-type]

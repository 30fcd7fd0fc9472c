"""Traces: off they cost and hold nothing; on they join across processes, and nothing about a person gets in."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra samebody[otel] is not installed")

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from samebody import tracing
from samebody.errors import InputError
from samebody.pipeline.trace import Trace
from samebody.types import Finding, Outcome
from tests.conftest import told


def test_off_nothing_is_kept_and_a_span_costs_next_to_nothing() -> None:
    assert not tracing.is_on() and tracing.current() is None
    begun = time.perf_counter()
    for _ in range(20_000):
        with tracing.span("x", stage="y") as span:
            span.set(outcome="z")
    assert (time.perf_counter() - begun) / 20_000 < 50e-6  # a twentieth of a millisecond on the slowest machine


def test_off_the_library_is_not_imported() -> None:
    code = (
        "import sys; from samebody import tracing\n"
        "with tracing.span('x', stage='y'): pass\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(tracing.TracingExtraMissingError, match=r"samebody\[otel\]"):
        tracing.start()
    assert not tracing.is_on()


def test_a_parent_elsewhere_is_joined_and_a_link_is_not(spans: InMemorySpanExporter) -> None:
    with tracing.span("first"):
        here = tracing.current()
    assert here is not None
    with tracing.span("second", parent=here):
        pass
    with tracing.span("third", link=here):
        pass
    for broken in ("", "x" * 55, "00-" + "0" * 32 + "-" + "1" * 16 + "-01", here + "\n"):
        with tracing.span("fourth", parent=broken):
            pass
    by_name = {each.name: each for each in spans.get_finished_spans()}
    first, second, third, fourth = (by_name[name] for name in ("first", "second", "third", "fourth"))
    assert second.context.trace_id == first.context.trace_id and second.parent.span_id == first.context.span_id
    assert third.context.trace_id != first.context.trace_id
    assert [each.context.span_id for each in third.links] == [first.context.span_id]
    assert fourth.parent is None


def test_a_failure_is_told_by_its_code_alone(spans: InMemorySpanExporter) -> None:
    class OddError(InputError):
        code = "test.odd"

    for error in (OddError("the name is Ada"), ValueError("pixels 255")):
        with pytest.raises(type(error)), tracing.span("work"):
            raise error
    assert [each.attributes["error.type"] for each in spans.get_finished_spans()] == ["test.odd", "ValueError"]
    for each in spans.get_finished_spans():
        assert not each.status.is_ok and each.events == () and "Ada" not in each.to_json()
        assert "pixels" not in each.to_json()


def test_only_listed_attributes_and_only_identifiers(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="no attribute"), tracing.span("x", score=0.7):
        pass
    with tracing.span("x", stage="Ada Lovelace, born 1815", code=None, attempt=2):
        pass
    found = spans.get_finished_spans()[-1].attributes
    assert dict(found) == {"samebody.stage": "(withheld)", "samebody.attempt": 2}


def test_stages_belong_to_the_span_the_case_began_in_also_from_threads(spans: InMemorySpanExporter) -> None:
    with tracing.span("work"):
        trace = Trace()
        trace.run("selfie.face", lambda: Finding("selfie.face", Outcome.PASS, 0.987), model_ids=("face/yunet@1",))
        thread = threading.Thread(target=trace.run, args=("document.read", lambda: "MUSTERMANN"))
        thread.start()
        thread.join()
    *stages, work = spans.get_finished_spans()
    assert [each.name for each in stages] == ["stage selfie.face", "stage document.read"]
    assert all(each.parent.span_id == work.context.span_id for each in stages)
    assert stages[0].attributes["samebody.outcome"] == "pass"
    text = told(stages)
    assert "document.read" in text and "0.987" not in text and "MUSTERMANN" not in text

"""One trace from the request that submits a session to the webhook that tells its verdict."""

from __future__ import annotations

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra samebody[otel] is not installed")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from samebody import tracing
from samebody.jobs import Claim, Deliveries, Queue, Worker
from samebody.pipeline.trace import Trace
from samebody.service.webhooks import Sender
from samebody.store.verdicts import Conclusion
from tests.conftest import told
from tests.service.conftest import Running
from tests.store.conftest import conclusion


def verify(claim: Claim) -> Conclusion:
    Trace().run("face.match", lambda: 0.71, model_ids=("face/sface@1",))
    return conclusion("accept", name="MUSTERMANN")


def submitted(service: Running, picture: bytes) -> str:
    service.client().create_endpoint(url="https://hooks.example/in")
    made = service.submitted(picture, reference="ada@example.org", metadata={"name": "Ada Lovelace"})
    return str(made["id"])


def delivered(service: Running) -> list[httpx.Request]:
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500 if len(seen) == 1 else 204)

    sender = Sender(resolve=lambda *_: ["93.184.216.34"], transport=httpx.MockTransport(take))
    deliveries = Deliveries(service.store, sender)
    deliveries.fan_out()
    deliveries.deliver_due()
    return seen


def test_request_work_stages_and_webhook_are_one_trace(
    service: Running, tiny_picture: bytes, spans: InMemorySpanExporter
) -> None:
    session = submitted(service, tiny_picture)
    assert Worker(Queue(service.store), verify, name="w").drain() == 1
    (request,) = delivered(service)
    by_name: dict[str, ReadableSpan] = {each.name: each for each in spans.get_finished_spans()}
    submit, work, stage, hook = (
        by_name[name] for name in ("POST submit_session", "work session", "stage face.match", "send webhook")
    )
    assert len({each.context.trace_id for each in (submit, work, stage, hook)}) == 1
    assert work.parent.span_id == submit.context.span_id
    assert stage.parent.span_id == hook.parent.span_id == work.context.span_id
    assert request.headers["traceparent"].split("-")[1:3] == [
        f"{hook.context.trace_id:032x}", f"{hook.context.span_id:016x}",
    ]  # fmt: skip
    assert work.attributes["samebody.session"] == session and work.attributes["samebody.outcome"] == "accept"
    assert hook.attributes["http.response.status_code"] == 500 and not hook.status.is_ok
    assert by_name["POST create_session"].context.trace_id != submit.context.trace_id


def test_nothing_about_the_person_is_in_a_span(
    service: Running, tiny_picture: bytes, spans: InMemorySpanExporter
) -> None:
    submitted(service, tiny_picture)
    Worker(Queue(service.store), verify, name="w").drain()
    delivered(service)
    text = told(spans.get_finished_spans())
    assert "POST upload_media" in text
    for secret in ("MUSTERMANN", "Lovelace", "ada@", "0.71", service.admin_key, "sct.", "hooks.example"):
        assert secret not in text, secret
    names = {name for each in spans.get_finished_spans() for name in each.attributes}
    assert names <= set(tracing.ATTRIBUTES.values())


def test_a_callers_trace_is_linked_and_never_joined(service: Running, spans: InMemorySpanExporter) -> None:
    theirs = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    service.http().get("/v1/healthz", headers={"traceparent": theirs})
    service.http().get("/v1/healthz", headers={"traceparent": "no such thing"})
    one, two = spans.get_finished_spans()
    assert one.parent is None and f"{one.context.trace_id:032x}" != "a" * 32
    assert [f"{each.context.trace_id:032x}" for each in one.links] == ["a" * 32] and two.links == ()


def test_without_traces_nothing_is_kept_and_webhooks_have_no_header(service: Running, tiny_picture: bytes) -> None:
    submitted(service, tiny_picture)
    claim = Queue(service.store).claim("w")
    assert claim is not None and claim.traceparent is None
    Queue(service.store).conclude(claim, conclusion())
    (request,) = delivered(service)
    assert "traceparent" not in request.headers

"""Traces after OpenTelemetry: spans of requests, jobs, stages and webhooks, joined across processes by ``traceparent``.

Off by default, and then a span costs one comparison and nothing is imported. :func:`start` switches it on; it needs the
extra ``samebody[otel]``. Attributes are of a short list, and texts have to look like an identifier: no name, picture,
score or field of a document can get into a trace by oversight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, Protocol

from samebody.errors import ResourceError, SamebodyError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

ATTRIBUTES = {
    "operation": "samebody.operation",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "tenant": "samebody.tenant",
    "session": "samebody.session",
    "attempt": "samebody.attempt",
    "failures": "samebody.failures",
    "outcome": "samebody.outcome",
    "stage": "samebody.stage",
    "models": "samebody.models",
    "message": "messaging.message.id",
    "tries": "samebody.tries",
    "code": "error.type",
    "request_id": "samebody.request_id",
}
"""What a span may say of itself, and the name it has there. None of it is about a person."""
_PLAIN = re.compile(r"[\w.:/@,+-]{1,200}", re.ASCII)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float | bool


class TracingExtraMissingError(ResourceError):
    """Traces are asked for, and the packages of ``samebody[otel]`` are not installed."""

    code = "tracing.extra_missing"


class Span(Protocol):
    """A span while it lasts."""

    def set(self, **attributes: Value | None) -> None:
        """Add attributes of :data:`ATTRIBUTES`; None adds nothing."""

    def rename(self, name: str) -> None:
        """Give it the name that was not known at its start."""

    def fail(self, code: str) -> None:
        """Mark it as failed by a stable code; never a message."""


class _NoSpan:
    def set(self, **attributes: Value | None) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


_NO_SPAN = _NoSpan()
_OFF: AbstractContextManager[Span] = nullcontext(_NO_SPAN)
_tracer: _Tracer | None = None


def is_on() -> bool:
    """Whether spans are kept."""
    return _tracer is not None


def span(
    name: str,
    *,
    kind: Kind = "internal",
    parent: str | None = None,
    link: str | None = None,
    **attributes: Value | None,
) -> AbstractContextManager[Span]:
    """A span around a block. An exception that leaves it marks it as failed, by its code alone.

    Args:
        parent: ``traceparent`` of a span elsewhere that it belongs to; by default the one in hand.
        link: ``traceparent`` of a span it has to do with and does not belong to.
        attributes: of :data:`ATTRIBUTES`; None adds nothing.

    Raises:
        ValueError: an attribute that is not of the list, while traces are on.
    """
    if _tracer is None:
        return _OFF
    return _tracer.span(name, kind, parent, link, attributes)


def current() -> str | None:
    """``traceparent`` of the span in hand (W3C Trace Context, 3.2); None without one."""
    return None if _tracer is None else _tracer.current()


def start(service: str = "samebody", *, exporter: SpanExporter | None = None) -> None:
    """Switch traces on for this process.

    Args:
        service: its name in the traces, unless ``OTEL_SERVICE_NAME`` says another.
        exporter: gets every span at once (tests); by default they go in batches to ``OTEL_EXPORTER_OTLP_ENDPOINT``.

    Raises:
        TracingExtraMissingError.
    """
    global _tracer
    stop()
    try:
        _tracer = _Tracer(service, exporter)
    except ImportError:
        raise TracingExtraMissingError(
            "traces need OpenTelemetry, which is not installed.", hint="pip install 'samebody[otel]'"
        ) from None


def stop() -> None:
    """Send what is kept, and switch traces off."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.stop()


class _RealSpan:
    def __init__(self, span: Any, error: Any) -> None:
        self._span, self._error = span, error

    def set(self, **attributes: Value | None) -> None:
        self._span.set_attributes(_attributes(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, code: str) -> None:
        self._span.set_status(self._error)
        self.set(code=code)


class _Tracer:
    """What is behind the functions above while traces are on."""

    def __init__(self, service: str, exporter: SpanExporter | None) -> None:
        import os

        from opentelemetry import trace
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace, self._propagator = trace, TraceContextTextMapPropagator()
        name = os.environ.get("OTEL_SERVICE_NAME") or service
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        processor: SpanProcessor
        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            processor = BatchSpanProcessor(OTLPSpanExporter())
        else:
            processor = SimpleSpanProcessor(exporter)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("samebody")
        self._kinds = {
            "internal": trace.SpanKind.INTERNAL,
            "server": trace.SpanKind.SERVER,
            "client": trace.SpanKind.CLIENT,
            "consumer": trace.SpanKind.CONSUMER,
        }
        self._error = trace.Status(trace.StatusCode.ERROR)

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: dict[str, Value | None]
    ) -> Iterator[Span]:
        linked = None if link is None else self._trace.get_current_span(self._context(link)).get_span_context()
        opened = self._tracer.start_as_current_span(
            name,
            context=None if parent is None else self._context(parent),
            kind=self._kinds[kind],
            attributes=_attributes(attributes),
            links=[self._trace.Link(linked)] if linked is not None and linked.is_valid else None,
            record_exception=False,  # its message and its frames may hold what must not be kept
            set_status_on_exception=False,
        )
        with opened as made:
            own = _RealSpan(made, self._error)
            try:
                yield own
            except BaseException as error:
                own.fail(error.code if isinstance(error, SamebodyError) else type(error).__name__)
                raise

    def current(self) -> str | None:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def stop(self) -> None:
        self._provider.shutdown()

    def _context(self, traceparent: str) -> Any:
        given = {"traceparent": traceparent} if _TRACEPARENT.fullmatch(traceparent) else {}
        from opentelemetry.context import Context

        return self._propagator.extract(given, context=Context())


def _attributes(given: dict[str, Value | None]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in given.items():
        if name not in ATTRIBUTES:
            raise ValueError(f"a span has no attribute {name!r}: add it to ATTRIBUTES if it is about no person")
        if value is not None:
            found[ATTRIBUTES[name]] = "(withheld)" if isinstance(value, str) and not _PLAIN.fullmatch(value) else value
    return found

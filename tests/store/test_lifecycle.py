"""No transition outside the table can happen, whatever is tried in whatever order."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from samebody.store import Event, LocalMasterKey, State, Store
from samebody.store.audit import verify_log
from samebody.store.errors import IllegalTransitionError, TooManySamplesError
from samebody.store.lifecycle import TRANSITIONS, Limits, allowed_events, as_markdown, is_final, transition
from samebody.store.schema import OutboxRow
from tests.store.conftest import MASTER, SetClock, begin, furnish

DOCS = Path(__file__).parents[2] / "docs" / "store.md"


def test_the_documented_table_is_the_one_in_code() -> None:
    assert as_markdown() in DOCS.read_text()


def test_a_pair_of_state_and_event_stands_in_the_table_at_most_once() -> None:
    pairs = [(source, each.event) for each in TRANSITIONS for source in each.sources]
    assert len(pairs) == len(set(pairs))
    assert {each.event for each in TRANSITIONS} == set(Event)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_what_is_not_in_the_table_is_refused(state: State, event: Event) -> None:
    if event in allowed_events(state):
        assert state in transition(state, event).sources
    else:
        with pytest.raises(IllegalTransitionError):
            transition(state, event)


def test_every_state_is_reached_and_every_open_one_can_end() -> None:
    steps = {state: {transition(state, event).target for event in allowed_events(state)} for state in State}
    reached = {State.CREATED}
    for _ in State:
        reached |= {target for state in reached for target in steps[state]}
    assert reached == set(State)
    for state in State:
        seen = {state}
        for _ in State:
            seen |= {target for each in seen for target in steps[each]}
        assert State.REDACTED in seen
    assert not steps[State.REDACTED]


def test_no_verdict_state_is_left_but_by_redaction() -> None:
    for state in (State.ACCEPTED, State.REJECTED, State.CANCELLED, State.EXPIRED):
        assert is_final(state)
        assert allowed_events(state) == (Event.REDACT,)


def test_only_a_worker_or_a_reviewer_accepts() -> None:
    makers = {actor for each in TRANSITIONS if each.target is State.ACCEPTED for actor in each.actors}
    assert makers == {"worker", "reviewer"}
    assert {source for each in TRANSITIONS if each.target is State.ACCEPTED for source in each.sources} == {
        State.PROCESSING,
        State.REVIEW,
    }


@settings(max_examples=25)
@given(st.lists(st.sampled_from(list(Event)), min_size=1, max_size=25))
def test_a_session_in_the_database_follows_the_table_and_tells_every_announced_step(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    global _shared
    if _shared is None:
        _shared = Store.open(tmp_path_factory.mktemp("life"), master=[LocalMasterKey(MASTER)], clock=SetClock())
        furnish(_shared)
    store = _shared
    with store.write() as tx:
        session = store.sessions.create(tx, "local", "default", actor="t")
    state, told, version = State.CREATED, list[str](), 1
    for event in events:
        legal = event in allowed_events(state)
        try:
            with store.write() as tx:
                now = store.sessions.advance(tx, "local", session.id, event, actor="t")
        except IllegalTransitionError:
            assert not legal
            with store.read() as tx:
                now = store.sessions.get(tx, "local", session.id)
            assert (now.state, now.version) == (state, version)
        else:
            assert legal
            step = transition(state, event)
            assert now.state is step.target
            assert now.version == version + 1
            told += [f"session.{step.target.value}"] if step.announced else []
            state, version = now.state, now.version
    with store.read() as tx:
        query = select(OutboxRow.kind).filter_by(session_id=session.id).order_by(OutboxRow.sequence)
        assert list(tx.scalars(query)) == told
        assert verify_log(tx, store.audit).sound


_shared: Store | None = None


@pytest.fixture(scope="module", autouse=True)
def _close_shared() -> object:
    yield
    if _shared is not None:
        _shared.close()


@pytest.mark.parametrize("limits", [Limits(samples=3), Limits(sample_bytes=30)], ids=["count", "bytes"])
def test_an_attempt_has_so_many_samples_and_no_file_is_left_of_more(tmp_path: Path, limits: Limits) -> None:
    with Store.open(tmp_path / "store", master=[LocalMasterKey(MASTER)], limits=limits) as store:
        furnish(store)
        session_id, case_id = begin(store)
        for number in range(3):
            store.vault.add("local", session_id, "frame", b"%10d" % number, actor="c")
        files = sum(name.startswith(case_id) for name, _ in store.blobs.names())
        store.vault.derive("local", case_id, 1, "map", b"what is derived does not count")
        with pytest.raises(TooManySamplesError, match="at most"):
            store.vault.add("local", session_id, "frame", b"0123456789", actor="c")
        assert sum(name.startswith(case_id) for name, _ in store.blobs.names()) == files + 1
        with store.read() as tx:
            assert len(store.vault.of_case(tx, "local", case_id)) == 3
            assert store.sessions.get(tx, "local", session_id).state is State.COLLECTING

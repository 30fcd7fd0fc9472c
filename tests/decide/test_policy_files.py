"""Policy files are checked in one go: every mistake, with its place and what to write instead."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.config import Settings
from samebody.decide import Policy, bundled_policies, check_policy, list_policies, load, load_policy, read_policy
from samebody.decide.errors import Mistake, PolicyInvalidError, PolicyNotFoundError
from samebody.decide.load import bundled_policies as _bundled
from samebody.decide.load import parse_policy, policy_text
from samebody.types import Decision

DEFAULT = policy_text("default")[0]

INFORMATIONAL = "informational: [document.quality, document.forgery.font, face.morph, selfie.deepfake]"


def mistakes_of(text: str) -> list[str]:
    policy, mistakes = parse_policy(text)
    assert (policy is None) is bool(mistakes)
    return [str(mistake) for mistake in mistakes]


def edited(*changes: tuple[str, str]) -> str:
    text = DEFAULT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_the_bundled_policies_ask_for_what_their_names_say() -> None:
    assert (
        bundled_policies() == ("active-liveness", "default", "no-liveness", "selfie-to-selfie", "strict") == _bundled()
    )
    rules = {name: load_policy(name) for name in bundled_policies()}
    assert {name: policy.face_match.fmr for name, policy in rules.items()} == {
        "active-liveness": 1e-4,
        "default": 1e-4,
        "no-liveness": 1e-4,
        "selfie-to-selfie": 1e-4,
        "strict": 1e-5,
    }
    assert all(policy.face_match.population == "matched-adults" for policy in rules.values())
    assert not any(policy.face_match.allow_extrapolated for policy in rules.values())
    assert [name for name, policy in rules.items() if policy.layers.liveness.requirement == "waived"] == ["no-liveness"]
    assert [name for name, policy in rules.items() if not policy.needs_document] == ["selfie-to-selfie"]
    assert all(name == policy.id for name, policy in rules.items())


def test_numbers_are_read_as_people_write_them() -> None:
    for written in ("1e-4", "1E-4", "1.0e-4", "0.0001", ".1e-3"):
        policy, mistakes = parse_policy(edited(("fmr: 1e-4", f"fmr: {written}")))
        assert policy is not None and policy.face_match.fmr == 1e-4, mistakes


def test_the_digest_is_of_the_meaning_and_not_of_the_text() -> None:
    policy = parse_policy(DEFAULT)[0]
    reordered = parse_policy(yaml.safe_dump(yaml.safe_load(DEFAULT.replace("1e-4", "1.0e-4"))))[0]
    changed = parse_policy(edited(("fmr: 1e-4", "fmr: 2e-4")))[0]
    assert policy is not None and reordered is not None and changed is not None
    assert policy.digest == reordered.digest != changed.digest
    assert len(policy.digest) == 64


def test_every_mistake_is_reported_at_once() -> None:
    found = mistakes_of(
        edited(
            ("version: 1", "version: 0"),
            ("fmr: 1e-4", "fmr: 0.5"),
            ("  selfie: 20", "  selfie: 200"),
            ("on_failure: retry", "on_failure: rety"),
            ("on_abstention: review", "on_abstension: review"),
            ("requirement: must_pass\n    checks: [face.match]", "requirement: must_pass\n    checks: [face.math]"),
            ("  document.dates:\n    on_failure: reject", "  document.dates:\n    on_failure: accept"),
        )
    )
    text = "\n".join(found)
    for part in (
        "version",
        "layers.capture.on_failure: 'rety' does not fit",
        "Did you mean retry?",
        "face_match.fmr: 0.5 does not fit".replace("0.5", "'0.5'"),
        "minimum_quality.selfie",
        "layers.capture.on_abstension: is not known. Did you mean on_abstention?",
        "no check is named face.math",
        "checks.document.dates.on_failure: a failed check cannot lead to accept",
    ):
        assert part in text, (part, text)
    assert all(line.startswith("line ") for line in found)
    assert len(found) == len(set(found))


def test_a_mistake_stands_where_it_is_made() -> None:
    text = edited(("on_failure: retry", "on_failure: rety"))
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "rety" in row)
    (mistake,) = parse_policy(text)[1]
    assert (mistake.line, mistake.where) == (line, "layers.capture.on_failure")
    text = edited(("  document.dates:\n    on_failure: reject", "  document.dates:\n    on_failure: accept"))
    (mistake,) = parse_policy(text)[1]
    assert text.splitlines()[mistake.line - 1].strip() == "on_failure: accept"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "holds no policy"),
        ("- a\n- b\n", "holds no policy"),
        ("a: [1, 2\nb: 3\n", "line 2, column 2: is no YAML"),
        ("id: 'x\n", "is no YAML"),
        ("id: !!python/object:os.system x\n", "cannot be read"),
        ("a: &a [*a]\n", "aliases"),
        (DEFAULT + "\nid: again\n", "stands twice; first in line"),
        (DEFAULT.replace("schema_version: 1", "schema_version: 2"), "schema_version"),
        (DEFAULT.replace("title: ", "titel: "), "Did you mean title?"),
        (DEFAULT.replace("  forgery:", "  forgeries:"), "Did you mean forgery?"),
        (DEFAULT.replace("1e-4", ".nan"), "face_match.fmr"),
        (DEFAULT.replace("1e-4", ".inf"), "face_match.fmr"),
        (DEFAULT.replace("1e-4", "99999-99-99"), "face_match.fmr"),
        (DEFAULT.replace("1e-4", "2026-99-99"), "cannot be read"),
        ("\x00", "is no YAML"),
        ("a: " + "[" * 5000, "line 1, column 19: is nested too deeply"),
    ],
)
def test_what_is_no_policy_is_said_and_not_thrown(text: str, part: str) -> None:
    assert part in "\n".join(mistakes_of(text))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ([("on_failure: retry", "on_failure: accept")], "a failed layer cannot lead to accept"),
        ([("on_absence: review", "on_absence: accept")], "the layer must pass, so this cannot be accept"),
        ([("on_abstention: review", "on_abstention: reject")], "is heavier than on_failure (retry)"),
        ([("[selfie.face, selfie.quality, document.face]", "[]")], "names no check"),
        ([("[face.match]", "[selfie.face]")], "does not belong to the layer face_match"),
        ([("[face.match]", "[face.match, face.match]")], "asked for by face_match already"),
        ([(INFORMATIONAL, "informational: [face.match]")], "can never be ignored"),
        ([(INFORMATIONAL, "informational: ['document.forgery.*']")], "can never be ignored"),
        ([(INFORMATIONAL, "informational: [selfie.quality]")], "informational and asked for"),
        (
            [(INFORMATIONAL, "informational: [document.pages]")],
            "no check is named document.pages",
        ),
        ([("document.mrz_not_found: retry", "document.mrz_not_found: accept")], "a reason cannot lead to accept"),
        ([("  selfie: 20", "  selfy: 20")], "no picture is named selfy"),
        ([("  document.dates:\n", "  document.quality:\n")], "decides nothing"),
        ([("  document.dates:\n", "  document.date:\n")], "no check is named document.date"),
        (
            [("  document.dates:\n    on_failure: reject", "  face.match:\n    on_abstention: accept")],
            "cannot lead to accept without passing",
        ),
    ],
)
def test_contradictions_are_found(changes: list[tuple[str, str]], part: str) -> None:
    assert part in "\n".join(mistakes_of(edited(*changes)))


def without(*layers: str) -> str:
    data = yaml.safe_load(DEFAULT)
    for layer in layers:
        data["layers"][layer] = {"requirement": "waived"}
    data["checks"], data["informational"] = {}, []
    data["face_match"]["fmr"] = 1e-4
    return yaml.safe_dump(data)


def test_a_policy_under_which_one_layer_suffices_is_refused() -> None:
    (found,) = mistakes_of(without("capture", "document", "forgery", "liveness"))
    assert "layers.face_match: this layer alone is enough for an accept" in found
    assert mistakes_of(without("document", "forgery", "liveness")) == []
    (found,) = mistakes_of(without("capture", "document", "forgery", "liveness", "face_match"))
    assert "accepts without any check having passed" in found


def test_layers_that_may_all_abstain_into_an_accept_do_not_count() -> None:
    data = yaml.safe_load(without("capture", "document", "liveness"))
    data["layers"]["forgery"]["on_abstention"] = "accept"
    data["layers"]["forgery"]["on_absence"] = "accept"
    (found,) = mistakes_of(yaml.safe_dump(data))
    assert "layers.face_match: this layer alone is enough" in found


def test_contradictions_are_found_beside_wrong_values() -> None:
    found = "\n".join(mistakes_of(edited(("title: ", "# "), ("on_failure: retry", "on_failure: accept"))))
    assert "title: is missing" in found and "a failed layer cannot lead to accept" in found


def test_own_policies_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    own = tmp_path / "ours.yaml"
    own.write_text(DEFAULT.replace("id: default", "id: ours"), encoding="utf-8")
    (tmp_path / "broken.yml").write_text("id: 1", encoding="utf-8")
    (tmp_path / "strict.yaml").write_text(DEFAULT, encoding="utf-8")
    settings_ = Settings(policies_dirs=(tmp_path, tmp_path / "missing"))
    assert load_policy("ours", settings_).id == "ours"
    assert load_policy(own).digest == load_policy(str(own)).digest == load_policy("ours", settings_).digest
    assert load_policy("strict", settings_).face_match.fmr == 1e-5  # a folder cannot replace a bundled one
    listed = {entry.origin.rpartition("/")[2]: entry for entry in list_policies(settings_)}
    assert listed["broken.yml"].policy is None and listed["broken.yml"].mistakes
    assert "hidden" in str(listed["strict.yaml"].mistakes[-1])
    with pytest.raises(PolicyInvalidError) as caught:
        load_policy("broken", settings_)
    assert caught.value.exit_code == 65 and len(caught.value.mistakes) > 3
    with pytest.raises(PolicyNotFoundError, match="Did you mean 'strict'") as missing:
        load_policy("strickt", settings_)
    assert missing.value.exit_code == 64


def test_files_that_cannot_be_read_are_typed_errors(tmp_path: Path) -> None:
    with pytest.raises(PolicyNotFoundError):
        check_policy(tmp_path / "none.yaml")
    with pytest.raises(PolicyNotFoundError):
        check_policy(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(PolicyNotFoundError, match="cannot be read as text"):
        check_policy(tmp_path / "bytes.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 300_000)
    with pytest.raises(PolicyNotFoundError, match="too large"):
        check_policy(tmp_path / "large.yaml")


TREE = yaml.safe_load(DEFAULT)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([str(d) for d in Decision])
)
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def test_each_text_is_read_once_and_a_broken_one_is_refused_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(text: str) -> tuple[Policy | None, list[Mistake]]:
        asked.append(text)
        return parse_policy(text)

    bundled = load_policy("default")
    other = DEFAULT.replace(f"title: {bundled.title}", "title: Other")
    monkeypatch.setattr(load, "parse_policy", counted)
    read_policy.cache_clear()
    for _ in range(3):
        assert read_policy(DEFAULT, "p") == bundled
        assert read_policy(other, "p").title == "Other"
    assert asked == [DEFAULT, other]
    for _ in range(2):
        with pytest.raises(PolicyInvalidError):
            read_policy("schema_version: 1", "p")
    assert len(asked) == 4


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_part_may_be_anything_and_the_check_still_answers(data: st.DataObject) -> None:
    tree = copy.deepcopy(TREE)
    for _ in range(data.draw(st.integers(1, 3))):
        node = tree
        while True:
            key = data.draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict) or not node[key] or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = data.draw(TREES)
        if not isinstance(tree, dict) or not tree:
            break
    mistakes_of(yaml.safe_dump(tree, default_flow_style=data.draw(st.booleans())).replace("!!python", "x"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DEFAULT) - 1), st.integers(0, 40), st.text(max_size=6))
def test_any_edit_of_the_text_is_answered(at: int, cut: int, put: str) -> None:
    mistakes_of(DEFAULT[:at] + put + DEFAULT[at + cut :])

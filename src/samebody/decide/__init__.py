"""Decide: a policy as data, findings in, one verdict out that says why."""

from __future__ import annotations

from samebody.decide.engine import decide
from samebody.decide.load import bundled_policies, check_policy, list_policies, load_policy, read_policy
from samebody.decide.policy import Policy
from samebody.decide.serialise import verdict_from_dict, verdict_schema, verdict_to_dict

__all__ = [
    "Policy",
    "bundled_policies",
    "check_policy",
    "decide",
    "list_policies",
    "load_policy",
    "read_policy",
    "verdict_from_dict",
    "verdict_schema",
    "verdict_to_dict",
]

"""What the client raises."""

from __future__ import annotations

from typing import Any

from samebody.errors import SamebodyError


class ApiError(SamebodyError):
    """The service answered with a problem.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        problem: the problem document; its ``code`` is for programs.
    """

    code = "client.problem"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"the service answered with status {status}."))
        self.status, self.problem = status, problem

    @property
    def problem_code(self) -> str:
        """Stable code of the problem."""
        return str(self.problem.get("code", ""))

    @property
    def request_id(self) -> str:
        """What to tell the operator."""
        return str(self.problem.get("request_id", ""))


class WebhookError(SamebodyError):
    """A message is not from the service, or is too old: do not act on it."""

    code = "client.webhook"

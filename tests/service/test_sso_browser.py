"""A login through an identity provider in a real browser: what its rules for cookies make of the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from benchmarks.service_load.served import free_port
from tests.service.conftest import Running, listening
from tests.service.identity_provider import running
from tests.service.test_sso import written
from tests.store.conftest import SetClock


@pytest.mark.browser
def test_the_cookie_of_a_login_reaches_the_console(
    start: Callable[..., Running], clock: SetClock, tmp_path: Path, browser: Any
) -> None:
    port = free_port()
    with running(clock) as provider:
        # another site than the provider's: the browser knows 127.0.0.1 and localhost as two
        url = f"http://localhost:{port}"
        service = start(oidc=written(provider, tmp_path), public_url=url)
        server = uvicorn.Server(uvicorn.Config(service.app, host="127.0.0.1", port=port, log_level="error"))
        with listening(server):
            # cookies live by Max-Age, so that the clock of the test, which stands in March, does not matter here
            page = browser.new_page()
            page.goto(f"{url}/console/login")
            page.get_by_role("link", name="Log in with Staff account").click()
            page.wait_for_url(f"{url}/console/")
            page.get_by_role("button", name="Log out").wait_for()
            cookies = {each["name"]: each for each in page.context.cookies()}
            assert cookies["samebody_console"]["sameSite"] == "Strict" and cookies["samebody_console"]["httpOnly"]
            assert "samebody_sso" not in cookies
            page.get_by_role("button", name="Log out").click()
            page.get_by_role("link", name="Log out of Staff account too").wait_for()
            page.goto(f"{url}/console/")
            assert page.url == f"{url}/console/login"

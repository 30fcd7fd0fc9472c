"""Logins through an identity provider that runs beside the test: what is taken, and all that is not."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient

from samebody.service.sso import discovery
from samebody.service.sso.errors import SsoConfigError
from samebody.service.sso.providers import Provider, load_providers
from samebody.service.tokens import url_safe
from samebody.store.schema import ConsoleLoginRow
from tests.service.conftest import Running
from tests.service.identity_provider import CLIENT, SECRET, Claims, IdentityProvider, SigningKey, running
from tests.service.test_console import token
from tests.store.conftest import SetClock

FILE = """
[[provider]]
name = "staff"
title = "Staff account"
issuer = "{issuer}"
client_id = "{client}"
client_secret_file = "{secret}"
{more}
[provider.roles]
kyc-leads = "admin"
kyc-team = "reviewer"
watchers = "auditor"
"""


@dataclass
class House:
    """A service whose console trusts a provider."""

    service: Running
    provider: IdentityProvider

    def browser(self) -> TestClient:
        return self.service.http()

    def begin(self, browser: TestClient) -> str:
        """Press the button; where the provider sends the browser back to."""
        answer = browser.get("/console/sso/staff/start", follow_redirects=False)
        assert answer.status_code == 303, answer.text
        sent = httpx.get(answer.headers["location"])
        assert sent.status_code == 302
        return sent.headers["location"]

    def finish(self, browser: TestClient, back: str) -> httpx.Response:
        parts = urlsplit(back)
        return browser.get(f"{parts.path}?{parts.query}", follow_redirects=False)

    def log_in(self, browser: TestClient) -> httpx.Response:
        return self.finish(browser, self.begin(browser))


@pytest.fixture
def house(start: Callable[..., Running], clock: SetClock, tmp_path: Path) -> Iterator[House]:
    with running(clock) as provider:
        yield House(start(oidc=written(provider, tmp_path), public_url="http://service.test"), provider)


def written(provider: IdentityProvider, folder: Path, more: str = "") -> Path:
    (folder / "secret").write_text(SECRET + "\n")
    path = folder / "oidc.toml"
    path.write_text(FILE.format(issuer=provider.issuer, client=CLIENT, secret=folder / "secret", more=more))
    return path


def is_in(browser: TestClient) -> bool:
    return browser.get("/console/", follow_redirects=False).status_code == 200


def test_a_person_logs_in_works_and_logs_out(house: House) -> None:
    browser = house.browser()
    assert "Log in with Staff account" in browser.get("/console/login").text
    arrived = house.log_in(browser)
    assert arrived.status_code == 200 and 'http-equiv="refresh"' in arrived.text  # a page, see callback()
    cookie = next(each for each in arrived.headers.get_list("set-cookie") if each.startswith("samebody_console"))
    assert "httponly" in cookie.lower() and "samesite=strict" in cookie.lower()
    page = browser.get("/console/")
    assert page.status_code == 200 and "reviewer" in page.text
    assert browser.get("/console/policies").status_code == 200
    with house.service.store.read() as tx:
        (row,) = tx.query(ConsoleLoginRow).all()
    assert (row.subject, row.name, row.role) == ("248289761001", "Ada Lovelace", "reviewer")
    events = house.service.client().list_audit_events(kind="login")["items"]
    assert events[0]["actor"].startswith("sso:staff:") and events[0]["actor"] == row.actor
    assert "Ada" not in json.dumps(events) and "248289761001" not in json.dumps(events)

    copy = dict(browser.cookies)
    goodbye = browser.post("/console/logout", data={"token": token(page)})
    assert f"{house.provider.issuer}/logout?client_id=samebody" in goodbye.text.replace("&amp;", "&")
    assert not is_in(browser)
    browser.cookies.update(copy)
    assert not is_in(browser)  # the login has ended, not only its cookie


def test_a_signature_by_rsa_is_taken_too(house: House) -> None:
    house.provider.signs = SigningKey("rsa", "RS256")
    house.provider.published = [house.provider.signs]
    browser = house.browser()
    house.log_in(browser)
    assert is_in(browser)


def changed(**values: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {name: value for name, value in {**claims, **values}.items() if value is not ...}


def shifted(name: str, seconds: int) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, name: claims["iat"] + seconds}


WRONG_CLAIMS: list[tuple[Callable[[Claims], Claims], str]] = [
    (changed(nonce="another"), "nonce"),
    (changed(nonce=7), "nonce"),
    (changed(nonce=...), "nonce is missing"),
    (changed(aud="another"), "audience"),
    (changed(aud=[CLIENT, "another"]), "authorised party"),
    (changed(azp="another"), "authorised party"),
    (changed(iss="https://evil.example"), "issuer"),
    (changed(iss=...), "iss"),
    (changed(sub=...), "sub is missing"),
    (changed(sub="x" * 256), "subject"),
    (changed(sub=""), "subject"),
    (shifted("exp", -61), "time"),
    (shifted("nbf", 61), "time"),
    (lambda claims: {**claims, "iat": claims["iat"] + 61}, "time"),
    (changed(exp="tomorrow"), "time"),
    (changed(exp=True), "time"),
    (changed(exp=...), "exp is missing"),
]


def test_a_claim_that_is_wrong_lets_nobody_in(house: House) -> None:
    for number, (change, word) in enumerate(WRONG_CLAIMS):
        house.provider.change = change
        browser = house.browser()
        answer = house.log_in(browser)
        assert answer.status_code == 403 and f"not valid: {word}" in answer.text, number
        assert "samebody_console" not in answer.headers.get("set-cookie", "") and not is_in(browser), number


def test_clocks_may_be_off_a_little(house: House) -> None:
    for change in (shifted("exp", -59), shifted("nbf", 59), changed(aud=[CLIENT]), changed(azp=CLIENT)):
        house.provider.change = change
        browser = house.browser()
        house.log_in(browser)
        assert is_in(browser)


def none(house: House) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode(claims, "", "none", headers={"kid": "one"})


def shared_secret(house: House) -> Callable[[Claims], str]:
    public = json.dumps(house.provider.signs.jwk()).encode()  # the public key taken for an HMAC key

    def make(claims: Claims) -> str:
        head, body = (url_safe(json.dumps(each).encode()) for each in ({"alg": "HS256", "kid": "one"}, claims))
        return f"{head}.{body}.{url_safe(hmac.digest(public, f'{head}.{body}'.encode(), 'sha256'))}"

    return make


def other_key(house: House) -> Callable[[Claims], str]:
    own = SigningKey("one")
    return lambda claims: jwt.encode(claims, own.private, "ES256", headers={"kid": "one"})


def unknown_kid(house: House) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode(claims, house.provider.signs.private, "ES256", headers={"kid": "nobody's"})


def other_algorithm(house: House) -> Callable[[Claims], str]:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return lambda claims: jwt.encode(claims, own, "RS256", headers={"kid": "one"})


def key_inside(house: House) -> Callable[[Claims], str]:
    own = SigningKey("mine")
    return lambda claims: jwt.encode(claims, own.private, "ES256", headers={"kid": "mine", "jwk": own.jwk()})


def critical(house: House) -> Callable[[Claims], str]:
    private = house.provider.signs.private
    return lambda claims: jwt.encode(claims, private, "ES256", headers={"kid": "one", "crit": ["x"], "x": 1})


def tampered(house: House) -> Callable[[Claims], str]:
    def make(claims: Claims) -> str:
        own = house.provider.signs
        head, _, mac = jwt.encode(claims, own.private, own.algorithm, headers={"kid": own.kid}).split(".")
        return f"{head}.{url_safe(json.dumps({**claims, 'roles': ['kyc-leads']}).encode())}.{mac}"

    return make


def rubbish(house: House) -> Callable[[Claims], str]:
    return lambda claims: "a.b"


def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(house: House) -> None:
    for forger, word in (
        (none, "algorithm"), (shared_secret, "algorithm"), (other_key, "signature"), (unknown_kid, "key"),
        (other_algorithm, "key"), (key_inside, "key"), (critical, "form"), (tampered, "signature"),
        (rubbish, "form"),
    ):  # fmt: skip
        house.provider.make = forger(house)
        browser = house.browser()
        answer = house.log_in(browser)
        assert answer.status_code == 403 and f"not valid: {word}" in answer.text, forger.__name__
        assert not is_in(browser), forger.__name__


def test_a_short_rsa_key_is_refused(house: House) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    house.provider.signs = SigningKey("weak", "RS256", weak)
    house.provider.published = [house.provider.signs]
    house.provider.make = lambda claims: jwt.encode(claims, weak, "RS256", headers={"kid": "weak"})
    with pytest.warns(Warning, match="key"):
        answer = house.log_in(house.browser())
    assert "not valid: key" in answer.text


def test_keys_may_change_without_a_restart_and_withdrawn_ones_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "ASKED_AGAIN", 0.0)
    provider, old = house.provider, house.provider.signs
    assert house.log_in(house.browser()).status_code == 200
    provider.signs = SigningKey("two")
    provider.published = [old, provider.signs]
    assert house.log_in(house.browser()).status_code == 200
    provider.signs, provider.published = old, [provider.signs]
    assert house.log_in(house.browser()).status_code == 200  # still remembered
    monkeypatch.setattr(discovery, "KEYS_KEPT", 0.0)
    assert "not valid: key" in house.log_in(house.browser()).text


def test_invented_key_ids_do_not_become_requests(house: House) -> None:
    house.provider.make = unknown_kid(house)
    for _ in range(4):
        house.log_in(house.browser())
    assert house.provider.asked.count("/keys") == 1


def test_an_answer_is_taken_once_and_in_its_own_browser(house: House) -> None:
    mine, theirs = house.browser(), house.browser()
    back = house.begin(mine)
    begun = dict(mine.cookies)
    stolen = house.finish(theirs, back)  # a browser that began nothing
    assert stolen.status_code == 403 and not is_in(theirs)
    house.begin(theirs)
    assert house.finish(theirs, back).status_code == 403  # one that began another login
    assert house.finish(mine, back).status_code == 200 and is_in(mine)
    mine.cookies.update(begun)  # the browser's back button, or somebody who copied all of it
    replayed = house.finish(mine, back)
    assert replayed.status_code == 403 and "answered before" in replayed.text


def test_an_answer_with_another_state_issuer_or_too_late_is_refused(house: House, clock: SetClock) -> None:
    browser = house.browser()
    for wrong in ({"state": "x"}, {"state": None}, {"iss": "https://evil.example"}):
        back = urlsplit(house.begin(browser))
        query = {**dict(parse_qsl(back.query)), **wrong}
        given = {name: value for name, value in query.items() if value is not None}
        answer = browser.get(back.path, params=given, follow_redirects=False)
        assert answer.status_code == 403 and "no login that was begun" in answer.text, wrong
    back = house.begin(browser)
    clock.move(minutes=10)
    assert "took too long" in house.finish(browser, back).text


def test_a_code_of_another_login_is_refused(house: House) -> None:
    """PKCE and nonce: an attacker's code in the victim's answer."""
    one, two = house.browser(), house.browser()
    mine, theirs = (urlsplit(house.begin(each)) for each in (one, two))
    code = parse_qs(theirs.query)["code"][0]
    state = parse_qs(mine.query)["state"][0]
    answer = one.get(f"{mine.path}?code={code}&state={state}", follow_redirects=False)
    assert answer.status_code == 403 and "does not take" in answer.text and not is_in(one)


def test_no_login_is_fixed_from_outside(house: House) -> None:
    browser = house.browser()
    browser.post("/console/login", data={"key": house.service.key("auditor")})
    planted = browser.cookies["samebody_console"]
    house.log_in(browser)
    assert browser.cookies["samebody_console"] != planted
    assert "reviewer" in browser.get("/console/").text
    before = browser.cookies["samebody_console"]
    browser.post("/console/login", data={"key": house.service.key("auditor")})
    other = house.browser()
    other.cookies.set("samebody_console", before)
    assert not is_in(other)  # a new login in the same browser ended the one before


def test_whoever_has_no_role_stays_outside(house: House) -> None:
    for roles in (..., [], ["cooks"], "cooks", {"kyc-team": True}, [["kyc-team"]], 7):
        house.provider.change = changed(roles=roles)
        answer = house.log_in(house.browser())
        assert answer.status_code == 403 and "no role" in answer.text, roles
    house.provider.refuses = True
    assert "did not log you in" in house.log_in(house.browser()).text


def test_the_first_line_that_fits_is_the_role(house: House) -> None:
    house.provider.change = changed(roles=["watchers", "kyc-leads"])
    browser = house.browser()
    house.log_in(browser)
    assert "admin" in browser.get("/console/").text


def test_a_login_ends_in_time_and_with_its_provider(house: House, clock: SetClock) -> None:
    browser = house.browser()
    house.log_in(browser)
    sso = house.service.app.state.service.sso
    kept = sso.providers.pop("staff")
    assert not is_in(browser)
    sso.providers["staff"] = kept
    assert is_in(browser)
    clock.move(hours=8)
    assert not is_in(browser)


def test_a_provider_serves_its_tenant_alone(start: Callable[..., Running], clock: SetClock, tmp_path: Path) -> None:
    from samebody.service.setup import prepare

    with running(clock) as provider:
        path = written(provider, tmp_path, 'tenant = "bank"')
        house = House(start(oidc=path, public_url="http://service.test"), provider)
        missing = house.browser().get("/console/sso/staff/start", follow_redirects=False)
        assert missing.status_code == 500 and "tenant" in missing.text
        prepare(house.service.store, "bank")
        made = house.service.client().create_session()
        browser = house.browser()
        house.log_in(browser)
        assert "of bank" in browser.get("/console/").text
        assert browser.get(f"/console/cases/{made['id']}").status_code == 404


def test_only_the_issuer_is_asked(house: House) -> None:
    for configuration in (
        {"issuer": "http://127.0.0.1:1"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"jwks_uri": "https://elsewhere.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "https://elsewhere.example/logout"},
        {"code_challenge_methods_supported": ["plain"]},
    ):
        house.provider.configuration = configuration
        answer = house.browser().get("/console/sso/staff/start", follow_redirects=False)
        assert answer.status_code == 503 and "of no use now" in answer.text, configuration
    assert set(house.provider.asked) == {"/.well-known/openid-configuration"}


def test_endpoints_at_another_origin_are_asked_when_the_operator_names_it() -> None:
    provider = Provider(
        name="x", issuer="https://accounts.example", client_id="c", roles={"a": "admin"},
        origins=("https://tokens.example",),
    )  # fmt: skip
    assert provider.allows("https://tokens.example/t") and provider.allows("https://accounts.example:443/k")
    for url in (
        "http://accounts.example/k",
        "https://accounts.example.evil.example/",
        "https://accounts.example:8443/",
    ):
        assert not provider.allows(url)


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}),
        ("https://x.example/roles", {"https://x.example/roles": "a"}),
        ("groups", {"groups": ["b", "a"]}),
    ],
)
def test_where_roles_stand_is_configured(claim: str, claims: dict[str, Any]) -> None:
    provider = Provider(name="x", issuer="https://a.example", client_id="c", roles={"a": "auditor"}, roles_claim=claim)
    assert provider.role_of(claims) == "auditor"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "provider"),
        ("[[provider]]\nname = 'x'\n", "issuer"),
        (FILE.replace("{issuer}", "http://login.example"), "https"),
        (FILE.replace("{issuer}", "https://user:pass@login.example"), "plain"),
        (FILE.replace("{issuer}", "https://a.example").replace("{more}", 'algorithms = ["HS256"]'), "algorithms"),
        (FILE.replace("{issuer}", "https://a.example").replace("{more}", 'algorithms = ["none"]'), "algorithms"),
        (FILE.replace("{issuer}", "https://a.example").replace('"auditor"', '"king"'), "roles"),
        (FILE.replace("{issuer}", "https://a.example").replace("{more}", 'scopes = ["profile"]'), "openid"),
        (FILE.replace("{issuer}", "https://a.example") * 2, "taken"),
        ("[[provider]", "TOML"),
    ],
)
def test_a_wrong_file_is_told_at_the_start(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "oidc.toml"
    path.write_text(text.replace("{more}", ""))
    with pytest.raises(SsoConfigError, match=word):
        load_providers(path)
    with pytest.raises(SsoConfigError):
        load_providers(tmp_path / "none.toml")


def test_the_api_takes_no_login_and_the_console_cookie_opens_no_route(house: House) -> None:
    browser = house.browser()
    house.log_in(browser)
    assert browser.get("/v1/sessions").status_code == 401


def test_doctor_asks_the_issuer(clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebody.cli import doctor

    with running(clock) as provider:
        monkeypatch.setenv("SAMEBODY_SERVICE_OIDC", str(written(provider, tmp_path)))
        assert list(doctor._providers()) == [("login staff", "ok", f"{provider.issuer} answers and has 1 keys")]
        (tmp_path / "secret").unlink()
        ((_, state, text),) = doctor._providers()
        assert state == "fault" and "secret" in text
        written(provider, tmp_path)
        provider.configuration = {"issuer": "https://other.example"}
        assert [line[1] for line in doctor._providers()] == ["fault"]
    assert [line[1] for line in doctor._providers()] == ["fault"]  # nobody listens any more
    assert "login staff" in CliRunner().invoke(doctor.command, ["--store", str(tmp_path / "none")]).output

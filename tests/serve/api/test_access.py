"""Who may do what: roles, sessions, CSRF, tokens."""

from collections.abc import Mapping

import pytest

from serve.api.conftest import Open, Site, add_user
from serve.api.tiny import image
from serve.making import PASSWORD
from transxv2s.errors import ConfigError

NOBODY: Mapping[str, str] = {}
RANK = ("nobody", "uploader", "reviewer", "admin")
NAMES = {"uploader": "uta", "reviewer": "rita", "admin": "ada"}
OPINION = {"diagnosis": "BCC", "confidence": "high"}
RULES = [  # method, path, who may at least, status for those who may; {id} is a case of uta's
    ("POST", "/v1/findings", "uploader", 201),
    ("GET", "/v1/findings/{id}", "uploader", 200),
    ("GET", "/v1/findings/{id}/fhir", "uploader", 200),
    ("GET", "/v1/findings/{id}/images/0/original.png", "uploader", 200),
    ("GET", "/v1/findings/{id}/images/0/seen.png", "uploader", 200),
    ("GET", "/v1/findings/{id}/images/0/heat-maps/hirescam.png", "uploader", 200),
    ("GET", "/v1/findings/{id}/images/0/attention", "uploader", 200),
    ("POST", "/v1/dicom", "uploader", 422),
    ("GET", "/v1/about", "uploader", 200),
    ("GET", "/v1/tokens", "uploader", 200),
    ("POST", "/v1/tokens", "uploader", 201),
    ("DELETE", "/v1/tokens/x", "uploader", 404),
    ("GET", "/v1/worklist", "reviewer", 200),
    ("POST", "/v1/findings/{id}/reviews", "reviewer", 201),
    ("GET", "/v1/export", "reviewer", 409),
    ("DELETE", "/v1/findings/{id}", "reviewer", 204),
    ("GET", "/v1/users", "admin", 200),
    ("POST", "/v1/users", "admin", 201),
    ("PATCH", "/v1/users/udo", "admin", 200),
    ("GET", "/metrics", "admin", 200),
    ("GET", "/health", "nobody", 200),
    ("GET", "/ready", "nobody", 200),
    ("GET", "/openapi.json", "nobody", 200),
]
BODIES: dict[str, dict[str, object]] = {
    "/v1/findings": {"files": {"images": image()}},
    "/v1/findings/{id}/reviews": {"json": OPINION},
    "/v1/tokens": {"json": {"name": "new"}},
    "/v1/users": {"json": {"name": "new", "password": PASSWORD, "role": "uploader"}},
    "/v1/users/udo": {"json": {"role": "reviewer"}},
}


def named(people: Mapping[str, Mapping[str, str]], role: str) -> Mapping[str, str]:
    return people[NAMES[role]] if role in NAMES else NOBODY


@pytest.mark.parametrize(("method", "path", "least", "status"), RULES)
def test_roles(
    *, site: Site, people: dict[str, dict[str, str]], method: str, path: str, least: str, status: int
) -> None:
    case_id = site.send(headers=people["uta"]).json()["id"]
    for role in RANK:
        body = BODIES.get(path, {}) if method in ("POST", "PATCH") else {}
        answer = site.client.request(
            method,
            path.format(id=case_id),
            headers=named(people, role),
            **body,  # type: ignore[arg-type]
        )
        if RANK.index(role) < RANK.index(least):
            expected, kind = (401, "SignIn") if role == "nobody" else (403, "NotAllowed")
            assert (answer.status_code, answer.json()["error"]["kind"]) == (expected, kind), role
        else:
            assert answer.status_code == status, (role, answer.text)
            return


def test_every_route_is_in_the_rules_above(site: Site) -> None:
    paths = site.client.get("/openapi.json").json()["paths"]
    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    filled = {
        (m, p.replace("{case_id}", "{id}").replace("{n}", "0").replace("{method}", "hirescam"))
        for m, p in found
    }
    ruled = {(method, path) for method, path, _, _ in RULES}
    ruled |= {("DELETE", "/v1/tokens/{token_id}"), ("PATCH", "/v1/users/{name}")}
    assert {rule for rule in filled if "/v1/session" not in rule[1]} - ruled == set()


def test_an_uploader_sees_own_cases_only_and_cannot_tell_others_from_none(
    site: Site, people: dict[str, dict[str, str]]
) -> None:
    case = site.send(headers=people["uta"]).json()
    for place in (f"/v1/findings/{case['id']}", case["images"][0]["seen"], f"/v1/findings/{'0' * 32}"):
        others = site.client.get(place, headers=people["udo"])
        assert (others.status_code, others.json()["error"]["kind"]) == (404, "NotFound")
    assert site.client.get(f"/v1/findings/{case['id']}", headers=people["rita"]).status_code == 200


def test_without_users_everybody_at_this_machine_may_do_all(site: Site) -> None:
    assert site.client.get("/v1/session").json() == {
        "mode": "local",
        "name": "local",
        "roles": ["uploader", "reviewer", "admin"],
        "csrf": None,
    }
    for place, body in (
        ("/v1/users", {"name": "new", "password": PASSWORD, "role": "admin"}),
        ("/v1/tokens", {"name": "new"}),
        ("/v1/session", {"name": "ada", "password": PASSWORD}),
    ):
        answer = site.client.post(place, json=body)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "Conflict")


def test_the_first_user_ends_the_local_mode_at_once(site: Site) -> None:
    assert site.client.get("/v1/about").status_code == 200
    add_user(site.server, "ada", "admin")
    answer = site.client.get("/v1/about")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert site.client.get("/v1/session").json()["error"]["mode"] == "users"


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0"}, {"hosts": ("derma.example",)}])  # noqa: S104
def test_where_others_come_users_are_needed(open_site: Open, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="transxv2s users add"):
        open_site(**settings)
    add_user(open_site().server, "ada", "admin")
    assert open_site(**settings).client.get("/v1/about").status_code == 401


def sign_in(site: Site, name: str = "ada", password: str = PASSWORD) -> str:
    """Gives the CSRF token."""
    answer = site.client.post("/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    csrf: str = answer.json()["csrf"]
    return csrf


def test_a_session_from_signing_in_to_signing_out(site: Site, people: dict[str, dict[str, str]]) -> None:
    csrf = sign_in(site, "RITA")
    me = site.client.get("/v1/session").json()
    assert me == {"mode": "users", "name": "rita", "roles": ["uploader", "reviewer"], "csrf": csrf}
    assert site.send(headers={"X-CSRF-Token": csrf}).status_code == 201
    assert site.client.delete("/v1/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert site.client.get("/v1/session").status_code == 401


def test_the_cookie(open_site: Open) -> None:
    site = open_site()
    add_user(site.server, "ada", "admin")
    credentials = {"name": "ada", "password": PASSWORD}
    here = site.client.post("/v1/session", json=credentials).headers["Set-Cookie"].lower()
    assert "httponly" in here
    assert "samesite=strict" in here
    assert "secure" not in here
    elsewhere = open_site(hosts=("derma.example",)).client
    cookie = elsewhere.post("/v1/session", json=credentials).headers["Set-Cookie"].lower()
    assert "secure" in cookie


@pytest.mark.parametrize("csrf", [None, "", "x", "0" * 64])
def test_a_change_with_a_cookie_needs_the_pages_token(
    site: Site, people: dict[str, dict[str, str]], csrf: str | None
) -> None:
    sign_in(site)
    headers = {} if csrf is None else {"X-CSRF-Token": csrf}
    answer = site.send(headers=headers)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "NotAllowed")
    assert site.workers.calls == []


def test_wrong_credentials_and_their_limit(open_site: Open) -> None:
    site = open_site(attempts_per_user=2)
    add_user(site.server, "ada", "admin")
    for name in ("ada", "nobody", "ada"):
        answer = site.client.post("/v1/session", json={"name": name, "password": "wrong"})
        assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "SignIn")
    locked = site.client.post("/v1/session", json={"name": "ada", "password": PASSWORD})
    assert (locked.status_code, locked.json()["error"]["kind"]) == (429, "TooManyAttempts")
    assert 0 < int(locked.headers["Retry-After"]) <= 15 * 60
    assert site.verdict().fault is None


@pytest.mark.parametrize("header", ["Bearer x", "Bearer ", "Basic YWRhOng=", "Bearer \xff"])
def test_a_token_that_is_none(site: Site, people: dict[str, dict[str, str]], header: str) -> None:
    answer = site.client.get("/v1/about", headers={b"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "SignIn")


def test_a_token_is_told_once_and_can_be_revoked(site: Site, people: dict[str, dict[str, str]]) -> None:
    made = site.client.post("/v1/tokens", json={"name": "pipeline"}, headers=people["uta"]).json()
    mine = {"Authorization": f"Bearer {made['token']}"}
    assert site.client.get("/v1/session", headers=mine).json()["name"] == "uta"
    listed = site.client.get("/v1/tokens", headers=mine).json()
    assert [token["name"] for token in listed] == ["test", "pipeline"]
    assert made["token"] not in str(listed)
    foreign = site.client.delete(f"/v1/tokens/{made['id']}", headers=people["udo"])
    assert foreign.status_code == 404
    assert site.client.delete(f"/v1/tokens/{made['id']}", headers=mine).status_code == 204
    assert site.client.get("/v1/session", headers=mine).status_code == 401


def test_tokens_of_others_are_an_administrators(site: Site, people: dict[str, dict[str, str]]) -> None:
    refused = site.client.get("/v1/tokens?owner=udo", headers=people["uta"])
    assert (refused.status_code, refused.json()["error"]["kind"]) == (403, "NotAllowed")
    [token] = site.client.get("/v1/tokens?owner=udo", headers=people["ada"]).json()
    place = f"/v1/tokens/{token['id']}?owner=udo"
    assert site.client.delete(place, headers=people["ada"]).status_code == 204
    assert site.client.get("/v1/session", headers=people["udo"]).status_code == 401


def test_a_change_of_a_user_happens_whole_or_not_at_all(
    site: Site, people: dict[str, dict[str, str]]
) -> None:
    both = {"password": "another long password", "role": "uploader"}
    refused = site.client.patch("/v1/users/ada", json=both, headers=people["ada"])
    assert (refused.status_code, refused.json()["error"]["kind"]) == (409, "Conflict")
    done = site.client.patch("/v1/users/udo", json={"disabled": True}, headers=people["ada"]).json()
    assert (done["name"], done["disabled"]) == ("udo", True)
    assert site.client.get("/v1/session", headers=people["udo"]).status_code == 401
    listed = site.client.get("/v1/users", headers=people["ada"])
    assert [user["name"] for user in listed.json()] == ["ada", "rita", "udo", "uta"]
    assert "hash" not in listed.text
    assert site.verdict().fault is None


@pytest.mark.parametrize("change", [{"password": "short"}, {"role": "king"}, {"name": "x"}])
def test_a_password_that_cannot_be_taken_is_not_repeated(
    site: Site, people: dict[str, dict[str, str]], change: dict[str, str]
) -> None:
    new = {"name": "new", "password": PASSWORD, "role": "uploader"} | change
    answer = site.client.post("/v1/users", json=new, headers=people["ada"])
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")
    assert str(new["password"]) not in answer.text

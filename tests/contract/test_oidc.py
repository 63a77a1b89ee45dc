"""Signing in by a real OpenID Connect provider (npm's oidc-provider), which runs beside the tests."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from running import Running

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Role, Scope

HERE = Path(__file__).parent.parent
PACKAGE = "oidc-provider@8.8.1"
GROUPS = {"anna": ["HR", "Unknown here"], "boss": ["Admins"], "eve": [], "anna#other": ["Admins"]}

pytestmark = pytest.mark.timeout(300)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    """A folder in which the provider is installed."""
    folder = tmp_path_factory.mktemp("oidc")
    assert shutil.which("npm"), "the provider of these tests needs Node.js and npm"
    install = ["npm", "install", "--no-fund", "--no-audit", "--silent", PACKAGE]
    subprocess.run(install, cwd=folder, check=True, timeout=240)
    shutil.copy(HERE / "oidc_provider.mjs", folder)
    return folder


@pytest.fixture(scope="module")
def service(npm, tmp_path_factory):
    """The service, with a provider beside it that knows it."""
    port, own = free_port(), free_port()
    environment = os.environ | {"GROUPS": json.dumps(GROUPS), "NODE_ENV": "development"}
    callback = f"http://127.0.0.1:{own}/portal/oidc/callback"
    command = ["node", "oidc_provider.mjs", str(port), callback]
    with subprocess.Popen(command, cwd=npm, env=environment, stdout=subprocess.PIPE, text=True) as provider:
        assert "listening" in provider.stdout.readline()
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("service"),
            port=own,
            oidc_issuer=f"http://127.0.0.1:{port}",
            oidc_client_id="zuinig",
            oidc_client_secret="for-tests",
            oidc_admin_group="Admins",
        )
        running = Running(build(settings), port=own)
        running.services.people.create_group("HR")
        yield running
        running.stop()
        provider.terminate()


def follow(browser: httpx.Client, answer: httpx.Response, *, until: str) -> httpx.Response:
    while answer.is_redirect and until not in answer.headers["location"]:
        answer = browser.get(urljoin(str(answer.url), answer.headers["location"]))
    return answer


def at_provider(browser: httpx.Client, service: Running, login: str) -> str:
    """The address to which the provider sends the browser back, once it has been told who this is."""
    page = follow(browser, browser.get(f"{service.url}/portal/oidc/sign-in"), until="/portal/oidc/callback")
    for prompt in ({"prompt": "login", "login": login, "password": "x"}, {"prompt": "consent"}):
        if page.is_redirect:
            break
        action = re.search(r'action="([^"]+)"', page.text)[1]
        page = follow(browser, browser.post(urljoin(str(page.url), action), data=prompt), until="/portal/oidc/callback")
    return page.headers["location"]


def sign_in(service: Running, login: str) -> tuple[httpx.Response, httpx.Client]:
    browser = httpx.Client(timeout=30)
    return browser.get(at_provider(browser, service, login)), browser


def principal(service: Running, browser: httpx.Client):
    return service.services.auth.of_session(browser.cookies["zuinig_session"])


def test_whoever_the_provider_lets_in_is_a_reader_with_the_groups_that_there_are_here(service):
    answer, browser = sign_in(service, "anna")
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/")
    assert browser.get(f"{service.url}/portal/").status_code == 200
    anna = service.services.people.get("anna")
    assert (anna.role, anna.groups, anna.signs_in_by) == (Role.READER, ("HR",), ("provider",))
    assert anna.display_name == "anna of the provider"
    assert not principal(service, browser).may(Scope.ADMIN)


def test_what_the_provider_takes_back_is_gone_with_the_next_sign_in(service):
    services = service.services
    sign_in(service, "eve")
    services.people.create_group("Local")
    services.people.change("eve", groups=["HR", "Local"])
    _, browser = sign_in(service, "eve")
    # Those that an admin gave stay; the provider gave none.
    assert services.people.get("eve").groups == ("HR", "Local")
    with services.db.write() as session:
        from zuinig.app import people

        user = people.find(session, "eve")
        people.put_into(session, user.id, [])
        people.put_into(session, user.id, people.group_ids(session, ["HR"]), claimed=True)
    assert services.people.get("eve").groups == ("HR",)
    sign_in(service, "eve")
    assert services.people.get("eve").groups == ()
    assert principal(service, browser).name == "eve"


def test_a_role_follows_the_group_that_it_hangs_on(service):
    _, browser = sign_in(service, "boss")
    assert principal(service, browser).may(Scope.ADMIN)
    service.services.people.change("anna", role=Role.ADMIN)
    sign_in(service, "anna")
    assert service.services.people.get("anna").role == Role.READER


def test_another_person_of_the_same_name_does_not_get_into_the_account(service):
    sign_in(service, "anna")
    answer, browser = sign_in(service, "anna#other")
    assert answer.status_code == 409
    assert "is another person&#39;s here" in answer.text
    assert "zuinig_session" not in browser.cookies
    service.services.people.create("local", password="a long password")
    GROUPS.setdefault("local", [])
    answer, browser = sign_in(service, "local")
    assert answer.status_code == 409
    assert "zuinig_session" not in browser.cookies


def test_an_account_that_an_admin_made_without_a_password_waits_for_its_person(service):
    service.services.people.create("dora", role=Role.CURATOR)
    _, browser = sign_in(service, "dora")
    assert principal(service, browser).name == "dora"
    service.services.people.change("dora", disabled=True)
    assert browser.get(f"{service.url}/portal/").headers["location"] == "/portal/sign-in"
    answer, _ = sign_in(service, "dora")
    assert answer.status_code == 401


def test_an_answer_that_nobody_asked_for_signs_nobody_in(service):
    mine, other = httpx.Client(timeout=30), httpx.Client(timeout=30)
    back = at_provider(mine, service, "anna")
    for browser, address in (
        (other, back),  # another browser: nothing was begun in it
        (mine, re.sub("state=[^&]+", "state=guessed", back)),
        (mine, re.sub("code=[^&]+", "code=guessed", back)),
    ):
        answer = browser.get(address)
        assert answer.status_code == 401
        assert "zuinig_session" not in browser.cookies


def test_a_code_is_good_once(service):
    browser = httpx.Client(timeout=30)
    back = at_provider(browser, service, "anna")
    assert browser.get(back).status_code == 303
    browser.cookies.delete("zuinig_session")
    assert browser.get(back).status_code == 401


def test_a_provider_that_does_not_answer_is_said_to_and_nothing_else_suffers(tmp_path):
    settings = Settings(data_dir=tmp_path, oidc_issuer=f"http://127.0.0.1:{free_port()}", oidc_client_id="zuinig")
    running = Running(build(settings))
    try:
        for language, said in (
            ("en", "identity provider does not answer"),
            ("nl", "identiteitsprovider antwoordt niet"),
        ):
            answer = httpx.get(f"{running.url}/portal/oidc/sign-in", headers={"accept-language": language})
            assert answer.status_code == 503
            assert said in answer.text
            answer = httpx.get(f"{running.url}/portal/oidc/nothing", headers={"accept-language": language})
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/html")
        assert running.client.get("/v1/me").status_code == 200
    finally:
        running.stop()

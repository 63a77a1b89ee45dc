"""Users, groups, passwords and keys: who gets in, what they may do, and what ends when they leave."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from zuinig.app import attempts
from zuinig.app import auth as auth_module
from zuinig.core.errors import BadRequest, Conflict, NotFound, Unauthenticated, Unprocessable
from zuinig.core.tables import now
from zuinig.core.types import Role, Scope

PASSWORD = "correct horse battery"


@pytest.fixture
def people(services):
    return services.people


@pytest.fixture
def anna(people):
    return people.create("Anna@Example.com", role=Role.READER, password=PASSWORD)


def session(services, password=PASSWORD):
    return services.auth.of_session(services.auth.sign_in("anna@example.com", password))


def test_a_name_is_kept_in_lower_case_and_taken_once(people, anna):
    assert anna.name == "anna@example.com"
    with pytest.raises(Conflict):
        people.create("ANNA@example.com")


@pytest.mark.parametrize("name", ["", "a b", "a\u202eb", "x" * 201, "<b>"])
def test_a_name_that_is_none_is_refused(people, name):
    with pytest.raises(Unprocessable):
        people.create(name)


def test_the_password_is_nowhere_in_the_database(services, anna):
    with services.db.read() as found:
        raw = "\n".join(found.connection().connection.dbapi_connection.iterdump())
    assert PASSWORD not in raw
    assert "$argon2id$" in raw


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.READER, {Scope.READ, Scope.ASK}),
        (Role.CURATOR, {Scope.READ, Scope.ASK, Scope.CURATE}),
        (Role.ADMIN, set(Scope)),
    ],
)
def test_a_role_says_what_a_person_may_do(services, people, anna, role, may):
    people.change(anna.id, role=role)
    who = session(services)
    assert {s for s in Scope if who.may(s)} == may
    assert (who.id, who.user) == (anna.id, anna.name)


@pytest.mark.parametrize(("name", "password"), [("anna@example.com", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_whoever_does_not_get_in_is_not_told_why(services, anna, name, password):
    with pytest.raises(Unauthenticated) as refused:
        services.auth.sign_in(name, password)
    assert refused.value.message == "Name or password is wrong."


def test_who_has_no_password_cannot_sign_in_by_one(services, people):
    people.create("oidc-only")
    for guess in ("", "None", "x" * 1000):
        with pytest.raises(Unauthenticated):
            services.auth.sign_in("oidc-only", guess)


def test_each_wrong_password_after_some_doubles_the_wait(services, anna, monkeypatch):
    moment = now()
    monkeypatch.setattr(attempts, "now", lambda: moment)
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="wrong"):
            services.auth.sign_in(anna.name, "guess")
    waits = []
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="seconds") as locked:
            services.auth.sign_in(anna.name, PASSWORD)  # not even the right one
        assert locked.value.code == "locked"
        waits.append(int(locked.value.message.split()[-2]))
        moment += timedelta(seconds=waits[-1] + 1)
        with pytest.raises(Unauthenticated, match="wrong"):
            services.auth.sign_in(anna.name, "guess")
    assert waits == sorted(waits) and waits[-1] >= 4 * (waits[0] - 1)
    moment += timedelta(hours=1)
    assert services.auth.sign_in(anna.name, PASSWORD)
    # What went well begins the count anew.
    with pytest.raises(Unauthenticated, match="wrong"):
        services.auth.sign_in(anna.name, "guess")
    assert services.auth.sign_in(anna.name, PASSWORD)


def test_nobody_is_locked_out_by_what_others_try_and_no_name_tells_whether_it_is_there(services, anna):
    told = {}
    for name in (anna.name, "nobody"):
        for _ in range(8):
            with pytest.raises(Unauthenticated) as refused:
                services.auth.sign_in(name, "guess", address="192.0.2.1")
            told.setdefault(name, []).append(refused.value.code)
    assert told["nobody"] == told[anna.name]
    assert "locked" in told["nobody"]
    assert services.auth.sign_in(anna.name, PASSWORD, address="192.0.2.2")


def test_of_many_guesses_at_a_time_no_more_are_looked_at(services, anna, monkeypatch):
    looked = []
    monkeypatch.setattr(auth_module, "matches", lambda *_: bool(looked.append(1)))

    def guess(_: int) -> None:
        with pytest.raises(Unauthenticated):
            services.auth.sign_in(anna.name, "guess")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(guess, range(16)))
    assert len(looked) <= 5


def test_what_a_person_leaves_behind_lets_nobody_in(services, people, anna):
    cookie = services.auth.sign_in(anna.name, PASSWORD)
    _, key = services.auth.create_key("laptop", [Scope.ASK], user_id=anna.id)
    assert services.auth.of_key(key).id == anna.id
    people.change(anna.id, disabled=True)
    for attempt in (
        lambda: services.auth.of_session(cookie),
        lambda: services.auth.of_key(key),
        lambda: services.auth.sign_in(anna.name, PASSWORD),
    ):
        with pytest.raises(Unauthenticated):
            attempt()
    people.change(anna.id, disabled=False)
    with pytest.raises(Unauthenticated):
        services.auth.of_key(key)  # keys do not come back
    assert session(services).id == anna.id


def test_a_new_password_ends_the_sessions_there_are(services, people, anna):
    _, key = services.auth.create_key("laptop", [Scope.ASK], user_id=anna.id)
    cookies = services.auth.sign_in(anna.name, PASSWORD), services.auth.sign_in_with_key(key)
    with pytest.raises(Unprocessable):
        people.set_password(anna.id, "short")
    assert [services.auth.of_session(cookie).id for cookie in cookies] == [anna.id] * 2
    people.set_password(anna.id, "another long one")
    for cookie in cookies:
        with pytest.raises(Unauthenticated):
            services.auth.of_session(cookie)
    assert session(services, "another long one")
    assert services.auth.of_key(key).id == anna.id


def test_signing_out_makes_a_copy_of_the_cookie_worthless(services, anna):
    cookie = services.auth.sign_in(anna.name, PASSWORD)
    services.auth.close_session(cookie)
    with pytest.raises(Unauthenticated):
        services.auth.of_session(cookie)


def test_a_session_ends_with_its_time(services, anna, monkeypatch):
    cookie = services.auth.sign_in(anna.name, PASSWORD)
    later = now() + timedelta(hours=13)
    monkeypatch.setattr(auth_module, "now", lambda: later)
    with pytest.raises(Unauthenticated):
        services.auth.of_session(cookie)


def test_a_key_ends_with_its_time(services, monkeypatch):
    with pytest.raises(BadRequest):
        services.auth.create_key("late", [Scope.ASK], expires_at=now() - timedelta(seconds=1))
    _, key = services.auth.create_key("short", [Scope.ASK], expires_at=now() + timedelta(hours=1))
    assert services.auth.of_key(key).may(Scope.ASK)
    later = now() + timedelta(hours=2)
    monkeypatch.setattr("zuinig.app.rights.now", lambda: later)
    with pytest.raises(Unauthenticated) as expired:
        services.auth.of_key(key)
    assert expired.value.code == "expired_api_key"


def test_a_key_of_a_person_may_do_no_more_than_the_person(services, people, anna):
    _, key = services.auth.create_key("too much", list(Scope), user_id=anna.id)
    assert {s for s in Scope if services.auth.of_key(key).may(s)} == {Scope.READ, Scope.ASK}
    people.change(anna.id, role=Role.CURATOR)
    assert services.auth.of_key(key).may(Scope.CURATE)
    with pytest.raises(NotFound):
        services.auth.create_key("nobody's", [Scope.ASK], user_id="usr_none")


def test_a_person_revokes_own_keys_only(services, people, anna):
    bram = people.create("bram")
    info, key = services.auth.create_key("bram's", [Scope.ASK], user_id=bram.id)
    with pytest.raises(NotFound):
        services.auth.revoke(info.id, user_id=anna.id)
    assert services.auth.of_key(key)


def test_groups_are_given_and_taken(services, people, anna):
    for name in ("HR", "Board"):
        people.create_group(name)
    assert people.change(anna.id, groups=["HR", "Board"]).groups == ("Board", "HR")
    assert session(services).group == "Board"
    assert [(g.name, g.members) for g in people.groups()] == [("Board", 1), ("HR", 1)]
    assert people.change(anna.id, groups=["HR"]).groups == ("HR",)
    with pytest.raises(NotFound):
        people.change(anna.id, groups=["Nobody's"])
    with pytest.raises(Conflict):
        people.create_group("HR")
    people.delete_group(people.groups()[1].id)
    assert people.get(anna.id).groups == ()

"""What the portal says: in both languages, and of one thing as of one."""

import re
from pathlib import Path
from typing import get_args

import pytest

from zuinig.app import oidc
from zuinig.app.audit import Action
from zuinig.app.portal import words
from zuinig.app.portal.words import LANGUAGES, counted, named, told
from zuinig.core.errors import Unauthenticated, ZuinigError


@pytest.mark.parametrize("key", words._WORDS)
def test_both_languages_have_the_same_places_to_fill_in(key):
    english, dutch = (sorted(set(re.findall(r"{[^}]*}", text))) for text in words._WORDS[key])
    assert english == dutch


def test_what_is_counted_has_a_word_for_one_and_one_for_more():
    assert [counted("en", "passages", n) for n in (0, 1, 2)] == ["0 passages", "1 passage", "2 passages"]
    assert [counted("nl", "import_would", n, added=n, updated=0, unchanged=0)[:8] for n in (1, 2)] == [
        "1 regel:",
        "2 regels",
    ]
    singular = [key.removesuffix("_one") for key in words._WORDS if key.endswith("_one")]
    assert {*singular} <= {*words._WORDS}
    text = "".join(path.read_text() for path in (Path(words.__file__).parent / "templates").iterdir())
    assert {*re.findall(r"counted\(['\"](\w+)", text)} == {*singular}


def test_no_word_says_several_of_what_may_be_one():
    several = re.compile(r"{(n|s|total)(:g)?} (\w+(s|en)|people|mensen)\b")
    found = {key for key, texts in words._WORDS.items() if any(several.search(text) for text in texts)}
    never_one = {"last_days", "rows_shown", "the_rest"}
    assert {key for key in found if f"{key}_one" not in words._WORDS} == never_one


@pytest.mark.parametrize("action", get_args(Action))
def test_each_action_of_the_audit_log_has_its_words(action):
    assert {named(language, "action", action) for language in LANGUAGES}.isdisjoint({f"action_{action}", action})


def test_each_error_of_signing_in_by_a_provider_is_told_in_dutch():
    codes = set(re.findall(r'code="(\w+)"', Path(oidc.__file__).read_text())) | {"account_closed", "invalid_name"}
    assert len(codes) == 8
    for code in codes:
        said = {told(language, ZuinigError("as the service says it", code=code)) for language in LANGUAGES}
        assert len(said - {"as the service says it"}) == 2, code


def test_what_nobody_translated_stays_as_the_service_said_it():
    error = Unauthenticated("Something new.", code="something_new")
    assert {told(language, error) for language in LANGUAGES} == {"Something new."}

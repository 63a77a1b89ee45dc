"""What the portal says: in both languages, and of one thing as of one."""

import re
from pathlib import Path

import pytest

from zuinig.app import oidc
from zuinig.app.portal import words
from zuinig.app.portal.words import LANGUAGES, told
from zuinig.core.errors import Unauthenticated, ZuinigError


@pytest.mark.parametrize("key", words._WORDS)
def test_both_languages_have_the_same_places_to_fill_in(key):
    english, dutch = (sorted(set(re.findall(r"{[^}]*}", text))) for text in words._WORDS[key])
    assert english == dutch


def test_each_error_of_signing_in_by_a_provider_is_told_in_dutch():
    codes = set(re.findall(r'code="(\w+)"', Path(oidc.__file__).read_text())) | {"account_closed", "invalid_name"}
    assert len(codes) == 8
    for code in codes:
        said = {told(language, ZuinigError("as the service says it", code=code)) for language in LANGUAGES}
        assert len(said - {"as the service says it"}) == 2, code


def test_what_nobody_translated_stays_as_the_service_said_it():
    error = Unauthenticated("Something new.", code="something_new")
    assert {told(language, error) for language in LANGUAGES} == {"Something new."}

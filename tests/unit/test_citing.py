"""Which sentence of a source an answer's mark stands for."""

import pytest

from zuinig.app.prompt import check
from zuinig.retrieval.pack import Packed, Source
from zuinig.retrieval.sentences import of_hit

TEXT = "Bicycles stand in the yard. The canteen opens at noon. Parcels wait at the desk."


@pytest.mark.parametrize(
    ("answer", "quotes"),
    [
        ("The canteen opens at noon [1].", ["The canteen opens at noon."]),
        ("The canteen opens at noon. [1]", ["The canteen opens at noon."]),
        ("See the yard. The canteen opens at noon. [1]", ["The canteen opens at noon."]),
        ("The canteen opens at noon. [1] Parcels wait elsewhere.", ["The canteen opens at noon."]),
        ("At noon.[1] Parcels wait at the desk. [2]", ["The canteen opens at noon.", "Parcels wait at the desk."]),
    ],
)
def test_a_mark_before_or_after_the_full_stop_cites_what_it_says(make_hit, answer, quotes):
    hit = make_hit(TEXT)
    packed = Packed(TEXT, 20, tuple(Source(n, hit, tuple(of_hit(hit))) for n in (1, 2)))
    assert [c.quote for c in check(answer, packed, "When?").citations] == quotes

import pytest

from zuinig.memory.bound import bound

OF_TIME = [
    "What is on the canteen menu today?",
    "Who is the current CFO?",
    "What is the latest version of the app?",
    "Which meetings are planned this week?",
    "Is the VPN down right now?",
    "Is the office open next Monday?",
    "Wat staat er vandaag op het menu?",
    "Wie is de huidige directeur?",
    "Is het kantoor volgende week open?",
]
OF_THE_ASKER = [
    "What is my leave balance?",
    "How many vacation days do I have left?",
    "Where is my parcel?",
    "Who is my manager?",
    "When does my contract end?",
    "Has my expense claim been approved?",
    "Am I enrolled in the pension plan?",
    "Wat is mijn verlofsaldo?",
    "Hoeveel vrije dagen heb ik nog?",
    "Is mijn declaratie goedgekeurd?",
]
OF_NEITHER = [
    "How do I reset my password?",
    "Where do I park my car?",
    "Can I carry over my vacation days?",
    "Which VPN profile should I use?",
    "How do I open a current account?",
    "What is the difference between alternating current and direct current?",
    "What is the notice period?",
    "Who approves my travel request?",
    "May I work from home on Fridays?",
    "Hoe vraag ik mijn verlof aan?",
    "Wat is de opzegtermijn?",
    "What happens if I lose my badge?",
]


@pytest.mark.parametrize("question", OF_TIME)
def test_a_question_about_now_is_bound_to_time(question):
    assert bound(question) == "time"


@pytest.mark.parametrize("question", OF_THE_ASKER)
def test_a_question_about_the_asker_is_bound_to_the_asker(question):
    assert bound(question) == "asker"


@pytest.mark.parametrize("question", OF_NEITHER)
def test_a_question_that_holds_for_everybody_is_not_bound(question):
    assert bound(question) is None

"""Who does it to whom, and how much of what: pairs in the very same words that ask for different things, and their
rewordings that do not. People's pairs hold next to none of them."""

import random
from collections.abc import Iterator

# verb, third person, participle; each goes between two people.
_VERBS = [
    line.split("/")
    for line in """approve/approves/approved
pay/pays/paid
call/calls/called
email/emails/emailed
replace/replaces/replaced
invite/invites/invited
refund/refunds/refunded
insure/insures/insured
hire/hires/hired
train/trains/trained
visit/visits/visited
supervise/supervises/supervised
invoice/invoices/invoiced
notify/notifies/notified
support/supports/supported
evaluate/evaluates/evaluated
contact/contacts/contacted
fine/fines/fined
assist/assists/assisted
recommend/recommends/recommended
report to/reports to/reported to
sell to/sells to/sold to
rent from/rents from/rented from
answer to/answers to/answered to
deliver to/delivers to/delivered to
complain about/complains about/complained about
borrow from/borrows from/borrowed from
lend to/lends to/lent to""".splitlines()
]
_ROLES = """manager/employee landlord/tenant buyer/seller sender/receiver teacher/student doctor/patient
customer/supplier parent/child host/guest agency/candidate bank/client nurse/resident driver/passenger editor/author
mentor/trainee owner/neighbour department/contractor insurer/garage shop/courier school/parent""".split()
_NAMES = "Anna Tom Priya Youssef Marek Sofie Chen Olga Bram Fatima Luca Ingrid".split()
_BETWEEN = [
    ("Does the {a} {v} the {b}?", "Is the {b} {p} by the {a}?"),
    ("Can a {a} {v} a {b}?", "May a {b} be {p} by a {a}?"),
    ("Must the {a} {v} the {b}?", "Does the {b} have to be {p} by the {a}?"),
    ("When does the {a} {v} the {b}?", "At what time is the {b} {p} by the {a}?"),
    ("Why would a {a} {v} a {b}?", "For what reason would a {b} be {p} by a {a}?"),
    ("How often should the {a} {v} the {b}?", "How often should the {b} be {p} by the {a}?"),
    ("What does it cost when the {a} {t} the {b}?", "What are the costs if the {b} is {p} by the {a}?"),
]
_MEASURES = """Is the discount {}?|Does the fee go up by {}?|Can I get {} off?|May the price rise by {}?
Is the deposit {}?|Is the tip {}?|Can I save {} a month?|Is my contribution {}?|Will I get {} back?
Is a raise of {} possible?|Is {} of the budget enough?|Do I lose {} when I cancel?""".replace("\n", "|").split("|")
_UNITS = (("{}%", ("{} percent", "{} per cent")), ("{} euros", ("€{}", "{} EUR")), ("{} dollars", ("${}",)), ("{}", ()))
_WAYS = ("{}", "Hi, {}", "{} Thanks", "Quick question: {}", "Please tell me: {}")


def pairs(count: int, chance: random.Random) -> Iterator[tuple[str, str, int]]:
    """(question, other, 1 where both ask the same); about as many of the one as of the other."""
    for _ in range(count):
        draw = chance.random()
        made = _of_who(chance) if draw < 0.35 else _of_roles(chance) if draw < 0.75 else _of_measures(chance)
        a, b, same = made
        if chance.random() < 0.3:
            b = chance.choice(_WAYS).format(b)
        yield (a, b, same) if chance.random() < 0.5 else (b, a, same)


def _of_who(chance: random.Random) -> tuple[str, str, int]:
    verb, third, participle = chance.choice(_VERBS)
    name = chance.choice(_NAMES)
    does, suffers = f"Who {third} {name}?", f"Who does {name} {verb}?"
    if chance.random() < 0.5:
        return does, suffers, 0
    if chance.random() < 0.5:
        return does, chance.choice([f"By whom is {name} {participle}?", f"Which person {third} {name}?"]), 1
    return suffers, chance.choice([f"Which person does {name} {verb}?", f"{name} {third} whom?"]), 1


def _of_roles(chance: random.Random) -> tuple[str, str, int]:
    verb, third, participle = chance.choice(_VERBS)
    a, b = chance.choice(_ROLES).split("/")
    active, passive = chance.choice(_BETWEEN)
    one = active.format(a=a, b=b, v=verb, t=third, p=participle)
    if chance.random() < 0.5:
        other = active if chance.random() < 0.6 else passive
        return one, other.format(a=b, b=a, v=verb, t=third, p=participle), 0
    return one, passive.format(a=a, b=b, v=verb, t=third, p=participle), 1


def _of_measures(chance: random.Random) -> tuple[str, str, int]:
    frame, number = chance.choice(_MEASURES), chance.choice([5, 10, 12, 15, 20, 25, 30, 40, 50, 75])
    (unit, others), (else_, _) = chance.sample(_UNITS, 2)
    one = frame.format(unit.format(number))
    if others and chance.random() < 0.5:
        return one, frame.format(chance.choice(others).format(number)), 1
    return one, frame.format(else_.format(number)), 0

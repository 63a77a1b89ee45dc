"""A grid of a company's everyday questions: things, what is done with them, what is asked of them.

Two wordings of one cell ask the same; two cells ask different things however alike they read ("reset my password",
"change my password", "reset my PIN"). People's question pairs hold few of these, and a helpdesk little else.
"""

import random
from collections.abc import Iterator

# thing: actions that fit it; "/" parts words for one action or thing.
_ACTIONS = {
    "my password": "reset|change/update|share",
    "my PIN": "reset|change/update",
    "my email signature": "change/edit|remove/delete",
    "my bank account details": "change/update|check/verify",
    "my home address": "change/update|hide",
    "my tax withholding": "change/adjust|check",
    "my direct deposit": "set up|cancel/stop|split",
    "my payslip/my pay stub": "download|print|read/understand|correct",
    "annual leave/vacation days/time off": "request/apply for|cancel|carry over|sell|buy",
    "sick leave": "report/call in|extend|document",
    "parental leave/maternity leave": "request/apply for|shorten|extend",
    "an expense report/an expense claim": "submit/file/hand in|cancel/withdraw|approve|correct/fix",
    "a business trip": "book|cancel|approve|extend",
    "a flight": "book|cancel|change/rebook|upgrade",
    "a hotel": "book/reserve|cancel|pay for",
    "a rental car": "book/reserve|return|insure",
    "a company car": "order/get|return|refuel",
    "the VPN": "install/set up|connect to|disconnect from|uninstall/remove",
    "the office wifi": "connect to|report a problem with",
    "a printer": "install/add|remove/uninstall|refill",
    "a new laptop/a new computer": "order/request|set up|return",
    "a monitor": "order/request|return|connect",
    "a software licence/a software license": "request/order|renew|cancel|transfer",
    "two-factor authentication/2FA/MFA": "enable/turn on/activate|disable/turn off/deactivate|reset",
    "a shared mailbox": "create/request|delete|get access to/open",
    "a mailing list/a distribution list": "create|delete|join|leave/unsubscribe from",
    "an out of office reply/an automatic reply": "set up/turn on|turn off/disable",
    "a meeting room/a conference room": "book/reserve|cancel|find",
    "a meeting": "schedule/plan|cancel|record|move/reschedule",
    "a shared folder": "create|delete|get access to|restore",
    "a deleted file/a lost file": "restore/recover|permanently erase",
    "my access badge/my key card": "replace|activate|return|extend",
    "a visitor": "register/sign in|invite",
    "a parking space/a parking spot": "book/reserve|give up/cancel",
    "a support ticket/an IT ticket": "open/create/submit|close|reopen|escalate",
    "a phishing email/a suspicious email": "report|recognise/spot",
    "a security incident": "report|investigate",
    "a training course": "sign up for/enrol in|cancel|get reimbursed for",
    "health insurance/medical insurance": "enrol in/sign up for|cancel/opt out of|change",
    "the pension plan": "join/enrol in|leave/opt out of|raise my contribution to|lower my contribution to",
    "a colleague/a coworker": "refer/recommend|thank|report",
    "a purchase order": "create/raise|approve|cancel",
    "an invoice": "pay|send/issue|dispute|approve",
    "an order": "place|cancel|track|return/send back",
    "a refund": "request/ask for|issue",
    "my subscription": "cancel/end|renew|upgrade|downgrade|pause",
    "my account": "open/create|close/delete|lock|unlock|merge",
    "my credit card": "activate|block/freeze|unblock/unfreeze|replace",
    "a payment": "make|cancel/stop|track|dispute",
    "a contract": "sign|extend/renew|end/terminate",
    "overtime": "claim/register|approve|refuse",
    "my timesheet/my time sheet": "submit/fill in|correct/edit|approve",
}
_DO = """How do I {}?|How can I {}?|How to {}|What is the procedure to {}?|What do I have to do to {}?
I want to {}, how does that work?
What steps do I take to {}?|Can you explain how to {}?|I need to {}. How?|What's the best way to {}?
how do you {}
Please help me {}|Where do I go to {}?""".replace("\n", "|").split("|")
_ASK = {
    "may": "Can I {}?|Am I allowed to {}?|Is it possible to {}?|May I {}?|Is it allowed to {}?",
    "must": "Do I have to {}?|Must I {}?|Do I need to {}?|Am I required to {}?|Is it mandatory to {}?",
    "when": "When can I {}?|At what time can I {}?|When is it possible to {}?",
    "where": "Where can I {}?|In which place can I {}?|Where do I {}?",
    "cost": "How much does it cost to {}?|What does it cost to {}?|What is the price to {}?",
    "duration": "How long does it take to {}?|How much time does it take to {}?|How many days does it take to {}?",
    "who": "Who can {}?|Who is allowed to {}?|Which people may {}?",
    "contact": "Who do I contact to {}?|Whom should I call to {}?|Which person helps me to {}?",
    "deadline": "What is the deadline to {}?|By when must I {}?|Until when can I {}?",
    "why": "Why should I {}?|What is the reason to {}?|For what reason would I {}?",
    "why not": "Why can't I {}?|Why am I not able to {}?|What stops me from being able to {}?",
}
_AMOUNTS = {
    "limit": "What is the limit for {}?|What is the maximum for {}?|How high is the limit for {}?",
    "count": "How many {} do I get?|How many {} am I entitled to?|What number of {} do I receive?",
    "rate": "What is the rate for {}?|How much is paid for {}?|What do we pay for {}?",
    "form": "Which form do I use for {}?|What form is needed for {}?|Is there a form for {}?",
    "approver": "Who approves {}?|Who has to approve {}?|Whose approval is needed for {}?",
    "policy": "What is the policy on {}?|What are the rules for {}?|What rules apply to {}?",
    "eligible": "Who is eligible for {}?|Who can get {}?|Who qualifies for {}?",
    "expiry": "When do {} expire?|What is the expiry date of {}?|How long are {} valid?",
}
_MATTERS = """vacation days|sick days|overtime hours|meal expenses|mileage|hotel stays|train tickets
gift cards|stock options
home office equipment|company phones|parking permits|study days|training budget|bonuses|travel advances
guest passes
software licences|laptops|unpaid leave|relocation costs|childcare|gym memberships|lease cars|working from abroad
part-time work|second jobs|client dinners|taxi rides|business class flights|purchases|discounts
warranty claims|returns
password changes|backups|remote access|USB sticks|personal devices|visitors""".replace("\n", "|").split("|")


def _cells() -> dict[tuple[str, str], list[str]]:
    """(matter, what is asked of it) -> wordings."""
    cells: dict[tuple[str, str], list[str]] = {}
    for things, actions in _ACTIONS.items():
        names = things.split("/")
        for action in actions.split("|"):
            doings = [f"{verb} {name}" for verb in action.split("/") for name in names]
            cells[names[0], f"do {action}"] = [frame.format(doing) for doing in doings for frame in _DO]
            for asked, frames in _ASK.items():
                cells[names[0], f"{asked} {action}"] = [f.format(doing) for doing in doings for f in frames.split("|")]
    for matter in _MATTERS:
        for asked, frames in _AMOUNTS.items():
            cells[matter, asked] = [frame.format(matter) for frame in frames.split("|")]
    return cells


def pairs(count: int, chance: random.Random) -> Iterator[tuple[str, str, int]]:
    """count pairs (a, b, 1 where they ask the same), half of each."""
    cells = _cells()
    keys = list(cells)
    by_matter: dict[str, list[tuple[str, str]]] = {}
    by_asked: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        by_matter.setdefault(key[0], []).append(key)
        by_asked.setdefault(key[1].split(" ")[0] + key[1].split(" ")[-1], []).append(key)
    for n in range(count):
        key = chance.choice(keys)
        if n % 2:
            a, b = chance.sample(cells[key], 2)
            yield a, b, 1
            continue
        alike = by_matter[key[0]] if chance.random() < 0.7 else by_asked[key[1].split(" ")[0] + key[1].split(" ")[-1]]
        others = [k for k in alike if k != key] or keys
        other = chance.choice(others)
        if other != key:
            yield chance.choice(cells[key]), chance.choice(cells[other]), 0

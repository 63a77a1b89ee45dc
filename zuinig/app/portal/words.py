"""What the portal says, in English and Dutch."""

import re

from zuinig.app.portal.audit_words import WORDS as _OF_AUDIT
from zuinig.app.portal.people_words import WORDS as _OF_PEOPLE
from zuinig.core.errors import ZuinigError

LANGUAGES = ("en", "nl")

_WORDS: dict[str, tuple[str, str]] = {
    # Around
    "ask": ("Ask", "Vragen"),
    "documents": ("Documents", "Documenten"),
    "savings": ("Savings", "Besparing"),
    "memory": ("Memory", "Geheugen"),
    "review": ("Review", "Nakijken"),
    "n_waiting": ("waiting", "wachtend"),
    "feedback": ("Feedback", "Reacties"),
    "sign_in": ("Sign in", "Inloggen"),
    "sign_out": ("Sign out", "Uitloggen"),
    "skip": ("To the content", "Naar de inhoud"),
    "menu": ("Pages", "Pagina's"),
    "api_key": ("API key", "API-sleutel"),
    "sign_in_help": (
        "Open the link that the service printed at its start, or paste an API key.",
        "Open de link die de dienst bij het starten toonde, of plak een API-sleutel.",
    ),
    "sign_in_with_key": ("Sign in with an API key", "Inloggen met een API-sleutel"),
    "sign_in_by": ("Sign in by", "Inloggen met"),
    "user_name": ("Name", "Naam"),
    "password": ("Password", "Wachtwoord"),
    "wrong_password": ("Name or password is wrong.", "Naam of wachtwoord klopt niet."),
    "locked": (
        "There were too many wrong passwords. Wait a while, then try again.",
        "Er zijn te veel verkeerde wachtwoorden ingevuld. Wacht even en probeer het dan opnieuw.",
    ),
    "account_closed": _OF_PEOPLE["error_account_closed"],
    "withheld": (
        "This answer rests on a document that you may no longer read.",
        "Dit antwoord berust op een document dat u niet meer mag lezen.",
    ),
    "wrong_key": ("This key is not valid.", "Deze sleutel is niet geldig."),
    "used_link": (
        "This sign-in link was used already or has expired; `zuinig keys sign-in` prints a new one.",
        "Deze inloglink is al gebruikt of verlopen; `zuinig keys sign-in` toont een nieuwe.",
    ),
    "failed_request": ("That did not work", "Dat lukte niet"),
    "no_connection": (
        "The service cannot be reached. Check the connection and try again.",
        "De dienst is niet bereikbaar. Controleer de verbinding en probeer het opnieuw.",
    ),
    "no_answer": (
        "The connection broke off before the answer was complete. Ask again.",
        "De verbinding brak af voordat het antwoord compleet was. Vraag het opnieuw.",
    ),
    # After a moment: by the code of the error.
    "rate_limit_exceeded": (
        "That was too much in a short time. Wait {s} s and try again.",
        "Dat was te veel in korte tijd. Wacht {s} s en probeer het opnieuw.",
    ),
    "overloaded": (
        "Too many questions are waiting just now. Ask again in {s} s.",
        "Er wachten nu te veel vragen. Stel je vraag over {s} s opnieuw.",
    ),
    "error_content_too_large": (
        "That is more than can be sent at once. Send less.",
        "Dat is meer dan er in één keer kan worden verstuurd. Verstuur minder.",
    ),
    # By the status, where no page said more.
    "status_404": ("There is nothing at this address.", "Op dit adres staat niets."),
    "status_405": (
        "This address does not take what was sent to it.",
        "Dit adres neemt niet aan wat ernaar is gestuurd.",
    ),
    "status_408": (
        "The request came too slowly and was given up. Send it again.",
        "Het verzoek kwam te langzaam en is afgebroken. Verstuur het opnieuw.",
    ),
    "status_422": (
        "Something in this address, or in the form that was sent, is not valid.",
        "Iets in dit adres, of in het formulier dat is verstuurd, is niet geldig.",
    ),
    "status_500": (
        "Zuinig failed on this page. Its log says why.",
        "Zuinig kon deze pagina niet maken. Het logboek van de dienst zegt waarom.",
    ),
    "problem": ("This page cannot be shown", "Deze pagina kan niet worden getoond"),
    "back": ("Back to your questions", "Terug naar je vragen"),
    # Asking
    "your_question": ("Your question", "Je vraag"),
    "send_question": ("Ask", "Vraag"),
    "welcome": ("What would you like to know?", "Wat wil je weten?"),
    "welcome_help": (
        "Answers come from your documents. Each shows where it stands, what it cost and what it saved.",
        "Antwoorden komen uit je documenten. Bij elk staat waar het staat, wat het kostte en wat het bespaarde.",
    ),
    "no_documents": (
        "There are no documents to answer from yet.",
        "Er zijn nog geen documenten om uit te antwoorden.",
    ),
    "add_documents": ("Add documents", "Voeg documenten toe"),
    "new_conversation": ("New conversation", "Nieuw gesprek"),
    "thinking": ("Looking it up…", "Wordt opgezocht…"),
    "from_memory": ("From memory, first answered on", "Uit het geheugen, voor het eerst beantwoord op"),
    "from_memory_gone": ("From memory", "Uit het geheugen"),
    "from_specialist": ("Quoted from your documents", "Geciteerd uit je documenten"),
    "from_llm": ("LLM", "LLM"),
    "from_none": ("No sure answer", "Geen zeker antwoord"),
    "checked_by": ("checked by", "nagekeken door"),
    "tokens_spent": ("tokens spent", "tokens verbruikt"),
    "tokens_spent_one": ("token spent", "token verbruikt"),
    "tokens_saved": ("saved", "bespaard"),
    "sources": ("Sources", "Bronnen"),
    "page": ("page", "pagina"),
    # Feedback
    "good": ("Good answer", "Goed antwoord"),
    "bad": ("Wrong answer", "Fout antwoord"),
    "thanks_up": (
        "Thank you. Your verdict is kept with the answer.",
        "Dank je wel. Je oordeel wordt bij het antwoord bewaard.",
    ),
    "thanks_down": (
        "Thank you. This answer is no longer given from memory, unless a person had checked it.",
        "Dank je wel. Dit antwoord wordt niet meer uit het geheugen gegeven, tenzij iemand het had nagekeken.",
    ),
    "should_have": ("What should it have said?", "Wat had het moeten zijn?"),
    "send": ("Send", "Verstuur"),
    "thanks_correction": (
        "Thank you. Your correction is kept with the question, for whoever looks after the answers here.",
        "Dank je wel. Je verbetering wordt bij de vraag bewaard, voor wie hier over de antwoorden gaat.",
    ),
    "feedback_help": (
        "What readers said of answers, newest first. The last hundred are shown.",
        "Wat lezers van antwoorden vonden, de nieuwste eerst. De laatste honderd worden getoond.",
    ),
    "no_feedback": (
        "No feedback yet. Readers give it with the buttons under an answer.",
        "Nog geen reacties. Lezers geven ze met de knoppen onder een antwoord.",
    ),
    "question": ("Question", "Vraag"),
    "answer": ("Answer", "Antwoord"),
    "correction": ("What it should have said", "Wat het had moeten zijn"),
    "verdict": ("Verdict", "Oordeel"),
    "when": ("When", "Wanneer"),
    # Uploading
    "drop": ("Drop files or folders here", "Sleep bestanden of mappen hierheen"),
    "drop_help": (
        "PDF, Word, Excel, PowerPoint, mail, web pages, Markdown, text and more.",
        "PDF, Word, Excel, PowerPoint, e-mail, webpagina's, Markdown, tekst en meer.",
    ),
    "choose_files": ("Choose files", "Kies bestanden"),
    "choose_folder": ("Choose a folder", "Kies een map"),
    "collection": ("Collection", "Collectie"),
    "sending": ("Sending", "Versturen"),
    "try_again": ("Try again", "Probeer opnieuw"),
    "tally": ("{done} of {total} done", "{done} van {total} klaar"),
    "tally_failed": ("{n} failed", "{n} mislukt"),
    "tally_cancelled": ("{n} cancelled", "{n} gestopt"),
    "cancel_rest": ("Cancel the rest", "Stop de rest"),
    "refused": ("Not accepted", "Niet geaccepteerd"),
    "unreadable": ("The browser could not read this file.", "De browser kon dit bestand niet lezen."),
    # The list
    "under_way": ("Under way: {n}", "Onderweg: {n}"),
    "all": ("All", "Alle"),
    "none_yet": (
        "No documents yet. Drop some above; questions are answered from them.",
        "Nog geen documenten. Sleep ze hierboven; vragen worden eruit beantwoord.",
    ),
    "none_readable": ("No documents yet.", "Nog geen documenten."),
    "none_such": ("No documents here.", "Hier staan geen documenten."),
    "file": ("File", "Bestand"),
    "state": ("State", "Stand"),
    "passages": ("{n} passages", "{n} passages"),
    "passages_one": ("{n} passage", "{n} passage"),
    "actions": ("Actions", "Acties"),
    "queued": ("waiting", "wacht"),
    "parsing": ("reading", "lezen"),
    "embedding": ("indexing", "indexeren"),
    "ready": ("ready", "klaar"),
    "failed": ("failed", "mislukt"),
    "cancelled": ("cancelled", "gestopt"),
    "still_answers": ("Version {n} still answers.", "Versie {n} antwoordt nog."),
    "replace": ("Replace", "Vervang"),
    "delete": ("Delete", "Verwijder"),
    "download": ("Download", "Download"),
    "cancel": ("Cancel", "Stop"),
    "retry": ("Retry", "Opnieuw"),
    "sure": ("Delete this document? {name}", "Dit document verwijderen? {name}"),
    "newest": ("Newest", "Nieuwste"),
    "older": ("Older", "Oudere"),
    "version": ("version", "versie"),
    "text_goes_on": ("The text goes on.", "De tekst gaat verder."),
    "changed_since": (
        "This document has changed since that answer, so the cited passage is not marked.",
        "Dit document is sinds dat antwoord veranderd; daarom is de aangehaalde passage niet gemarkeerd.",
    ),
    "no_text": (
        "There is no text to show: this document has not been read.",
        "Er is geen tekst om te tonen: dit document is niet gelezen.",
    ),
    # What is suspicious in a document
    "flagged_n": ("Speaks to a language model? Look at: {n}", "Spreekt tot een taalmodel? Kijk na: {n}"),
    "only_flagged": ("to look at", "na te kijken"),
    "flagged_help": (
        "Something in this document seems to tell a language model what to do. It is not shown to one, and an answer "
        "that rests on such a passage is remembered only once somebody has approved it. Replace or delete the "
        "document if you do not trust it.",
        "Iets in dit document lijkt een taalmodel te vertellen wat het moet doen. Een taalmodel krijgt dat niet te "
        "zien, en een antwoord dat op zo'n passage rust wordt pas onthouden als iemand het goedkeurt. Vervang of "
        "verwijder het document als je het niet vertrouwt.",
    ),
    "suspicious": (
        "Passages that speak to a language model: {passages}. Text that a reader does not see: {hidden}.",
        "Passages die tot een taalmodel spreken: {passages}. Tekst die een lezer niet ziet: {hidden}.",
    ),
    "flag_instruction": ("Seems to speak to a language model", "Lijkt tot een taalmodel te spreken"),
    "flag_heading": (
        "a title above it seems to speak to a language model",
        "een titel erboven lijkt tot een taalmodel te spreken",
    ),
    "page_n": ("page {n}", "pagina {n}"),
    "hidden_comment": ("Comment", "Commentaar"),
    "hidden_style": ("Not shown", "Niet getoond"),
    "hidden_colour": ("In the colour of the paper", "In de kleur van het papier"),
    "hidden_tiny": ("Too small to see", "Te klein om te zien"),
    "hidden_property": ("Marked as hidden text", "Gemarkeerd als verborgen tekst"),
    "hidden_characters": ("In characters that are not shown", "In tekens die niet worden getoond"),
    "hidden_left_out": ("This was left out.", "Dit is weggelaten."),
    # The memory: its list
    "memory_help": (
        "Questions that were answered before. A repeat is answered from here, without spending tokens.",
        "Vragen die al eens zijn beantwoord. Een herhaling wordt hieruit beantwoord, zonder tokens te verbruiken.",
    ),
    "no_memories": (
        "Nothing is remembered yet. An answer comes to stand here once it was given, written or imported.",
        "Er is nog niets onthouden. Een antwoord komt hier te staan als het is gegeven, geschreven of geïmporteerd.",
    ),
    "no_memories_such": ("Nothing in memory fits this.", "Niets in het geheugen past hierbij."),
    "search_memory": ("Search questions and answers", "Zoek in vragen en antwoorden"),
    "search": ("Search", "Zoek"),
    "origin": ("Origin", "Herkomst"),
    "verified": ("Checked", "Nagekeken"),
    "verified_yes": ("checked by a person", "door iemand nagekeken"),
    "verified_no": ("not checked", "niet nagekeken"),
    "waits_for_a_look": ("waits for a look", "wacht op nakijken"),
    "used": ("Times used", "Keer gebruikt"),
    "status_live": ("in service", "in gebruik"),
    "status_stale": ("out of date", "verouderd"),
    "status_expired": ("expired", "verlopen"),
    "status_held": ("doubted", "betwijfeld"),
    "status_retired": ("out of service", "buiten gebruik"),
    "status_rejected": ("rejected", "afgekeurd"),
    "origin_specialist": ("quoted from documents", "geciteerd uit documenten"),
    "origin_llm": ("made by an LLM", "gemaakt door een LLM"),
    "origin_import": ("imported", "geïmporteerd"),
    "origin_human": ("written by a person", "door iemand geschreven"),
    "write_memory": ("Write an answer", "Schrijf een antwoord"),
    "write_help": (
        "It is in service at once, as checked by you, and goes before what the documents would answer.",
        "Het is meteen in gebruik, als door jou nagekeken, en gaat vóór wat de documenten zouden antwoorden.",
    ),
    "all_documents": ("all documents", "alle documenten"),
    "save": ("Save", "Bewaar"),
    "import": ("Import", "Importeer"),
    "import_help": (
        "A CSV file with the columns question and answer, and perhaps id and collection; or JSON lines of the same. "
        "First you see what would change.",
        "Een CSV-bestand met de kolommen question en answer, en eventueel id en collection; of JSON-regels daarvan. "
        "Eerst zie je wat er zou veranderen.",
    ),
    "choose_file": ("Choose a file", "Kies een bestand"),
    "checking": ("Checking…", "Wordt nagegaan…"),
    "import_would": (
        "{n} lines: {added} new, {updated} changed, {unchanged} unchanged.",
        "{n} regels: {added} nieuw, {updated} gewijzigd, {unchanged} ongewijzigd.",
    ),
    "import_would_one": (
        "{n} line: {added} new, {updated} changed, {unchanged} unchanged.",
        "{n} regel: {added} nieuw, {updated} gewijzigd, {unchanged} ongewijzigd.",
    ),
    "import_done": (
        "Imported: {added} new, {updated} changed, {unchanged} unchanged.",
        "Geïmporteerd: {added} nieuw, {updated} gewijzigd, {unchanged} ongewijzigd.",
    ),
    "import_broken": (
        "The import broke off. Import the file again: what is in already stays as it is.",
        "Het importeren brak af. Importeer het bestand opnieuw: wat er al staat, blijft zoals het is.",
    ),
    "conflicts": ("Look at these first", "Kijk hier eerst naar"),
    "conflicts_more": ("And {n} more.", "En nog {n}."),
    "number": ("Line", "Regel"),
    "clash_answer": ("Takes the place of another answer", "Komt in de plaats van een ander antwoord"),
    "clash_twice": ("Stands in the file twice; the last counts", "Staat twee keer in het bestand; de laatste telt"),
    "clash_revived": (
        "Was taken out of service, and would be back",
        "Was buiten gebruik gesteld, en zou terugkomen",
    ),
    "stands": ("Stands there now", "Staat er nu"),
    "would_be": ("In the file", "In het bestand"),
    "export": ("Export", "Exporteer"),
    "export_help": (
        "What people wrote or imported and is in service, as a file that can be imported.",
        "Wat mensen schreven of importeerden en in gebruik is, als een bestand dat te importeren is.",
    ),
    "json_lines": ("JSON lines", "JSON-regels"),
    # One memory
    "approve": ("Approve", "Keur goed"),
    "reject": ("Reject", "Keur af"),
    "edit": ("Edit", "Wijzig"),
    "retire": ("Take out of service", "Stel buiten gebruik"),
    "put_back": ("Put back into service", "Stel weer in gebruik"),
    "sure_memory": (
        "Delete this answer with its history? It cannot be brought back.",
        "Dit antwoord met zijn geschiedenis verwijderen? Dat is niet terug te draaien.",
    ),
    "edit_help": (
        "An answer that you change rests on you from then on, no longer on the documents.",
        "Een antwoord dat je wijzigt, rust voortaan op jou en niet meer op de documenten.",
    ),
    "reject_why": ("What is wrong with it (may be left empty)", "Wat er mis mee is (mag leeg blijven)"),
    "why_out": ("Why", "Waarom"),
    "why_review": ("Why it waits for a look", "Waarom het op nakijken wacht"),
    "provenance": ("Where it comes from", "Waar het vandaan komt"),
    "made_on": ("Made", "Gemaakt"),
    "made_by": ("By", "Door"),
    "asked_by": ("First asked by", "Het eerst gevraagd door"),
    "from_answer": ("Became of answer", "Ontstaan uit antwoord"),
    "external_id": ("Id in the import", "Id in de import"),
    "asked_of": ("Asked of", "Gevraagd aan"),
    "changed_on": ("Last changed", "Laatst gewijzigd"),
    "not_yet": ("nobody yet", "nog niemand"),
    "dates": ("Dates", "Data"),
    "dates_help": ("Days in UTC; empty for never.", "Dagen in UTC; leeg voor nooit."),
    "expires_at": ("No longer used from", "Niet meer gebruiken vanaf"),
    "review_at": ("Look at it again on", "Opnieuw nakijken op"),
    "wordings": ("Also asked as", "Ook gevraagd als"),
    "wordings_none": ("No other wordings.", "Geen andere bewoordingen."),
    "differs": ("Not this question", "Niet deze vraag"),
    "differs_help": (
        "Questions that look like it and need another answer; they are never answered with this one.",
        "Vragen die erop lijken en een ander antwoord nodig hebben; ze krijgen dit antwoord nooit.",
    ),
    "differs_none": ("None.", "Geen."),
    "another_wording": ("Another way to ask it", "Een andere manier om het te vragen"),
    "another_question": ("A question that is not this one", "Een vraag die niet deze is"),
    "add": ("Add", "Voeg toe"),
    "remove": ("Remove", "Haal weg"),
    "history": ("History", "Geschiedenis"),
    "service": ("Zuinig itself", "Zuinig zelf"),
    "merge": ("Merge into another", "Voeg samen met een ander"),
    "merge_help": (
        "The other takes over this question and its wordings; this one goes out of service.",
        "De andere neemt deze vraag en haar bewoordingen over; deze gaat buiten gebruik.",
    ),
    "merge_into": ("Merge into this one", "Voeg hiermee samen"),
    "no_others": ("No other answer in service fits.", "Geen ander antwoord in gebruik past."),
    "done_edit": ("Saved: in service, as checked by you.", "Bewaard: in gebruik, als door jou nagekeken."),
    "done_approve": ("Approved: in service, as checked by you.", "Goedgekeurd: in gebruik, als door jou nagekeken."),
    "done_rejected": (
        "Rejected: out of service, and not learnt again.",
        "Afgekeurd: buiten gebruik, en het wordt niet opnieuw geleerd.",
    ),
    "done_dropped": ("Dropped: it does not come back.", "Weggelegd: het komt niet terug."),
    "done_retired": ("Taken out of service.", "Buiten gebruik gesteld."),
    "done_live": ("Back in service.", "Weer in gebruik."),
    "done_schedule": ("The dates are saved.", "De data zijn bewaard."),
    "done_wording": ("Added: this finds the answer from now on.", "Toegevoegd: hiermee wordt het antwoord gevonden."),
    "done_differs": ("Added: this is not answered so any more.", "Toegevoegd: dit wordt niet meer zo beantwoord."),
    "done_unwording": ("Removed.", "Weggehaald."),
    "did_made": ("Made", "Gemaakt"),
    "did_edit": ("Edited", "Gewijzigd"),
    "did_approve": ("Approved", "Goedgekeurd"),
    "did_rejected": ("Rejected", "Afgekeurd"),
    "did_retired": ("Taken out of service", "Buiten gebruik gesteld"),
    "did_live": ("Put back into service", "Weer in gebruik gesteld"),
    "did_stale": ("Out of date", "Verouderd"),
    "did_held": ("Held back", "Opgehouden"),
    "did_review": ("Put up for review", "Voorgelegd om na te kijken"),
    "did_merge": ("Took over another", "Nam een ander over"),
    "did_wording": ("Wording added", "Bewoording toegevoegd"),
    "did_differs": ("Counter-example added", "Tegenvoorbeeld toegevoegd"),
    "did_unwording": ("Wording removed", "Bewoording weggehaald"),
    "did_schedule": ("Dates set", "Data gezet"),
    "did_import": ("Imported anew", "Opnieuw geïmporteerd"),
    # The review queue
    "review_help": (
        "What you approve is in service at once, as checked by you.",
        "Wat je goedkeurt is meteen in gebruik, als door jou nagekeken.",
    ),
    "gather": ("Gather anew", "Verzamel opnieuw"),
    "gathering": ("Gathering…", "Verzamelen…"),
    "gathered": ("Gathered.", "Verzameld."),
    "gathered_every": (
        "Often asked questions and gaps are gathered every {n:g} minutes, out of the last 90 days.",
        "Veelgestelde vragen en hiaten worden elke {n:g} minuten verzameld, uit de laatste 90 dagen.",
    ),
    "gathered_every_one": (
        "Often asked questions and gaps are gathered every minute, out of the last 90 days.",
        "Veelgestelde vragen en hiaten worden elke minuut verzameld, uit de laatste 90 dagen.",
    ),
    "gathered_by_hand": (
        "Often asked questions and gaps are gathered by the button, out of the last 90 days.",
        "Veelgestelde vragen en hiaten worden met de knop verzameld, uit de laatste 90 dagen.",
    ),
    "to_look_at": ("Answers to look at", "Antwoorden om na te kijken"),
    "to_look_at_none": (
        "Nothing waits. An answer comes here when a reader calls it wrong, when a document it rests on changes after "
        "a person had checked it, when two answers contradict each other, or on its review date.",
        "Er wacht niets. Een antwoord komt hier als een lezer het fout noemt, als een document waarop het rust "
        "verandert nadat iemand het had nagekeken, als twee antwoorden elkaar tegenspreken, of op zijn nakijkdatum.",
    ),
    "corrections": ("Corrections by readers", "Verbeteringen van lezers"),
    "corrections_none": (
        "No corrections. A reader can send one after calling an answer wrong.",
        "Geen verbeteringen. Een lezer kan er een sturen na een antwoord fout te noemen.",
    ),
    "frequent": ("Asked often and answered well", "Vaak gevraagd en goed beantwoord"),
    "frequent_none": (
        "Nothing yet. A question comes here once it was asked three times and nobody called the answer wrong.",
        "Nog niets. Een vraag komt hier als ze drie keer is gesteld en niemand het antwoord fout noemde.",
    ),
    "gaps": ("Not covered by the documents", "Niet beschreven in de documenten"),
    "gaps_none": (
        "Nothing is missing. A question comes here when the documents do not answer it.",
        "Er ontbreekt niets. Een vraag komt hier als de documenten haar niet beantwoorden.",
    ),
    "was_answered": ("Was answered", "Werd geantwoord"),
    "should_be": ("The reader says", "De lezer zegt"),
    "asked_times": ("asked {n} times", "{n} keer gevraagd"),
    "asked_times_one": ("asked once", "één keer gevraagd"),
    "by_askers": ("by {n} people", "door {n} mensen"),
    "by_askers_one": ("by one person", "door één persoon"),
    "last_asked": ("last on", "het laatst op"),
    "edit_first": ("Edit first", "Wijzig eerst"),
    "not_needed": ("Not needed", "Niet nodig"),
    "write_here": ("Write the answer", "Schrijf het antwoord"),
    "save_answer": ("Save the answer", "Bewaar het antwoord"),
    "the_rest": (
        "{n} of {total} are shown; the rest follows as you decide and reload.",
        "{n} van {total} worden getoond; de rest volgt als je beslist en herlaadt.",
    ),
    # Savings
    "group_by": ("Grouped by", "Gegroepeerd per"),
    "by_source": ("By source", "Per bron"),
    "by_day": ("By day (UTC)", "Per dag (UTC)"),
    "by_collection": ("By collection", "Per collectie"),
    "by_document": ("By document", "Per document"),
    "by_user": ("By user", "Per gebruiker"),
    "by_group": ("By group", "Per groep"),
    "by_key": ("By key", "Per sleutel"),
    "by_model": ("By model", "Per model"),
    "last_days": ("{n} days", "{n} dagen"),
    "all_time": ("All time", "Alles"),
    "period": ("Period", "Periode"),
    "questions": ("Questions", "Vragen"),
    "total": ("Total", "Totaal"),
    "free": ("Without an LLM", "Zonder LLM"),
    "spent": ("Tokens spent", "Tokens verbruikt"),
    "plain": ("Plain RAG", "Gewone RAG"),
    "saved": ("Tokens saved", "Tokens bespaard"),
    "for_no_answer": ("of it on questions without an answer", "daarvan op vragen zonder antwoord"),
    "money": ("Money saved", "Geld bespaard"),
    "median": ("Half within", "Helft binnen"),
    "p95": ("95 % within", "95 % binnen"),
    "wrong": ("Found wrong", "Fout bevonden"),
    "wrong_of": ("{wrong} of {n} judged", "{wrong} van {n} beoordeeld"),
    "at_most": ("at most", "hoogstens"),
    "chart": (
        "Tokens by day: {plain} with plain RAG, {spent} spent.",
        "Tokens per dag: {plain} met gewone RAG, {spent} verbruikt.",
    ),
    "counts_for_each_collection": (
        "A question that was asked of several collections counts for each of them.",
        "Een vraag die aan meer collecties is gesteld, telt voor elk daarvan.",
    ),
    "counts_for_each_document": (
        "A question whose answer cites several documents counts for each of them.",
        "Een vraag waarvan het antwoord meer documenten aanhaalt, telt voor elk daarvan.",
    ),
    "rows_shown": ("The first {n} are shown.", "De eerste {n} worden getoond."),
    "asked_of_all": ("asked of everything", "aan alles gevraagd"),
    "asked_of_none": ("nothing to read", "niets te lezen"),
    "none_document": ("no document cited", "geen document aangehaald"),
    "document_gone": ("a document that was deleted", "een verwijderd document"),
    "none_user": ("no user named", "geen gebruiker genoemd"),
    "none_group": ("no group named", "geen groep genoemd"),
    "none_model": ("no LLM asked", "geen LLM gevraagd"),
    "source_memory": ("memory", "geheugen"),
    "source_specialist": ("quoted", "geciteerd"),
    "source_llm": ("LLM", "LLM"),
    "source_none": ("no answer", "geen antwoord"),
    "no_answers": (
        "Nothing was asked in this period. Savings show once questions are answered.",
        "In deze periode is niets gevraagd. De besparing verschijnt zodra er vragen zijn beantwoord.",
    ),
    # Budgets
    "budgets": ("Budgets for language models", "Budgetten voor taalmodellen"),
    "no_budgets": (
        "There is no limit. `zuinig budgets set --per month --tokens 1000000` sets one.",
        "Er is geen limiet. `zuinig budgets set --per month --tokens 1000000` stelt er een in.",
    ),
    "budget_of": ("Of", "Van"),
    "limit": ("Limit", "Limiet"),
    "budget_spent": ("Used", "Verbruikt"),
    "begins_anew": ("Begins anew on", "Begint opnieuw op"),
    "tokens": ("tokens", "tokens"),
    "tokens_one": ("token", "token"),
    "subject_service": ("the whole service", "de hele dienst"),
    "subject_group": ("group", "groep"),
    "subject_user": ("user", "gebruiker"),
    "subject_key": ("key", "sleutel"),
    "per_day": ("per day", "per dag"),
    "per_month": ("per month", "per maand"),
    "budget_state_warning": ("nearly used up", "bijna op"),
    "budget_state_used": ("used up: answered without an LLM", "op: beantwoord zonder LLM"),
    "budget_used": (
        "The budget for language models is used up for now; this was answered without one.",
        "Het budget voor taalmodellen is voorlopig op; dit is zonder taalmodel beantwoord.",
    ),
    "not_read": (
        "There was no time to read all that was found: the documents may answer this all the same.",
        "Er was geen tijd om alles te lezen wat is gevonden: misschien staat het antwoord toch in de documenten.",
    ),
    "still_reading": (
        "Documents are still being read and were not taken into account; ask again in a while.",
        "Er worden nog documenten gelezen, en die telden niet mee; vraag het straks nog eens.",
    ),
    "budget_warning": (
        "More than 80 % of a budget for language models is used.",
        "Van een budget voor taalmodellen is meer dan 80 % verbruikt.",
    ),
    **_OF_AUDIT,
    **_OF_PEOPLE,
}

# Why a file was not read. The reasons of the service itself are in English, and say more.
_DUTCH_REASONS = {
    "cancelled": "Gestopt.",
    "corrupt": "Dit bestand is beschadigd of onvolledig. Open het in het programma waarmee het is gemaakt, "
    "sla het opnieuw op en upload die kopie.",
    "crashed": "Dit bestand liet het leesprogramma stoppen. Sla het opnieuw op, of als PDF, en upload die kopie.",
    "empty": "In dit bestand staat geen tekst. Controleer of het is opgeslagen; doe bij beelden eerst tekstherkenning.",
    "encrypted": "Dit bestand is beveiligd. Haal het wachtwoord eraf en upload het opnieuw.",
    "internal_error": "Zuinig kon dit bestand niet verwerken; het logboek van de dienst zegt waarom. "
    "Probeer het opnieuw.",
    "no_text_layer": "Deze pdf heeft geen tekstlaag. Doe eerst tekstherkenning (OCR) en upload het resultaat.",
    "out_of_memory": "Voor dit bestand was te veel geheugen nodig. Splits het in kleinere bestanden.",
    "timeout": "Het lezen van dit bestand duurde te lang. Splits het in kleinere bestanden.",
    "too_large": "Dit bestand is te groot. Splits het in kleinere bestanden.",
    "unsupported": "Dit soort bestand kan niet worden gelezen. Sla het op als PDF, Word of tekst en upload dat.",
}

# What the service says in several ways under one code: in English that sentence is shown.
_DUTCH_ERRORS = {
    "cross_origin": "Dit verzoek kwam van een andere site.",
    "forbidden": "Dat mag je hier niet; vraag een beheerder.",
    "not_found": "Dat is er niet, of niet meer.",
}

# What the service notes of memories. It is kept in English, with names in it.
_DUTCH_NOTES = [
    (re.compile(rf"^{english}", re.MULTILINE), dutch)
    for english, dutch in (
        (r"A reader called the answer wrong\.", "Een lezer noemde het antwoord fout."),
        (
            r"Een lezer noemde het antwoord fout\. It was verified by (.+), and stays in service\.$",
            r"Een lezer noemde het antwoord fout. \1 had het nagekeken; het blijft in gebruik.",
        ),
        (
            r"It rests on a passage that seems to speak to a language model\.$",
            "Het rust op een passage die tot een taalmodel lijkt te spreken.",
        ),
        (r"The document (\w+) was deleted\.$", r"Het document \1 is verwijderd."),
        (
            r"The document (\w+) says something new on this; the next answer takes it into account\.$",
            r"Het document \1 zegt hier iets nieuws over; het volgende antwoord houdt er rekening mee.",
        ),
        (r"The document (\w+) says something new on this\.$", r"Het document \1 zegt hier iets nieuws over."),
        (
            r"The document (\w+) no longer says what this rests on\.$",
            r"Het document \1 zegt niet meer waar dit op rust.",
        ),
        (r"Answered anew as (\w+)\.$", r"Opnieuw beantwoord als \1."),
        (r"Found wrong by (.+)\.$", r"Fout bevonden door \1."),
        (r"Merged into (\w+) by (.+)\.$", r"Samengevoegd met \1 door \2."),
        (r"Taken out of service by (.+)\.$", r"Buiten gebruik gesteld door \1."),
        (r"(.+) asked for a review by now\.$", r"\1 wilde dat dit nu wordt nagekeken."),
        (
            r"(mem_\d+(?: and mem_\d+)*) answer the same question differently\.$",
            r"\1 beantwoorden dezelfde vraag verschillend.",
        ),
        (r"(mem_\d+) and (?=mem_)", r"\1 en "),
        (r"The question was: ", "De vraag was: "),
        (r"The answer was: ", "Het antwoord was: "),
        (r"expires (?=\d{4}-)", "niet meer gebruiken vanaf "),
        (r"(niet meer gebruiken vanaf \S+ )?review (?=\d{4}-)", r"\1nakijken op "),
    )
]


def translate(language: str, key: str) -> str:
    """Raises KeyError for a word that nobody wrote."""
    return _WORDS[key][LANGUAGES.index(language)]


def counted(language: str, key: str, n: float, **more: object) -> str:
    """What is said of n of something: the word of that key, or for one of it KEY_one."""
    return translate(language, f"{key}_one" if n == 1 else key).format(n=n, **more)


def named(language: str, group: str, name: str) -> str:
    """As `translate`, for what the service may know more of than the portal: that keeps its own name."""
    return translate(language, f"{group}_{name}") if f"{group}_{name}" in _WORDS else name


def tell(language: str, note: str | None) -> str:
    """What the service noted, in that language; what nobody translated stays as it is."""
    text = note or ""
    for english, dutch in _DUTCH_NOTES if language == "nl" else ():
        text = english.sub(dutch, text)
    return text


def reasons(language: str) -> dict[str, str]:
    """By the code of the error; a code that is not in it keeps the reason that the service gave."""
    return _DUTCH_REASONS if language == "nl" else {}


def told(language: str, error: ZuinigError) -> str:
    """What a page says of an error; what nobody translated stays as the service said it."""
    if error.retry_after_s is not None:
        return translate(language, error.code).format(s=error.retry_after_s)
    key = f"error_{error.code}"
    if key in _WORDS:
        return translate(language, key)
    return _DUTCH_ERRORS.get(error.code, error.message) if language == "nl" else error.message


def refused(language: str, status: int) -> str:
    """What a page says of a request that no page took, or that failed unforeseen."""
    key = f"status_{status}"
    return translate(language, key if key in _WORDS else "failed_request")

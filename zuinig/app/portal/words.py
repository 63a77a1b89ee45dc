"""What the portal says, in English and Dutch."""

LANGUAGES = ("en", "nl")

_WORDS: dict[str, tuple[str, str]] = {
    # Around
    "ask": ("Ask", "Vragen"),
    "documents": ("Documents", "Documenten"),
    "savings": ("Savings", "Besparing"),
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
    "from_none": ("Not covered", "Niet beschreven"),
    "checked_by": ("checked by", "nagekeken door"),
    "tokens_spent": ("tokens spent", "tokens verbruikt"),
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
    "passages": ("passages", "passages"),
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
    # Savings
    "by_day": ("By day (UTC)", "Per dag (UTC)"),
    "by_source": ("By source", "Per bron"),
    "last_days": ("{n} days", "{n} dagen"),
    "all_time": ("All time", "Alles"),
    "period": ("Period", "Periode"),
    "answers": ("Answers", "Antwoorden"),
    "free": ("Without an LLM", "Zonder LLM"),
    "spent": ("Tokens spent", "Tokens verbruikt"),
    "plain": ("Plain RAG", "Gewone RAG"),
    "saved": ("Tokens saved", "Tokens bespaard"),
    "money": ("Money saved", "Geld bespaard"),
    "median": ("Median time", "Mediaan"),
    "source_memory": ("memory", "geheugen"),
    "source_specialist": ("quoted", "geciteerd"),
    "source_llm": ("LLM", "LLM"),
    "source_none": ("not covered", "niet beschreven"),
    "no_answers": (
        "Nothing was asked in this period. Savings show once questions are answered.",
        "In deze periode is niets gevraagd. De besparing verschijnt zodra er vragen zijn beantwoord.",
    ),
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


def translate(language: str, key: str) -> str:
    """Raises KeyError for a word that nobody wrote."""
    return _WORDS[key][LANGUAGES.index(language)]


def reasons(language: str) -> dict[str, str]:
    """By the code of the error; a code that is not in it keeps the reason that the service gave."""
    return _DUTCH_REASONS if language == "nl" else {}

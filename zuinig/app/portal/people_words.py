"""What the portal says of people, groups, rights and accounts, in English and Dutch."""

WORDS: dict[str, tuple[str, str]] = {
    "people": ("People", "Mensen"),
    "groups": ("Groups", "Groepen"),
    "access": ("Access", "Toegang"),
    "account": ("Your account", "Je account"),
    "own_name": ("Name", "Naam"),
    "user": ("User", "Gebruiker"),
    "role": ("Role", "Rol"),
    "role_reader": ("reader", "lezer"),
    "role_curator": ("curator", "curator"),
    "role_admin": ("admin", "beheerder"),
    "role_help": (
        "A reader asks and reads what its groups may read. A curator also decides what is remembered, and reads "
        "everything. An admin may do all there is.",
        "Een lezer stelt vragen en leest wat zijn groepen mogen lezen. Een curator beslist ook wat wordt onthouden, en "
        "leest alles. Een beheerder mag alles wat er is.",
    ),
    # The list
    "people_help": (
        "Who signs in here by a name of their own. What they may read follows from their groups.",
        "Wie hier met een eigen naam inlogt. Wat iemand mag lezen, volgt uit zijn groepen.",
    ),
    "first_admin": ("Make the first admin account", "Maak het eerste beheerdersaccount"),
    "first_admin_help": (
        "Nobody has an account yet. That is enough where you are the only one: the link from the terminal and API keys "
        "stay as they are. Make an account for yourself once others come to use this service; after that you can sign "
        "in by name and password, and add the others here.",
        "Nog niemand heeft een account. Dat volstaat als je de enige bent: de link uit de terminal en API-sleutels "
        "blijven zoals ze zijn. Maak een account voor jezelf zodra anderen deze dienst gaan gebruiken; daarna kun je "
        "inloggen met naam en wachtwoord, en hier de anderen toevoegen.",
    ),
    "make_account": ("Make the account", "Maak het account"),
    "add_person": ("Add a person", "Voeg iemand toe"),
    "name_help": (
        "To sign in with: letters, digits and . @ + ' _ -, without spaces.",
        "Om mee in te loggen: letters, cijfers en . @ + ' _ -, zonder spaties.",
    ),
    "display_name": ("Full name", "Volledige naam"),
    "password_help": ("At least 10 characters.", "Minstens 10 tekens."),
    "password_or_none": (
        "At least 10 characters. Empty: no password, for whoever signs in by your identity provider.",
        "Minstens 10 tekens. Leeg: geen wachtwoord, voor wie via jullie identiteitsprovider inlogt.",
    ),
    "signs_in_by": ("Signs in by", "Logt in met"),
    "way_password": ("password", "wachtwoord"),
    "way_provider": ("identity provider", "identiteitsprovider"),
    "way_none": ("no way yet", "nog niets"),
    "last_sign_in": ("Last sign-in", "Laatst ingelogd"),
    "never": ("never", "nooit"),
    "open": ("open", "open"),
    "closed": ("closed", "gesloten"),
    "no_groups_named": ("none", "geen"),
    # One person
    "who_it_is": ("Name, role and groups", "Naam, rol en groepen"),
    "set_password": ("Set a new password", "Zet een nieuw wachtwoord"),
    "set_password_help": (
        "It ends the sessions there are. Hand it over in person; its owner can change it under “Your account”.",
        "De sessies die er zijn, eindigen. Geef het persoonlijk door; de eigenaar kan het wijzigen onder ‘Je account’.",
    ),
    "new_password": ("New password", "Nieuw wachtwoord"),
    "closing": ("Closing the account", "Het account sluiten"),
    "close_help": (
        "Closing ends all sessions and revokes all keys of this person at once. What was asked and written stays. You "
        "can reopen the account later; revoked keys do not come back.",
        "Sluiten beëindigt meteen alle sessies en trekt alle sleutels van deze persoon in. Wat gevraagd en geschreven "
        "is, blijft. Je kunt het account later heropenen; ingetrokken sleutels komen niet terug.",
    ),
    "close": ("Close the account", "Sluit het account"),
    "reopen_help": (
        "This account is closed: nobody signs in with it. Reopened, it has the role and groups it had.",
        "Dit account is gesloten: niemand logt ermee in. Heropend heeft het weer zijn rol en groepen.",
    ),
    "reopen": ("Reopen the account", "Heropen het account"),
    "done_person": ("Added: {name}.", "Toegevoegd: {name}."),
    "done_first": (
        "{name} is made. From now on you can sign in with that name and password; the link from the terminal and keys "
        "go on working.",
        "{name} is gemaakt. Voortaan kun je met die naam en dat wachtwoord inloggen; de link uit de terminal en "
        "sleutels blijven werken.",
    ),
    "done_saved": ("Saved; it counts from now on.", "Bewaard; het geldt vanaf nu."),
    "done_password": (
        "The password is set; the sessions there were have ended.",
        "Het wachtwoord is gezet; de sessies die er waren, zijn beëindigd.",
    ),
    "done_closed": (
        "The account is closed; its sessions and keys have ended.",
        "Het account is gesloten; zijn sessies en sleutels zijn beëindigd.",
    ),
    "done_reopened": ("The account is open again.", "Het account is weer open."),
    # Keys
    "keys": ("API keys", "API-sleutels"),
    "keys_none": ("No keys.", "Geen sleutels."),
    "key_may": ("May", "Mag"),
    "scope_read": ("read", "lezen"),
    "scope_ask": ("ask", "vragen"),
    "scope_upload": ("upload", "uploaden"),
    "scope_curate": ("curate", "nakijken"),
    "scope_admin": ("everything", "alles"),
    "made": ("Made", "Gemaakt"),
    "key_ends": ("Valid until", "Geldig tot"),
    "no_end": ("no end", "geen einde"),
    "revoke": ("Revoke", "Trek in"),
    "revoked": ("revoked", "ingetrokken"),
    "key_expired": ("expired", "verlopen"),
    "done_revoked": ("The key is revoked.", "De sleutel is ingetrokken."),
    # Groups
    "groups_help": (
        "What a group may read and edit is said under “Access”.",
        "Wat een groep mag lezen en bewerken, staat onder ‘Toegang’.",
    ),
    "no_groups": ("No groups yet.", "Nog geen groepen."),
    "group_name": ("Name of the group", "Naam van de groep"),
    "add_group": ("Add a group", "Voeg een groep toe"),
    "members": ("Members", "Leden"),
    "reads": ("Reads", "Leest"),
    "edits": ("Edits", "Bewerkt"),
    "nothing_named": ("nothing of its own", "niets in het bijzonder"),
    "delete_group_help": (
        "Deleting a group takes from its members what only this group might read or edit; what nobody else was given, "
        "only curators and admins read from then on.",
        "Een groep verwijderen neemt haar leden af wat alleen deze groep mocht lezen of bewerken; wat aan niemand "
        "anders was gegeven, lezen daarna alleen curatoren en beheerders.",
    ),
    "sure_group": (
        "Delete this group? {name}: {n} members lose what only it might read or edit. It cannot be brought back.",
        "Deze groep verwijderen? {name}: {n} leden verliezen wat alleen zij mocht lezen of bewerken. Dat is niet terug "
        "te draaien.",
    ),
    "sure_group_one": (
        "Delete this group? {name}: {n} member loses what only it might read or edit. It cannot be brought back.",
        "Deze groep verwijderen? {name}: {n} lid verliest wat alleen zij mocht lezen of bewerken. Dat is niet terug te "
        "draaien.",
    ),
    "done_group": ("Added: {name}.", "Toegevoegd: {name}."),
    "done_group_deleted": ("The group is deleted.", "De groep is verwijderd."),
    # Access
    "access_help": (
        "Who reads and edits the documents of a collection. A change counts from the next click on, for documents, "
        "answers and what is remembered.",
        "Wie de documenten van een collectie leest en bewerkt. Een wijziging geldt vanaf de volgende klik, voor "
        "documenten, antwoorden en wat is onthouden.",
    ),
    "no_collections": (
        "No collections yet. An upload makes one, or you do here.",
        "Nog geen collecties. Een upload maakt er een, of jij hier.",
    ),
    "readers": ("Who reads it", "Wie het leest"),
    "editors": ("Who edits it", "Wie het bewerkt"),
    "editors_help": (
        "These groups read everything in the collection, and add, replace and delete documents. Admins always may.",
        "Deze groepen lezen alles in de collectie, en voegen documenten toe, vervangen en verwijderen ze. Beheerders "
        "mogen dat altijd.",
    ),
    "readers_collection": ("those of its collection", "wie de collectie lezen"),
    "readers_everyone": ("everybody", "iedereen"),
    "readers_groups": ("these groups", "deze groepen"),
    "readers_nobody": (
        "nobody but its editors, curators and admins",
        "niemand behalve bewerkers, curatoren en beheerders",
    ),
    "readers_none_short": ("curators and admins only", "alleen curatoren en beheerders"),
    "editors_none_short": ("admins", "beheerders"),
    "apart": ("{n} with readers of their own", "{n} met eigen lezers"),
    "apart_one": ("{n} with readers of its own", "{n} met eigen lezers"),
    "change": ("Change", "Wijzig"),
    "add_collection": ("Add a collection", "Voeg een collectie toe"),
    "collection_name": ("Name of the collection", "Naam van de collectie"),
    "own_readers": ("this document has readers of its own", "dit document heeft eigen lezers"),
    "collections_readers": ("as said of its collection", "zoals van de collectie is gezegd"),
    "document_reads": ("Who reads this document", "Wie dit document leest"),
    # The account
    "account_key": (
        "This session was opened with an API key or a link, not by a person's name. It may do what the key may.",
        "Deze sessie is geopend met een API-sleutel of een link, niet op iemands naam. Ze mag wat de sleutel mag.",
    ),
    "account_first": (
        "Make accounts for people under “People”.",
        "Maak accounts voor mensen onder ‘Mensen’.",
    ),
    "change_password": ("Change your password", "Wijzig je wachtwoord"),
    "old_password": ("Present password", "Huidig wachtwoord"),
    "change_password_help": (
        "All your other sessions end.",
        "Al je andere sessies eindigen.",
    ),
    "done_own_password": (
        "Your password is changed; your other sessions have ended.",
        "Je wachtwoord is gewijzigd; je andere sessies zijn beëindigd.",
    ),
    "own_keys": ("Your API keys", "Je API-sleutels"),
    "own_keys_help": (
        "For programs that ask in your name; a key never may more than you.",
        "Voor programma's die in jouw naam vragen; een sleutel mag nooit meer dan jij.",
    ),
    "make_key": ("Make a key", "Maak een sleutel"),
    "key_name": ("What it is for", "Waar hij voor is"),
    "key_until": ("No longer valid from", "Niet meer geldig vanaf"),
    "key_until_help": ("A day in UTC; empty for no end.", "Een dag in UTC; leeg voor geen einde."),
    "your_key": ("Your new key", "Je nieuwe sleutel"),
    "copy_key": (
        "Copy it now: it is shown this once only.",
        "Kopieer hem nu: hij wordt alleen deze keer getoond.",
    ),
    "own_data": ("Your data", "Je gegevens"),
    "own_data_help": (
        "All that this service has of you, in one file: account, keys, conversations, feedback, uploads, answers in "
        "memory, what your questions cost and what the audit log says of you.",
        "Alles wat deze dienst van je heeft, in één bestand: account, sleutels, gesprekken, reacties, uploads, "
        "antwoorden in het geheugen, wat je vragen kostten en wat het logboek over je zegt.",
    ),
    # What the service refuses, by its code
    "error_own_account": (
        "You cannot close or demote your own account; let another admin do it.",
        "Je kunt je eigen account niet sluiten of de rol ervan verlagen; laat een andere beheerder het doen.",
    ),
    "error_exists": ("That name is taken already.", "Die naam is al in gebruik."),
    "error_invalid_name": (
        "A name has 1 to 200 letters, digits or . @ + ' _ -, as an address has.",
        "Een naam heeft 1 tot 200 letters, cijfers of . @ + ' _ -, zoals een adres.",
    ),
    "error_wrong_password": ("The present password is wrong.", "Het huidige wachtwoord klopt niet."),
    "error_no_person": (
        "This is for people; the key of this session is no person's.",
        "Dit is voor mensen; de sleutel van deze sessie is van niemand.",
    ),
    # Signing in by the identity provider
    "error_account_closed": ("This account is closed; ask an admin.", "Dit account is gesloten; vraag een beheerder."),
    "error_oidc_failed": ("Signing in did not succeed; try again.", "Inloggen is niet gelukt; probeer het opnieuw."),
    "error_oidc_nobody": (
        "The identity provider did not say who you are.",
        "De identiteitsprovider zei niet wie je bent.",
    ),
    "error_oidc_unverified": (
        "The identity provider has not verified your e-mail address.",
        "De identiteitsprovider heeft je e-mailadres niet geverifieerd.",
    ),
    "error_oidc_unreachable": (
        "The identity provider does not answer as it should; the service's log says why.",
        "De identiteitsprovider antwoordt niet zoals het hoort; het logboek van de dienst zegt waarom.",
    ),
    "error_no_account": (
        "You have no account here yet; ask an admin for one.",
        "Je hebt hier nog geen account; vraag er een aan een beheerder.",
    ),
    "error_name_taken": (
        "The name you have there is another person's here; ask an admin.",
        "De naam die je daar hebt, is hier van iemand anders; vraag een beheerder.",
    ),
}

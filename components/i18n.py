"""Every word the pages show, in the language of the user.

English is the language of the source; other languages are gettext catalogs. A message without a
translation shows in English.
"""

import gettext
import io
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from nicegui import Client, ui

from app.said import Said

DEFAULT = "en"
LANGUAGES = {"en": "English", "ru": "Русский"}
PLURAL_FORMS = {"en": ("one", "other"), "ru": ("one", "few", "many")}
"""The plural categories (CLDR) of each language, in the order of the forms in its catalog."""

_LOCALES = Path(__file__).parent / "locales"
_KEY = "language"

Message = str | tuple[str, str]
"""A text, or its singular and plural."""


@cache
def catalog(language: str) -> Catalog:
    """The messages of a language; empty for the one the source is written in."""
    if language == DEFAULT:
        return Catalog(locale=DEFAULT)
    path = _LOCALES / language / "LC_MESSAGES" / "orchestrator.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


@cache
def _translations(language: str) -> gettext.NullTranslations:
    if language == DEFAULT:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalog(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def negotiate(accept_language: str) -> str:
    """The best of our languages for an `Accept-Language` header."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    return next((tag for _, tag in sorted(wanted, key=lambda w: w[0]) if tag in LANGUAGES), DEFAULT)


def use_language(client: Client, language: str) -> None:
    """Show this client everything from here on in that language."""
    client.storage[_KEY] = language if language in LANGUAGES else DEFAULT


def current_language() -> str:
    """The language of the page that is being built, or whose event is being handled."""
    try:
        return ui.context.client.storage.get(_KEY, DEFAULT)
    except RuntimeError:  # no page around, as in a test of a single function
        return DEFAULT


def tr(message: str, /, **params: Any) -> str:
    """The message in the current language, with `{name}` filled in from the parameters."""
    return tr_in(current_language(), message, **params)


def tr_in(language: str, message: str, /, **params: Any) -> str:
    """The message in that language."""
    text = _translations(language).gettext(message)
    return text.format(**params) if params else text


def say(sentence: str) -> str:
    """A sentence of the core (`app.said`) in the current language; other text as it is."""
    return say_in(current_language(), sentence)


def say_in(language: str, sentence: str) -> str:
    """A sentence of the core in that language."""
    if not isinstance(sentence, Said):
        return sentence
    params = {
        name: say_in(language, value) if isinstance(value, str) else value
        for name, value in sentence.params.items()
    }
    return tr_in(language, sentence.template, **params)


def trn(singular: str, plural: str, n: int, /, **params: Any) -> str:
    """The form of the message that fits `n`, with `{n}` and the parameters filled in."""
    text = _translations(current_language()).ngettext(singular, plural, n)
    return text.format(n=number(n), **params)


def number(value: float) -> str:
    """The number for people, with thin spaces between the thousands as in the browser's texts."""
    whole = int(value)
    return f"{whole if whole == value else value:,}".replace(",", "\u2009")


def texts(*messages: Message) -> dict[str, str | dict[str, str]]:
    """The messages for a component in the browser.

    Plurals are keyed by their singular and come as forms by CLDR category, so that the browser
    can choose (`Intl.PluralRules`).
    """
    language = current_language()
    return {
        message if isinstance(message, str) else message[0]: _for_browser(message, language)
        for message in messages
    }


def _for_browser(message: Message, language: str) -> str | dict[str, str]:
    if isinstance(message, str):
        return _translations(language).gettext(message)
    found = catalog(language).get(message[0])
    translated = found.string if found is not None else None
    if not isinstance(translated, tuple | list) or not translated or not all(translated):
        return dict(zip(PLURAL_FORMS[DEFAULT], message, strict=True))
    return dict(zip(PLURAL_FORMS[language], translated, strict=True))

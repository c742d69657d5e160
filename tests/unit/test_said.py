"""Sentences that stay translatable on their way through the core and the database."""

import copy
import pickle

from app.said import Said, dump_said, load_said
from components.i18n import say_in

_CAUSE = Said("{backend} {what}.", backend="Farm", what=Said("does not answer like ComfyUI"))


def test_sentence_is_its_english_text() -> None:
    assert _CAUSE == "Farm does not answer like ComfyUI."
    assert Said("No values, so {braces} stay.") == "No values, so {braces} stay."


def test_sentence_comes_back_from_json_with_its_template() -> None:
    again = load_said(dump_said(_CAUSE))

    assert isinstance(again, Said)
    assert (again, again.template) == (_CAUSE, _CAUSE.template)
    assert isinstance(again.params["what"], Said)
    assert load_said(dump_said("plain")) == "plain"


def test_sentence_survives_copies() -> None:
    for again in (copy.deepcopy(_CAUSE), pickle.loads(pickle.dumps(_CAUSE))):  # noqa: S301
        assert again.template == _CAUSE.template


def test_values_may_have_any_name() -> None:
    said = Said("{message} {template} {language} {cls}", message=1, template=2, language=3, cls=4)

    assert said == "1 2 3 4"
    assert say_in("ru", said) == "1 2 3 4"


def test_sentence_within_a_sentence_is_translated_too() -> None:
    assert say_in("ru", _CAUSE) == "Farm отвечает не как ComfyUI."
    assert say_in("ru", "not ours") == "not ours"

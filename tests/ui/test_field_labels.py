"""What the fields of a form are called."""

from app.drawing.form.exposing import LABELS
from components.generation_form.labels import MESSAGES, field_label


def test_every_usual_field_is_called_by_words_that_are_translated() -> None:
    assert set(LABELS.values()) <= set(MESSAGES)


def test_a_name_that_somebody_gave_stays_as_it_is() -> None:
    assert field_label("Speed", is_ours=False) == "Speed"

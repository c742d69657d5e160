"""The form that says what picture to make."""

from pathlib import Path

from components.generation_form.form import GenerationForm

__all__ = ["SHEET", "GenerationForm"]

SHEET = Path(__file__).with_name("generation_form.css")

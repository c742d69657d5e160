"""The parts of the diagnostics page, live: one element that feeds all of them."""

from components.diagnostics.board import SHEETS, DiagnosticsBoard

__all__ = ["SHEETS", "DiagnosticsBoard"]

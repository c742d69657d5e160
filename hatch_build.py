"""Puts the browser libraries into the wheel, so that whoever installs it needs no npm."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from components.browser_libraries import Vendor


class BrowserLibraries(BuildHookInterface):
    """Hatch's hook: fetches them unless they are there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises `FetchError`, with what to do, when they cannot be had."""
        del version, build_data
        if self.target_name == "wheel":
            Vendor().fetch()

"""Which version of the app this is."""

from importlib.metadata import PackageNotFoundError, version


def app_version() -> str:
    """The version installed, or "dev" from a checkout."""
    try:
        return version("orchestrator")
    except PackageNotFoundError:
        return "dev"

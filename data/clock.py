"""The time of day, from the operating system."""

from datetime import UTC, datetime


class SystemClock:
    """`app.ports.Clock` as everybody knows it."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)

"""What the cloud answers, taken as it comes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backends.flux.answers import parse_task, retry_after_s

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "wait_s"),
    [
        ("7", 7.0),
        ("Sun, 17 May 2026 12:00:30 GMT", 30.0),
        ("Sun, 17 May 2026 11:00:00 GMT", 0.0),
        ("soon", 10.0),
        ("", 10.0),
        ("9" * 400, 3600.0),
        ("Fri, 17 May 2126 12:00:00 GMT", 3600.0),
    ],
)
def test_the_cloud_is_given_as_long_as_it_asks_within_reason(given: str, wait_s: float) -> None:
    assert retry_after_s({"retry-after": given}, now=NOW, default=10.0) == wait_s


@pytest.mark.parametrize(
    ("given", "reasons"),
    [(["Violence", "Gore"], "Violence, Gore"), ("Violence", "Violence"), (7, "7"), (None, "")],
)
def test_reasons_of_moderation_are_read_in_any_form(given: Any, reasons: str) -> None:
    body = {"status": "Request Moderated", "details": {"Moderation Reasons": given}}

    assert parse_task(json.dumps(body).encode()).reasons == reasons

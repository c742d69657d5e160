"""Every route, fuzzed from its own OpenAPI against the running app: never a 500, never a hang."""

from collections.abc import Iterator
from typing import cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.create import create_api
from app.services import Services
from tests.support.app_process import AppProcess

_LIMIT_S = 5
_STREAMS = "/api/events"  # never ends by itself; tested on its own
_AS_LONG_AS_A_JOB = "/api/self-test"  # takes no input
_PASSED_ON = r"/comfy/\{path\}$"  # a backend answers, as it likes


# The schema comes from the app's own routes; the services behind them are not asked for it.
schema = (
    schemathesis.openapi.from_dict(create_api(cast("Services", None)).openapi())
    .exclude(path=_STREAMS)
    .exclude(path=_AS_LONG_AS_A_JOB)
    .exclude(path_regex=_PASSED_ON)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    app = AppProcess(
        tmp_path_factory.mktemp("home"),
        DEMO_STEP_DELAY_S="0",
        TIMEOUTS__CONNECT_S="0.5",
        TIMEOUTS__REQUEST_S="1",
    ).start()
    yield app
    assert app.stop() == 0
    assert app.errors() == []


@schema.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_input_makes_a_route_fail_or_lie_about_its_answer(
    case: schemathesis.Case, app: AppProcess
) -> None:
    response = case.call(base_url=app.url, timeout=_LIMIT_S)

    case.validate_response(
        response,
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )

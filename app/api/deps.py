"""What the routes ask for."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request

from app.services import Services


def _services(request: Request) -> Services:
    return request.app.state.services


Here = Annotated[Services, Depends(_services)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most")]
Cursor = Annotated[int | None, Query(ge=0, le=2**62, description="`nextCursor` of the page before")]
Ids = list[UUID]

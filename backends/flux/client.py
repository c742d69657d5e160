"""The cloud over HTTP: every request has a time limit, and says whether it may have been paid for.

The key goes to the configured address and to hosts of the provider, to nobody else.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from app.config import Settings
from app.errors import (
    BackendUnreachableError,
    BadOutputError,
    BusyError,
    CloudKeyError,
    NoCreditError,
    NotSentError,
    OrchestratorError,
    PromptRejectedError,
    UncertainChargeError,
)
from app.ports import Clock
from app.said import Said
from backends.flux.answers import (
    Ordered,
    Task,
    UnreadableError,
    complaints,
    parse_ordered,
    parse_task,
    retry_after_s,
)

CHUNK_BYTES = 64 * 1024
MAX_PICTURE_BYTES = 200 * 2**20
_PROVIDER = "bfl.ai"
_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_BUSY_S = 10.0  # where the cloud does not say how long it is busy


class ExpiredError(OrchestratorError):
    """The address of the picture is no longer good; never leaves this package."""


class FluxClient:
    """The requests we make; connections open on first use and close with `aclose`."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self.endpoint = str(settings.flux.url).rstrip("/").removesuffix("/v1")

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def order(self, model: str, payload: Mapping[str, Any]) -> Ordered:
        """Buy one picture.

        Raises:
            NotSentError, BusyError, CloudKeyError, NoCreditError, PromptRejectedError: certainly
                not bought.
            UncertainChargeError: nobody knows.
        """
        url = f"{self.endpoint}/v1/{model}"
        try:
            response = await self._request("POST", url, json=dict(payload))
        except _NEVER_LEFT as exc:
            raise NotSentError(_away(exc), fix=_CHECK_NETWORK) from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise _uncertain(_reason_of(exc)) from exc
        if response.status_code == HTTPStatus.OK:
            try:
                return parse_ordered(response.content)
            except UnreadableError as exc:
                raise _uncertain(Said("its answer cannot be read")) from exc
        raise _refusal(response, model=model, now=self._clock.now())

    async def look(self, url: str) -> Task:
        """How a task is, asked at the address that the cloud gave for it.

        Raises:
            BackendUnreachableError: no answer, or none that says anything.
            CloudKeyError: the key is no longer good.
        """
        if not self.is_trusted(url):
            raise BackendUnreachableError(
                Said(
                    "The FLUX cloud names an address that is not its own: {host}.", host=_host(url)
                )
            )
        try:
            response = await self._request("GET", url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise BackendUnreachableError(_away(exc), fix=_CHECK_NETWORK) from exc
        try:
            return parse_task(response.content)  # terminal answers may come with a status of 5xx
        except UnreadableError as exc:
            if response.status_code in _KEY_REFUSED:
                raise key_refused() from exc
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise _busy(response, now=self._clock.now()) from exc
            if response.status_code == HTTPStatus.NOT_FOUND:
                return Task(status="Task not found")
            raise BackendUnreachableError(_strange(response)) from exc

    async def check_key(self) -> None:
        """Ask something that costs nothing.

        Raises:
            CloudKeyError: the key is not good.
            BackendUnreachableError: that cannot be told.
        """
        # Nobody has a task of that name: with a good key the cloud says so, and nothing is made.
        await self.look(self.task_url(str(uuid4())))

    def task_url(self, task_id: str) -> str:
        """Where a task is asked after, if the cloud did not say."""
        return str(httpx.URL(f"{self.endpoint}/v1/get_result", params={"id": task_id}))

    def is_trusted(self, url: str) -> bool:
        """Whether the key may go there."""
        try:
            given, own = httpx.URL(url), httpx.URL(self.endpoint)
        except httpx.InvalidURL:
            return False
        if (given.scheme, given.host, given.port) == (own.scheme, own.host, own.port):
            return True
        provider = given.host == _PROVIDER or given.host.endswith(f".{_PROVIDER}")
        return given.scheme == "https" and given.port is None and provider

    async def download(self, url: str) -> AsyncGenerator[bytes]:
        """The bytes of a picture, in chunks.

        Raises (while iterating):
            ExpiredError: the address is no longer good.
            BackendUnreachableError: it did not come in time.
            BadOutputError: what comes is beyond reason.
        """
        deadline = asyncio.get_running_loop().time() + self._settings.timeouts.download_s
        async with aclosing(self._stream(url)) as chunks:
            while True:
                # The limit is on the cloud alone: what the reader does in between is its own.
                try:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                except TimeoutError as exc:
                    raise BackendUnreachableError(_away(exc), fix=_CHECK_NETWORK) from exc
                if chunk is None:
                    return
                yield chunk

    async def _stream(self, url: str) -> AsyncGenerator[bytes]:
        if not url.startswith("https://") and not self.is_trusted(url):
            raise BadOutputError(Said("The FLUX cloud names a picture that is not its own."))
        size = 0
        try:
            # Signed by itself: the key is not sent along.
            async with self._client().stream("GET", url) as response:
                if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise BackendUnreachableError(_strange(response))
                if response.status_code != HTTPStatus.OK:
                    raise ExpiredError(_strange(response))
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    size += len(chunk)
                    if size > MAX_PICTURE_BYTES:
                        raise BadOutputError(Said("The picture of the FLUX cloud is too large."))
                    yield chunk
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise BackendUnreachableError(_away(exc), fix=_CHECK_NETWORK) from exc

    async def _request(self, method: str, url: str, *, json: Any = None) -> httpx.Response:
        key = self._settings.flux.api_key
        headers = {"x-key": key.get_secret_value() if key else ""}
        # httpx limits each read; this also ends an answer that trickles in for ever.
        async with asyncio.timeout(self._settings.timeouts.cloud_s):
            return await self._client().request(method, url, json=json, headers=headers)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            timeouts = self._settings.timeouts
            proxy = self._settings.outbound_proxy
            local = _host(self.endpoint) in ("localhost", "127.0.0.1", "::1")
            secure = self.endpoint.startswith("https:") or not local
            # trust_env=False: only the proxy of our own settings stands between us and the cloud.
            self._http = httpx.AsyncClient(
                timeout=httpx.Timeout(timeouts.cloud_s, connect=timeouts.connect_s),
                trust_env=False,
                proxy=None if proxy is None or local else str(proxy),
                transport=self._transport,
                # Reading the system's certificates blocks for 0.1 s; plain HTTP needs none.
                verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        return self._http


_CHECK_NETWORK = Said("Check the network, and outbound_proxy in config.yaml.")


def key_refused() -> CloudKeyError:
    """The error for a key that the cloud does not accept."""
    return CloudKeyError(
        Said("The FLUX cloud does not accept the API key."),
        fix=Said("Set flux.api_key (ORCHESTRATOR_FLUX__API_KEY) to a key of your account."),
    )


def _refusal(response: httpx.Response, *, model: str, now: datetime) -> OrchestratorError:
    """Why an order was not taken."""
    match response.status_code:
        case 401 | 403:
            return key_refused()
        case 402:
            return NoCreditError(
                Said("The account of the FLUX cloud has no credits left."),
                fix=Said("Add credits at the provider, then press Retry."),
            )
        case 429:
            return _busy(response, now=now)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _uncertain(Said("it answers {status}", status=status))
        case status:
            cause = complaints(response.content) or str(status)
            return PromptRejectedError(
                Said("{model} refuses the order: {cause}", model=model, cause=cause),
                fix=Said("Change what it names, and generate again."),
            )


def _busy(response: httpx.Response, *, now: datetime) -> BusyError:
    wait_s = retry_after_s(response.headers, now=now, default=_BUSY_S)
    return BusyError(
        Said("The FLUX cloud has too many tasks of this account; it asks to wait a moment."),
        wait_s=wait_s,
    )


def _uncertain(reason: str) -> UncertainChargeError:
    return UncertainChargeError(
        Said("The FLUX cloud may have taken this order, but {reason}.", reason=reason),
        fix=Said(
            "Look at your account there, and settle the charge in the ledger. "
            "Retry orders, and pays, once more."
        ),
    )


def _away(exc: BaseException) -> str:
    return Said("The FLUX cloud does not answer: {reason}.", reason=_reason_of(exc))


def _reason_of(exc: BaseException) -> str:
    if isinstance(exc, httpx.ProxyError):
        return Said("the proxy does not let it through")
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        return Said("no answer in time")
    if isinstance(exc, httpx.ConnectError):
        return Said("it cannot be reached")
    return Said("the connection broke")


def _strange(response: httpx.Response) -> str:
    return Said("The FLUX cloud answers {status}.", status=response.status_code)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""

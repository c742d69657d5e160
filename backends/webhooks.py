"""Posts messages to webhooks over HTTP."""

import asyncio
import base64
import ipaddress
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook

from app.config import Settings
from app.events import EventBus
from app.ports import Clock
from app.webhooks import DeliveryStore, UndeliverableError, WebhookService, is_forbidden

_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpSender:
    """`app.webhooks.Sender`: straight to the receiver, no proxy, no redirects, no body kept."""

    def __init__(self, client: httpx.AsyncClient, *, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that the receiver answered with.

        Raises:
            UndeliverableError: no answer in time, or an address that must not be reached.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, body, headers)
        except TimeoutError as exc:
            raise UndeliverableError(f"No answer within {self._timeout_s:g} s.") from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise UndeliverableError(str(exc) or type(exc).__name__) from exc

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        host = parts.hostname or ""
        addresses = await _addresses_of(host, parts.port or _DEFAULT_PORTS[parts.scheme])
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError):  # as "localhost" is two addresses, and one listens
                return await self._post_to(address, url, body, headers)
        return await self._post_to(addresses[-1], url, body, headers)

    async def _post_to(
        self, address: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> int:
        # To the very address that was looked at: asked again, the name may mean another one.
        parts = urlsplit(url)
        request = self._client.build_request(
            "POST",
            httpx.URL(url).copy_with(host=address),
            content=body,
            headers={**headers, "host": parts.netloc.rpartition("@")[2]},
            extensions={
                "sni_hostname": parts.hostname,
                "timeout": httpx.Timeout(self._timeout_s).as_dict(),
            },
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # what it says besides the status is of no use to anybody
        return answer.status_code


@asynccontextmanager
async def open_webhooks(
    settings: Settings,
    *,
    store: DeliveryStore,
    bus: EventBus,
    clock: Clock,
    kept: Callable[[str, str], str],
) -> AsyncGenerator[WebhookService]:
    """The service that tells others, with its connections; `kept` keeps its secret in the home."""
    # Each message has a connection of its own: they are known by address, and two names may share
    # one while only the first was shown to be who it says.
    limits = httpx.Limits(max_keepalive_connections=0)
    client = httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=limits)
    async with client:
        yield WebhookService(
            store=store,
            sender=HttpSender(client, timeout_s=settings.timeouts.webhook_s),
            signer=signer_of(settings.webhook_secret, kept=kept),
            bus=bus,
            clock=clock,
        )


def signer_of(given: SecretStr | None, *, kept: Callable[[str, str], str]) -> Webhook:
    """What signs, with the secret of the settings, else with one that `kept` keeps in the home.

    A secret that starts with `whsec_` is base64, as receivers' libraries want it.
    """
    if given is None:
        new = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        return Webhook(kept("webhook.key", new))
    secret = given.get_secret_value()
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())


async def _addresses_of(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise UndeliverableError(f"The name {host} is not known.") from exc
    addresses = [str(each[4][0]) for each in found]
    for each in addresses:
        if is_forbidden(ipaddress.ip_address(each.partition("%")[0])):
            raise UndeliverableError(f"{host} is a link-local address; nothing is sent there.")
    return addresses

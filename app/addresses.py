"""Addresses of servers: as people type them, and as they are kept."""

import re
import unicodedata
from urllib.parse import urlsplit, urlunsplit

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from app.said import Said

COMFY_PORT = 8188
_URL = TypeAdapter(AnyHttpUrl)


def plain_url(value: str) -> str:
    """The address as it is kept: scheme, host, port and folder.

    Raises:
        ValueError: it is none, or holds what does not belong into it.
    """
    text = value.strip()
    if not re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        text = f"http://{text}"
    try:
        url = _URL.validate_python(text)
    except ValidationError as exc:
        raise ValueError(
            Said("This is no address. It looks like http://192.168.1.20:8188.")
        ) from exc
    if not _is_host(url.host or ""):
        raise ValueError(Said("This is no address. It looks like http://192.168.1.20:8188."))
    if url.username or url.password:
        raise ValueError(Said("Leave the user name and password out of the address."))
    if url.query or url.fragment:
        raise ValueError(Said("The address ends before “?” and “#”."))
    return str(url).rstrip("/")


def at_usual_port(url: str) -> str | None:
    """The same machine at ComfyUI's usual port; None if that is what the address says already."""
    parts = urlsplit(url)
    if parts.port == COMFY_PORT or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return urlunsplit(("http", f"{host}:{COMFY_PORT}", "", "", ""))


def place_of(url: str) -> tuple[str, int | None, str]:
    """What makes two addresses the same server."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return ("127.0.0.1" if host == "localhost" else host, port, parts.path.rstrip("/"))


def _is_host(host: str) -> bool:
    """Whether this names a machine; the check of the address lets almost anything pass."""
    if host.startswith("["):
        return True
    for label in host.rstrip(".").split("."):
        text = label
        if label.startswith("xn--"):
            try:
                text = label.removeprefix("xn--").encode().decode("punycode")
            except UnicodeError:
                return False
        if text != unicodedata.normalize("NFKC", text).casefold():
            return False
        if not re.fullmatch(r"\w([\w-]{0,61}\w)?", text):
            return False
    return True

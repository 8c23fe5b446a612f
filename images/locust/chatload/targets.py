"""Which chats a run loads: their base URLs, checked before anything is sent to them (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

#: What a port is when none is given.
_PORTS = {"http": 80, "https": 443}


def base(text: str) -> str:
    """A base URL in the one way it is written: scheme, host, port if it is not the scheme's own.

    text: what somebody typed. Raises ValueError that says what is wrong with it.
    """
    typed = text.strip()
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{typed!r} is not an address: {error}") from error
    # Without a scheme, `chat:8080` reads as the scheme `chat`.
    if "://" not in typed:
        raise ValueError(f"{typed!r} has no scheme: write http://{typed}")
    if parts.scheme not in _PORTS:
        raise ValueError(f"{typed!r}: only http:// and https:// are chats, not {parts.scheme}://")
    if not parts.hostname:
        raise ValueError(f"{typed!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{parts.hostname!r}: a user name in an address is not supported")
    # The chat's sockets are at /ws of its host, whatever path the page is at.
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            f"{typed!r}: leave the path away, sockets would not follow it (they are at /ws)"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own = port in (None, _PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if own else f":{port}")


def bases(texts: str) -> list[str]:
    """Base URLs from a list with commas; an empty entry is an error, an empty list is not."""
    if not texts.strip():
        return []
    found = []
    for number, text in enumerate(texts.split(","), 1):
        # A stray comma hides a chat that was meant to be there.
        if not text.strip():
            raise ValueError(f"entry {number} of {texts!r} is empty")
        found.append(base(text))
    return found


def chosen(host: str | None, targets: str, allowed: str) -> list[str]:
    """The base URLs that a run loads.

    host: Locust's host. targets: those of ``--targets``, which stand instead of it. allowed: those
    of ``--hosts``, the only ones that may be loaded; empty: any. Raises ValueError.
    """
    host = (host or "").strip()
    try:
        several = bases(targets)
    except ValueError as error:
        raise ValueError(f"--targets: {error}") from error
    try:
        # --host may repeat one of the targets: Locust's own tables show it.
        if several and host and base(host) not in several:
            raise ValueError(
                f"{host!r} stands beside --targets, and is none of them ({', '.join(several)}):"
                " leave it empty"
            )
        found = several or bases(host)
    except ValueError as error:
        raise ValueError(f"host: {error}") from error
    if not found:
        raise ValueError("host: none is given; write the chat's address, http://… or https://…")
    if not several and len(found) > 1:
        raise ValueError("host: one only; several go into --targets")
    listed = bases(allowed)
    refused = [one for one in found if listed and one not in listed]
    if refused:
        raise ValueError(
            f"host: this lab may not load {', '.join(refused)}, but {', '.join(listed)}."
            " The list is --hosts, or CHATLOAD_HOSTS in the master's environment (chatapp.yaml)"
        )
    return found

"""Secrets in store URLs, which are masked in all output."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

__all__ = ["shown", "without_secrets"]

_MASK = "***"
_ASSIGNED = re.compile(r"([^?&;\s=]+)=([^&;\s]*)")
_SECRET = re.compile("pass|pwd|secret|token|key|cred|auth|cert|sign", re.IGNORECASE)


def shown(store: str) -> str:
    """The URL of a store for display: without its login and without the values of options.

    Only the driver knows which values are secret, so all are masked.
    """
    scheme, colon, rest = store.partition("://")
    if not colon:
        return _ASSIGNED.sub(_masked, store)
    place, mark, options = rest.partition("?")
    if "@" in options:
        return f"{scheme}://{_MASK}"  # unclear: ? may be in a password, or @ in an option
    login, at, host = place.rpartition("@")
    host = host.partition("#")[0]
    return f"{scheme}://{_MASK if login else ''}{at}{host}{mark}{_ASSIGNED.sub(_hidden, options)}"


def without_secrets(text: str, store: str) -> str:
    """`text`, such as an error message, without the secrets in the URL of the store."""
    text = text.replace(store, shown(store))
    forms = {form for secret in _secrets(store) for form in _forms(secret) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", _MASK, text)
    return text


def _secrets(store: str) -> Iterator[str]:
    for name, value in _ASSIGNED.findall(store):
        if _SECRET.search(name):
            yield value
    login, at, _ = store.partition("://")[2].rpartition("@")
    user, colon, password = login.partition(":")
    if at:
        # A user name may be shown, as databases do; but a login without a password may be a token.
        yield password if colon else user


def _forms(secret: str) -> tuple[str, ...]:
    """All forms that the secret may have in a text: as written, decoded, and encoded."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    return tuple({form for text in plain for form in (text, quote(text, ""), quote_plus(text))})


def _masked(option: re.Match[str]) -> str:
    return f"{option[1]}={_MASK}" if _SECRET.search(option[1]) else option[0]


def _hidden(option: re.Match[str]) -> str:
    return f"{option[1]}={_MASK}"

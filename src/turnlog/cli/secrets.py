"""Secrets in URLs: kept out of whatever is printed."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

__all__ = ["shown", "without_secrets"]

_MASK = "***"
_ASSIGNED = re.compile(r"([^?&;\s=]+)=([^&;\s]*)")
_SECRET = re.compile("pass|pwd|secret|token|key|cred|auth|cert|sign", re.IGNORECASE)


def shown(store: str) -> str:
    """The name of a store as it may be shown: without whom it logs in as, and without values.

    Of options, only the names are shown: which values are secret is a driver's affair.
    """
    scheme, colon, rest = store.partition("://")
    if not colon:
        return _ASSIGNED.sub(_masked, store)
    place, mark, options = rest.partition("?")
    if "@" in options:
        return f"{scheme}://{_MASK}"  # a password with ? in it, or an option with @: nobody knows
    login, at, host = place.rpartition("@")
    host = host.partition("#")[0]
    return f"{scheme}://{_MASK if login else ''}{at}{host}{mark}{_ASSIGNED.sub(_hidden, options)}"


def without_secrets(text: str, store: str) -> str:
    """`text`, an error's for instance, without the secrets of the store's URL."""
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
        # Who it is may be told, as databases do; what has no password beside it may be one.
        yield password if colon else user


def _forms(secret: str) -> tuple[str, ...]:
    """The secret as it may stand in a text: as it was written, and decoded."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    return tuple({form for text in plain for form in (text, quote(text, ""), quote_plus(text))})


def _masked(option: re.Match[str]) -> str:
    return f"{option[1]}={_MASK}" if _SECRET.search(option[1]) else option[0]


def _hidden(option: re.Match[str]) -> str:
    return f"{option[1]}={_MASK}"

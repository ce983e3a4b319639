"""What of a setting is shown: not a secret, by what the value is for, and not the secrets inside of a longer value.

Secrets of our own are named in the settings, never given; but what is passed on to Spark and to readers of sources may
hold those of an object store, a broker or a database.
"""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "***"

# Names of what is secret, wherever they stand in a key; blanks are any of the signs that keys are divided with.
_SECRET_WORDS = (
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "credential",
    "jwt",
    "bearer",
    "jaas",
    "signature",
    "access key",
    "account key",
    "api key",
    "private key",
    "keystore key",
    "shared key",
    "encryption key",
    "connection string",
    "auth header",
)
_SECRET = re.compile("|".join(word.replace(" ", "[._-]?") for word in _SECRET_WORDS), re.IGNORECASE)
# Short words, which are parts of others, count as a part of their own only.
_SECRET_PART = re.compile(r"(^|[._-])(sas|pass|sig|pin)([._-]|$)", re.IGNORECASE)
# What such a key may name without being it: the place of a secret, or how it is used.
_NAMES_ONE = re.compile(
    r"([._-]|(?<=[a-z])(?=[A-Z]))(env|file|path|location|provider|class|type|enabled|algorithm|endpoint|id|claim|renewer)$",
    re.IGNORECASE,
)

_NAME = re.compile(r"([\w.$-]+)[^\w.$-]+(?=.)", re.DOTALL)  # and what divides it from what follows
_BETWEEN_NAMES = re.compile(r"[^\w.$-]+")

_IN_VALUES = (
    # A login in a URL.
    (re.compile(r"(://[^/\s:@]*:)[^@\s]+(?=@)"), rf"\1{HIDDEN}"),
    # An assignment: of a query, a connection string, options of a JVM, JAAS.
    (
        re.compile(
            r"((?:^|[?&;,\s\"'{-])[\w.$-]*(?:"
            + "|".join(word.replace(" ", "[._-]?") for word in _SECRET_WORDS)
            + r"|\bsig)[\w.$-]*\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s;&,}]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # A signed token, and a private key.
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), HIDDEN),
)


def is_secret(key: str) -> bool:
    """Whether the value of a key may itself be a secret, not the name of a variable or file that holds one.

    >>> is_secret("fs.azure.account.key.store"), is_secret("password_env"), is_secret("scope_claim")
    (True, False, False)
    """
    return bool(_SECRET.search(key) or _SECRET_PART.search(key)) and not _NAMES_ONE.search(key)


def masked(key: str, value: Any) -> Any:
    """A value as it may be shown.

    >>> masked("path", "s3a://AKIA:hush@bucket/runs"), masked("jwt", "hush"), masked("jwt", None)
    ('s3a://AKIA:***@bucket/runs', '***', None)
    """
    if value is None or isinstance(value, bool):
        return value
    return HIDDEN if is_secret(key) else without_secrets(value)


def shown_key(key: str) -> str:
    """A key as it may be named: where the blank after the colon was forgotten, it has the value in it.

    >>> shown_key("spark.ui.port"), shown_key("db.password:hush"), shown_key("db.password hush")
    ('spark.ui.port', 'db.password:***', 'db.password ***')
    """
    shown = str(without_secrets(key))
    name = _NAME.match(key)
    if shown == key and name and is_secret(name[1]):
        return f"{name[0]}{HIDDEN}"
    return shown


def names_a_secret(text: str) -> bool:
    """Whether a text, say one that cannot be read as YAML, has a key in it whose value may be a secret."""
    return any(is_secret(word) for word in _BETWEEN_NAMES.split(text))


def without_secrets(value: Any) -> Any:
    """A value without the secrets inside of it.

    >>> without_secrets(["-Dx.trustStorePassword=hush -Xmx2g", {"password": "hush"}])
    ['-Dx.trustStorePassword=*** -Xmx2g', {'password': '***'}]
    """
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, dict):
        return {shown_key(str(key)): masked(str(key), each) for key, each in value.items()}
    if isinstance(value, str):
        for pattern, shown in _IN_VALUES:
            value = pattern.sub(shown, value)
    return value

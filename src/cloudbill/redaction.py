"""Takes secrets out of text that others wrote, before it reaches an error, a log or the ledger.

Sources: Azure, "Shared access signatures" and "Configure connection strings"; AWS, "Signature
Version 4" (query parameters) and "IAM identifiers" (prefixes of access keys); Google Cloud,
"Signed URLs", and RFC 6750 (bearer tokens).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["redacted"]

_HIDDEN: Final = "[redacted]"

# The whole query string is removed, because the rest (expiry, account) helps nobody. In object
# stores a question mark may be part of a name, so there only known secrets are removed, see below.
_QUERY: Final = re.compile(r"(?P<kept>\bhttps?://[^\s?#'\"<>]*\?)[^\s'\"<>]+", re.IGNORECASE)
# `az://container@account` has no secret; a colon before the @ means one, and so does any @ in http.
_PASSWORD: Final = re.compile(
    r"(?P<kept>\b[a-z][a-z0-9+.-]*://)[^\s/@:'\"]*:[^\s/@'\"]*(?=@)", re.IGNORECASE
)
_USER: Final = re.compile(r"(?P<kept>\bhttps?://)[^\s/@'\"]+(?=@)", re.IGNORECASE)
_NAMES: Final = (
    r"[a-z_-]{0,40}access[_-]?key(?:[_-]?id)?|account[_-]?key|api[_-]?key|client[_-]?secret"
    r"|credential|googleaccessid|password|private[_-]?key(?:[_-]?id)?|pwd|secret|sig|signature"
    r"|shared[_-]?access[_-]?(?:key|signature)|x-(?:amz|goog)-[a-z-]+"
    r"|(?:(?:access|aws[_-]session|bearer|id|refresh|sas|security|session)[_-]?)?token"
)
# `sig=...`, `AccountKey=...;`, `"private_key": "..."`. A bare word such as `key` before a colon may
# mean anything, so with a colon the name must be quoted, as in JSON and in Python's output.
_PARAMETER: Final = re.compile(
    rf"(?P<kept>(?<![a-z0-9])(?:{_NAMES})\s*=\s*['\"]?)[^\s&;,'\")]+", re.IGNORECASE
)
_MEMBER: Final = re.compile(
    rf"(?P<kept>(?P<quote>['\"])(?:{_NAMES})(?P=quote)\s*:\s*(?P<end>['\"]))"
    r"(?:\\.|(?!(?P=end)).)*",
    re.IGNORECASE | re.DOTALL,
)
_HEADER: Final = re.compile(
    r"(?P<kept>\b(?:bearer|basic|sharedkey|authorization:)\s+)(?!redacted)[A-Za-z0-9+/._~:=-]{16,}",
    re.IGNORECASE,
)
_PEM: Final = re.compile(
    r"(?P<kept>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL
)
_BARE: Final = re.compile(
    r"(?P<kept>)\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[\w.-]+|eyJ[\w-]{10,}\.[\w-]+\.[\w-]*"
    r"|AIza[\w-]{35})"
)
_RULES: Final = (_PEM, _MEMBER, _QUERY, _PASSWORD, _USER, _PARAMETER, _HEADER, _BARE)


def redacted(text: str) -> str:
    """The text, with every recognised secret replaced by `[redacted]`.

    Those are: query strings of web addresses, user names and passwords inside addresses, the
    values of parameters, members and connection strings whose names say that they are secret
    (`sig`, `AccountKey`, `X-Goog-Signature`, `aws_secret_access_key`, `private_key`), tokens in
    headers, private keys, and keys and tokens of AWS and Google by their form.
    """
    for rule in _RULES:
        text = rule.sub(rf"\g<kept>{_HIDDEN}", text)
    return text

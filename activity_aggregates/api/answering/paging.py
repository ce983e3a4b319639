"""The tokens of pages: where the next page begins, signed, and good for one caller and one activity only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from activity_aggregates.api.edge.refusals import Refused, invalid

SIGNATURE_BYTES = 16


class Pages:
    """Makes and reads page tokens. Every process of a deployment needs the same secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, last: str, *query: str) -> str:
        """The token of the page after the member `last`; `query` is all that it is bound to."""
        content = last.encode()
        return base64.urlsafe_b64encode(self._signature(last, query) + content).decode().rstrip("=")

    def last(self, token: str, *query: str) -> str:
        """The member after whom the page begins.

        >>> pages = Pages(b"secret")
        >>> pages.last(pages.token("u1", "g1", "u9"), "g1", "u9")
        'u1'
        >>> pages.last(pages.token("u1", "g1", "u9"), "g2", "u9")
        Traceback (most recent call last):
        activity_aggregates.api.edge.refusals.Refused: request.next is not a token of this query.
        """
        try:
            content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            last = content[SIGNATURE_BYTES:].decode()
        except (binascii.Error, ValueError):
            content, last = b"", ""
        if not hmac.compare_digest(content[:SIGNATURE_BYTES], self._signature(last, query)):
            raise Refused(invalid("request.next is not a token of this query."))
        return last

    def _signature(self, last: str, query: tuple[str, ...]) -> bytes:
        # As JSON: no two lists of strings are written alike.
        message = json.dumps([last, *query]).encode()
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:SIGNATURE_BYTES]

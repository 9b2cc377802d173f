"""Shopper tokens."""

import base64
import hashlib
import hmac
import json
import time


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def shopper_token(
    secret: str,
    shopper: str,
    *,
    seconds: int = 3600,
    scope: str = "events:write recommendations:read",
) -> str:
    """Signs a token with which a browser acts for one shopper, for at most a day.

    Call it on the shop's server only: the secret, `cws_…`, must not leave it. A guest is written as
    `~` and the anonymous id.
    """
    claims = {"sub": shopper, "exp": int(time.time()) + seconds, "scope": scope}
    signed = "v1." + _base64url(json.dumps(claims, separators=(",", ":")).encode())
    mac = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64url(mac)}"

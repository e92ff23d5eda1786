"""Reading an identity provider's ID token: nothing in it is believed before all of it is proved.

Signed by a key of the provider with an asymmetric algorithm (so neither `none` nor a guessed shared secret), issued by
the configured issuer, for us, for this very sign-in (nonce), and not expired (OpenID Connect Core 3.1.3.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

__all__ = ["BadIdToken", "claims_of"]

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
LEEWAY_S = 60


class BadIdToken(Exception):
    """The token proves nothing. `reason` is a short code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def claims_of(
    token: str, keys: Callable[[bool], dict[str, Any]], *, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of a proved token. Raises `BadIdToken`. `keys(True)` asks the provider anew (it changes its keys)."""
    claims = _verified(token, keys)
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer}, sub={"essential": True}, aud={"essential": True, "value": client_id},
        exp={"essential": True}, iat={"essential": True}, nonce={"essential": True, "value": nonce},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise BadIdToken(f"id-token-{error.error.replace('_', '-')}") from error
    audience = claims["aud"]
    others = isinstance(audience, list) and set(audience) != {client_id}
    if (others or "azp" in claims) and claims.get("azp") != client_id:
        raise BadIdToken("id-token-for-another-party")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise BadIdToken("id-token-without-subject")
    return claims


def _verified(token: str, keys: Callable[[bool], dict[str, Any]]) -> dict[str, Any]:
    for anew in (False, True):
        try:
            return dict(jwt.decode(token, KeySet.import_key_set(keys(anew)), algorithms=ALGORITHMS).claims)  # type: ignore[arg-type]
        except (InvalidKeyIdError, BadSignatureError) as error:
            if anew:
                raise BadIdToken("id-token-not-signed-by-provider") from error
        except (JoseError, ValueError) as error:
            raise BadIdToken("id-token-not-readable") from error
    raise AssertionError("unreachable")

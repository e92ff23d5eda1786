"""`Idempotency-Key`, required on every POST (IETF draft): a retry gets the first answer and changes nothing.

The fingerprint is an HMAC over method, path, acting clinic and the canonical body, so no patient data is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
from flask import request

from api.http.problems import Problem
from services.log import Idempotency

__all__ = ["CLINIC_HEADER", "REPLAYED_HEADER", "correlation", "id_for", "idempotency"]

REPLAYED_HEADER = "Idempotent-Replayed"
CLINIC_HEADER = "X-Clinic-Id"
CORRELATION_HEADER = "X-Correlation-Id"

_KEY = re.compile(r"[\x21-\x7e]{8,128}", re.ASCII)


def key_of_request() -> str:
    """The Idempotency-Key; raises `Problem` 400 when it is missing or not 8 to 128 visible ASCII characters."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        raise Problem(400, "idempotency-key-missing", "Send an Idempotency-Key (a UUID, say) with every POST.")
    text = given.strip().strip('"')
    if not _KEY.fullmatch(text):
        raise Problem(400, "idempotency-key-invalid", "An Idempotency-Key has 8 to 128 visible ASCII characters.")
    return text


def idempotency(principal_id: str, body: Any, secret: bytes) -> Idempotency:
    """What the log keeps of this request."""
    canonical = msgspec.json.encode(body, order="deterministic")
    said = "\n".join([request.method, request.path, request.headers.get(CLINIC_HEADER, "")]).encode()
    return Idempotency(
        principal=principal_id,
        key=key_of_request(),
        body_hmac=hmac.new(secret, said + b"\n" + canonical, hashlib.sha256).digest(),
    )


def correlation() -> UUID | None:
    """What binds several requests into one act (an entry struck here and made again there); raises `Problem` 400."""
    given = request.headers.get(CORRELATION_HEADER)
    if given is None:
        return None
    try:
        return UUID(given)
    except ValueError as error:
        raise Problem(400, "invalid-correlation-header", f"{CORRELATION_HEADER} is not a UUID.") from error


def id_for(request_key: Idempotency, what: str) -> UUID:
    """The id of a new thing that the caller did not name: the same for every retry of this request."""
    return uuid5(NAMESPACE_OID, "\x1f".join(["anodyne", request_key.principal, request_key.key, what]))

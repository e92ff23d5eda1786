"""An OpenID provider that does everything wrong that it is told to: `python -m tests.support.crooked_oidc PORT`.

`POST /crook` with JSON sets what it does: `claims` are put over those of the ID token (null takes one out), `alg`
(`none`, `HS256`: signed with the client's secret), `key` (the name of the signing key), `published` (the names of the
keys at /jwks), `issuer` (what discovery says), `no_id_token`, `userinfo`, `error`. Without any of it, it is right.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "anodyne-tests", "a-client-secret-of-the-tests-only"


class Provider:
    """Keys by name, codes that were given, and what is to be done wrong."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.crook: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}
        self.keys = {name: RSAKey.generate_key(2048, {"kid": name}) for name in ("first", "second")}
        self.seen: list[str] = []

    def discovery(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks",
            "userinfo_endpoint": "userinfo", "end_session_endpoint": "end",
        }  # fmt: skip
        return {
            "issuer": self.crook.get("issuer", self.issuer), "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **{name: f"{self.issuer}/{path}" for name, path in paths.items()},
        }

    def jwks(self) -> dict[str, Any]:
        return {"keys": [
            {**self.keys[name].as_dict(private=False), "use": "sig", "alg": "RS256"}
            for name in self.crook.get("published", ["first"])
        ]}  # fmt: skip

    def authorize(self, query: dict[str, str]) -> str:
        code = secrets.token_urlsafe(16)
        self.asked[code] = query
        answer = {"code": code, "state": query["state"]}
        if "error" in self.crook:
            answer = {"error": self.crook["error"], "state": query["state"]}
        if "iss" in self.crook:
            answer["iss"] = self.crook["iss"]
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.asked.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or authorization != f"Basic {basic}":
            return 400, {"error": "invalid_grant"}
        if asked.get("code_challenge_method") != "S256" or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        answer = {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60}
        if "no_id_token" not in self.crook:
            answer["id_token"] = self.id_token(asked)  # type: ignore[assignment]
        return 200, answer

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "ada", "aud": CLIENT_ID, "exp": now + 300, "iat": now,
            "nonce": asked.get("nonce"), "name": "Ada Auditor", "email": "ada@clinic.example", "email_verified": True,
            "groups": ["auditors"], **self.crook.get("claims", {}),
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        alg, name = self.crook.get("alg", "RS256"), self.crook.get("key", "first")
        if alg == "none":
            parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
            return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])
        if alg == "HS256":
            return jwt.encode({"alg": "HS256", "kid": name}, claims, OctKey.import_key(CLIENT_SECRET))
        kid = {} if self.crook.get("no_kid") else {"kid": name}
        return jwt.encode({"alg": "RS256", **kid}, claims, self.keys[name])


def serve(port: int) -> None:
    """Until it is killed."""
    provider = Provider(f"http://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()
                return
            pages = {
                "/.well-known/openid-configuration": provider.discovery, "/jwks": provider.jwks,
                "/userinfo": lambda: provider.crook.get("userinfo", {"sub": "ada"}), "/end": lambda: query,
            }  # fmt: skip
            page = pages.get(parts.path)
            self.answer(404 if page is None else 200, {} if page is None else page())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path == "/crook":
                provider.crook = json.loads(body)
                self.answer(200, {})
                return
            form = {name: values[-1] for name, values in parse_qs(body).items()}
            self.answer(*provider.token(form, self.headers.get("Authorization", "")))

        def answer(self, status: int, body: dict[str, Any]) -> None:
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

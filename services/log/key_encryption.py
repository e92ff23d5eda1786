"""Where the key-encryption key (KEK) comes from: a file, the environment, or a key management service."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEK_BYTES = 32
_NONCE_BYTES = 12


class KekError(RuntimeError):
    """The key-encryption key is missing, malformed or not the one that wrapped a data key."""


class KekProvider(Protocol):
    """Wraps and unwraps data keys. `context` (owner and purpose) is bound: a blob opens only under its own."""

    @property
    def kek_id(self) -> str:
        """Names the KEK that `wrap` uses now."""

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """The data key, encrypted."""

    def unwrap(self, blob: bytes, context: bytes, kek_id: str) -> bytes:
        """The data key that `wrap` encrypted under `kek_id`; KekError otherwise."""


class LocalKek:
    """A KEK held in this process's memory: AES-256-GCM with the context as associated data.

    `former` are KEKs of earlier days: they unwrap but no longer wrap (rotation).
    """

    def __init__(self, secret: bytes, *, former: tuple[bytes, ...] = ()) -> None:
        self._ciphers = {}
        for each in (secret, *former):
            if len(each) != KEK_BYTES:
                raise KekError(f"a key-encryption key has {KEK_BYTES} bytes, not {len(each)}")
            self._ciphers[_fingerprint(each)] = AESGCM(each)
        self._kek_id = _fingerprint(secret)

    @property
    def kek_id(self) -> str:
        return self._kek_id

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[self._kek_id].encrypt(nonce, data_key, context)

    def unwrap(self, blob: bytes, context: bytes, kek_id: str) -> bytes:
        cipher = self._ciphers.get(kek_id)
        if cipher is None:
            raise KekError(f"this program does not hold the key-encryption key {kek_id}")
        try:
            return cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], context)
        except InvalidTag:
            raise KekError("a wrapped data key was altered or belongs to another owner") from None


def _fingerprint(secret: bytes) -> str:
    return "local:" + hashlib.sha256(b"anodyne/kek/1" + secret).hexdigest()[:16]


def file_kek(path: Path, *, create: bool = False) -> LocalKek:
    """The KEK in a file of base64 lines (the first wraps, later ones only unwrap); mode 0600.

    `create` makes it, exclusively, when it is missing: for the embedded default. KekError otherwise.
    """
    if create and not path.exists():
        _create_kek_file(path)
    try:
        lines = path.read_text("ascii").split()
    except FileNotFoundError:
        raise KekError(f"no key-encryption key at {path}; restore it from its backup") from None
    if not lines:
        raise KekError(f"{path} is empty")
    return _decoded(lines, str(path))


def _create_kek_file(path: Path) -> None:
    """Whole or not at all: written beside it and linked into place, so two processes agree on one key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(base64.b64encode(os.urandom(KEK_BYTES)) + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def environment_kek(value: str) -> LocalKek:
    """The KEK as base64 in a setting's value; former ones after commas."""
    return _decoded([part for part in value.replace(",", " ").split() if part], "the setting")


def _decoded(parts: list[str], where: str) -> LocalKek:
    try:
        secrets = [base64.b64decode(part, validate=True) for part in parts]
    except ValueError:
        raise KekError(f"{where} does not hold base64 of a key-encryption key") from None
    if not secrets:
        raise KekError(f"{where} holds no key-encryption key")
    return LocalKek(secrets[0], former=tuple(secrets[1:]))


# --- key management service ----------------------------------------------------------------------


class KmsClient(Protocol):
    """What a key management service must offer (the shape of AWS KMS, Google Cloud KMS and Vault transit)."""

    def encrypt(self, *, key_id: str, plaintext: bytes, context: dict[str, str]) -> bytes:
        """Ciphertext, bound to `context`."""

    def decrypt(self, *, key_id: str, ciphertext: bytes, context: dict[str, str]) -> bytes:
        """Plaintext; any exception of the service's own when it refuses."""


class KmsKek:
    """A KEK that never leaves a key management service."""

    def __init__(self, client: KmsClient, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    @property
    def kek_id(self) -> str:
        return f"kms:{self._key_id}"

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        return self._client.encrypt(key_id=self._key_id, plaintext=data_key, context=_kms_context(context))

    def unwrap(self, blob: bytes, context: bytes, kek_id: str) -> bytes:
        try:
            return self._client.decrypt(
                key_id=kek_id.removeprefix("kms:"), ciphertext=blob, context=_kms_context(context)
            )
        except KekError:
            raise
        except Exception as error:
            raise KekError(f"the key management service did not unwrap a data key: {type(error).__name__}") from error


def _kms_context(context: bytes) -> dict[str, str]:
    return {"anodyne": base64.b64encode(context).decode("ascii")}


class InProcessKms:
    """A key management service in this process, with named keys that can be rotated and disabled.

    Real cryptography behind the same interface: what the contract tests run against, and good enough where a
    single process holds the keys.
    """

    def __init__(self) -> None:
        self._keys: dict[str, list[bytes]] = {}
        self._disabled: set[str] = set()

    def create_key(self, key_id: str) -> None:
        self._keys[key_id] = [AESGCM.generate_key(256)]

    def rotate_key(self, key_id: str) -> None:
        """New ciphertexts use a new version; old ones still open."""
        self._keys[key_id].append(AESGCM.generate_key(256))

    def disable_key(self, key_id: str) -> None:
        self._disabled.add(key_id)

    def encrypt(self, *, key_id: str, plaintext: bytes, context: dict[str, str]) -> bytes:
        versions = self._usable(key_id)
        nonce = os.urandom(_NONCE_BYTES)
        header = len(versions).to_bytes(2, "big")
        return header + nonce + AESGCM(versions[-1]).encrypt(nonce, plaintext, header + _canonical(context))

    def decrypt(self, *, key_id: str, ciphertext: bytes, context: dict[str, str]) -> bytes:
        versions = self._usable(key_id)
        header, nonce, body = ciphertext[:2], ciphertext[2:14], ciphertext[14:]
        version = int.from_bytes(header, "big")
        if not 1 <= version <= len(versions):
            raise KekError(f"no version {version} of key {key_id}")
        try:
            return AESGCM(versions[version - 1]).decrypt(nonce, body, header + _canonical(context))
        except InvalidTag:
            raise KekError("the ciphertext or its context was altered") from None

    def _usable(self, key_id: str) -> list[bytes]:
        if key_id not in self._keys or key_id in self._disabled:
            raise KekError(f"key {key_id} is missing or disabled")
        return self._keys[key_id]


def _canonical(context: dict[str, str]) -> bytes:
    return b"".join(
        len(part.encode()).to_bytes(4, "big") + part.encode() for pair in sorted(context.items()) for part in pair
    )

"""What a request may reach: the wired application and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Semaphore
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, g

from api.auth.identity import Identity
from api.auth.keys import KeyRegistry, Principal
from api.auth.sessions import Session
from api.settings import Settings

if TYPE_CHECKING:
    from api.bootstrap import ReadSide, Services
    from api.http.scope import Origins

__all__ = ["EXTENSION", "Wired", "principal", "session", "wired", "wired_of"]

EXTENSION = "anodyne"


@dataclass(frozen=True)
class Wired:
    """Everything `create_app` was given. `waiting` are the threads that long polls may hold at the same time."""

    settings: Settings
    services: Services
    read_side: ReadSide
    keys: KeyRegistry
    identity: Identity
    secret: bytes
    origins: Origins
    waiting: Semaphore


def wired_of(app: Flask) -> Wired:
    """The parts of an application that is not serving a request."""
    return cast(Wired, app.extensions[EXTENSION])


def wired() -> Wired:
    """The parts of the application that serves this request."""
    return cast(Wired, current_app.extensions[EXTENSION])


def principal() -> Principal:
    """Who is asking. Only for operations behind authentication."""
    return cast(Principal, g.principal)


def session() -> Session:
    """The session of who is asking. Only for pages behind sign-in."""
    return cast(Session, g.session)

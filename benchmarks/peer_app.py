"""What stands beside our API behind the same gunicorn: the library's bare create-and-save, and nothing at all."""

from __future__ import annotations

import os

from flask import Flask, Response, jsonify, request

from benchmarks import library


def create_app() -> Flask:
    """POST /visits creates and saves an aggregate; POST /nothing reads its body and answers."""
    app = Flask("peer")
    visits = library.Visits(env=dict(os.environ))

    @app.post("/visits")
    def create_visit() -> tuple[Response, int]:
        visit = library.create_and_save(visits)
        return jsonify(id=str(visit.id), version=visit.version), 201

    @app.post("/nothing")
    def nothing() -> tuple[Response, int]:
        return jsonify(kind=request.get_json()["kind"]), 201

    return app

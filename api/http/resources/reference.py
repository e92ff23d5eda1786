"""Reference: the coded values the API takes, and the protocol document that a prescriber may start from."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response
from marshmallow import Schema, fields

from api.http import examples as ex
from api.http.commands import ResourceBlueprint
from api.http.reading import answer, read_endpoint
from domain.vocabulary import conditions, contraindications, discharge, people, reasons, scales, side_effects, vitals

blueprint = ResourceBlueprint("reference", __name__, url_prefix="/v1", description=__doc__)

VOCABULARIES = {
    **reasons.VOCABULARIES,
    "conditions": conditions.RECORDABLE,
    "contraindications": contraindications.CONTRAINDICATIONS,
    "discharge_scores": discharge.DISCHARGE_SCORES,
    "professions": people.PROFESSIONS,
    "credential_kinds": people.CREDENTIAL_KINDS,
    "scales": scales.SCALES,
    "pain_kinds": scales.PAIN_KINDS,
    "side_effects": side_effects.SIDE_EFFECTS,
    "vitals": vitals.VITALS,
}


class VocabulariesSchema(Schema):
    """Every list of codes by its name."""

    vocabularies = fields.Dict(
        keys=fields.String(), values=fields.List(fields.Dict(keys=fields.String())), required=True
    )


class ExampleProtocolSchema(Schema):
    """A protocol document, ready to be adopted (and to be changed first)."""

    document = fields.Dict(keys=fields.String(), required=True)


def _term(term: Any) -> dict[str, Any]:
    return {"code": term.code, "text": term.text, "source": term.source, "confirmed": term.confirmed}


@read_endpoint(
    blueprint, "/vocabularies", "vocabularies", VocabulariesSchema,
    {"vocabularies": {"pregnancy": [{"code": "denied", "text": "denied", "source": "the design's language (section 3)",
                                     "confirmed": True}]}},
)
def vocabularies() -> Response:
    """Every code that the API takes, with its text and source."""
    return answer({"vocabularies": {
        name: [_term(term) for term in terms.values()] for name, terms in sorted(VOCABULARIES.items())
    }})


@read_endpoint(blueprint, "/protocols/example", "example_protocol", ExampleProtocolSchema, {"document": ex.PROTOCOL})
def example_protocol() -> Response:
    """The shipped example protocol: values without clinical authority, until a prescriber adopts them."""
    return answer({"document": msgspec.to_builtins(ex.PROTOCOL)})

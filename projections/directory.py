"""Who is who: names to show, and blind indexes by which a patient is found. The only unsealed part of the read side.

`PatientErased` purges a patient's rows, open and closed, in live and rebuilt tables alike. Phone, email, identifiers
and birth date are findable without being stored as such: a keyed hash per field (HMAC-SHA256 under a key derived for
that field), the birth date only compounded with the family name, since alone it has too few values to hide in.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Select, Table, or_, select

from domain.kernel import Recorded, Scanned
from domain.ports import Unsealer
from projections.engine.working import Row, Working
from projections.facts.encoding import micros
from projections.facts.tables import care_relation_facts, directory_indexes, directory_people

REGISTERED = "patient.registered.v1"
CORRECTED = "patient.demographics_corrected.v1"
MERGED = "patient.merged.v1"
UNMERGED = "patient.unmerged.v1"
ERASED = "patient.erased.v1"
AMENDED = "entry.amended.v1"
STRUCK = "entry.struck.v1"

_SHOWN = ("family_name", "given_name", "birth_date", "sex", "age_band")


def normalized(value: str) -> str:
    """`value` as it is compared: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


class BlindIndexes:
    """Keyed hashes of identifying values; the same value under another field's name hashes otherwise."""

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def of(self, field: str, value: str) -> str:
        """The blind index of `value` as a `field`."""
        field_key = hmac.digest(self._key, b"anodyne directory " + field.encode(), hashlib.sha256)
        return f"{field}:{hmac.digest(field_key, normalized(value).encode(), hashlib.sha256)[:16].hex()}"

    def phone(self, value: str) -> str:
        """By its digits alone."""
        return self.of("phone", "".join(character for character in value if character.isdigit()))

    def born(self, family_name: str, birth_date: str) -> str:
        """Birth date compounded with the family name."""
        return self.of("born", f"{family_name}\x1f{birth_date}")

    def all_of(self, person: Mapping[str, Any]) -> set[str]:
        """Every index of one person's fields, as unsealed from the log."""
        found = set()
        if isinstance(phone := person.get("phone"), str):
            found.add(self.phone(phone))
        if isinstance(email := person.get("email"), str):
            found.add(self.of("email", email))
        family, born = person.get("family_name"), person.get("birth_date")
        if isinstance(family, str) and isinstance(born, str):
            found.add(self.born(family, born))
        identifiers = person.get("identifiers")
        for system, value in (identifiers if isinstance(identifiers, dict) else {}).items():
            if isinstance(value, str):
                found.add(self.of("identifier", f"{system}\x1f{value}"))
        return found


class Directory:
    """Follows registrations and their corrections with an `Unsealer`; runs in a group of its own (`whole_records`)."""

    name = "directory"
    version = 1
    tables: Sequence[Table] = (directory_people, directory_indexes)
    names = frozenset({REGISTERED, CORRECTED, MERGED, UNMERGED, ERASED, AMENDED, STRUCK})

    def __init__(self, unsealer: Unsealer, indexes: BlindIndexes) -> None:
        self._unsealer = unsealer
        self._indexes = indexes

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        """Keeps one open row per patient, and one per blind index of the patient's current fields."""
        records = cast(Sequence[Recorded], batch)  # this group asks the engine for whole records
        patients = [str(record.stream_id) for record in records]
        working.preload(directory_people, "patient", patients)
        working.preload(directory_indexes, "patient", patients)
        for record in records:
            self._follow(record, working)

    def _follow(self, record: Recorded, working: Working) -> None:
        patient = str(record.stream_id)
        match record.name:
            case "patient.registered.v1":
                self._register(record, patient, working)
            case "patient.demographics_corrected.v1":
                self._revise(record, patient, self._unsealer.unsealed(record), working)
            case "entry.amended.v1":
                self._amend(record, patient, working)
            case "entry.struck.v1":
                if record.event.entry_name == REGISTERED:  # type: ignore[attr-defined]
                    self._close(record, patient, working)
            case "patient.merged.v1":
                survivor = str(record.event.survivor_id)  # type: ignore[attr-defined]
                self._put(record, patient, {"merged_into": survivor}, working)
            case "patient.unmerged.v1":
                self._put(record, patient, {"merged_into": None}, working)
            case "patient.erased.v1":
                working.purge(directory_people, "patient", patient)
                working.purge(directory_indexes, "patient", patient)

    def _register(self, record: Recorded, patient: str, working: Working) -> None:
        person = self._unsealer.unsealed(record)
        self._index(record, patient, person, working)
        shown = {column: value for column in _SHOWN if isinstance(value := person.get(column), str)}
        working.open(
            directory_people, fact_id=f"d{record.position}", known_from=record.position, position=record.position,
            entry=f"{record.stream_id}:{record.version}", kind="person", at_us=micros(record.occurred_at),
            clinic=str(record.clinic_id) if record.clinic_id else None, patient=patient,
            search_name=_search_name(shown), **shown,
        )  # fmt: skip

    def _amend(self, record: Recorded, patient: str, working: Working) -> None:
        if record.event.entry_name not in (REGISTERED, CORRECTED):  # type: ignore[attr-defined]
            return
        payload = self._unsealer.unsealed(record)
        changes: dict[str, Any] = {}
        for part in ("corrections", "sealed"):
            fields = payload.get(part)
            changes.update(fields if isinstance(fields, dict) else {})
        self._revise(record, patient, changes, working)

    def _revise(self, record: Recorded, patient: str, changes: Mapping[str, Any], working: Working) -> None:
        rows = working.open_rows(directory_people, "patient", patient)
        if not rows:
            return
        row = rows[-1]
        shown = {column: changes[column] if isinstance(changes.get(column), str) else row[column] for column in _SHOWN}
        contact = {field: changes[field] for field in ("phone", "email", "identifiers") if changes.get(field)}
        self._index(record, patient, {**contact, **shown}, working)
        working.revise(directory_people, row, record.position, **shown, search_name=_search_name(shown))

    def _put(self, record: Recorded, patient: str, changes: Mapping[str, Any], working: Working) -> None:
        for row in working.open_rows(directory_people, "patient", patient):
            working.revise(directory_people, row, record.position, **changes)

    def _index(self, record: Recorded, patient: str, person: Mapping[str, Any], working: Working) -> None:
        wanted = self._indexes.all_of(person)
        replaced = {_kind(blind) for blind in wanted}
        for row in working.open_rows(directory_indexes, "patient", patient):
            if row["blind_index"] in wanted:
                wanted.discard(row["blind_index"])
            elif row["kind"] in replaced:
                working.close(directory_indexes, row, record.position)
        for ordinal, blind in enumerate(sorted(wanted)):
            working.open(
                directory_indexes, fact_id=f"x{record.position}.{ordinal}", known_from=record.position,
                position=record.position, entry=f"{record.stream_id}:{record.version}", kind=_kind(blind),
                at_us=micros(record.occurred_at), patient=patient, blind_index=blind,
            )  # fmt: skip

    def _close(self, record: Recorded, patient: str, working: Working) -> None:
        for table in (directory_people, directory_indexes):
            for row in working.open_rows(table, "patient", patient):
                working.close(table, row, record.position)


def _kind(blind: str) -> str:
    return blind.partition(":")[0]


def _search_name(shown: Mapping[str, Any]) -> str:
    return normalized(f"{shown.get('family_name') or ''} {shown.get('given_name') or ''}")


# --- asking ---------------------------------------------------------------------------------------


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One patient as a list shows them; names are None when the record cannot be opened."""

    patient_id: str
    family_name: str | None
    given_name: str | None
    birth_date: str | None
    sex: str | None
    age_band: str | None
    merged_into: str | None = None


def named(conn: Connection, patients: Collection[str]) -> dict[str, Person]:
    """The people behind these ids; who was erased is absent."""
    if not patients:
        return {}
    rows = conn.execute(_people().where(directory_people.c.patient.in_(sorted(patients)))).mappings()
    return {row["patient"]: _person(row) for row in rows}


def find(
    conn: Connection,
    indexes: BlindIndexes,
    *,
    clinics: Collection[str] | None,
    name: str | None = None,
    phone: str | None = None,
    email: str | None = None,
    identifier: tuple[str, str] | None = None,
    born: tuple[str, str] | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[Person]:
    """Patients that match everything asked and that one of `clinics` cares for (None: any), ordered by name then id.

    `name` is the beginning of the family name (with the given name after a space); `born` is (family name, birth
    date); `after` is the last patient id of the page before. An empty question lists everybody in sight.
    """
    people = directory_people.c
    query = _people()
    for blind in _asked(indexes, phone, email, identifier, born):
        matching = select(directory_indexes.c.patient).where(
            directory_indexes.c.blind_index == blind, directory_indexes.c.known_to.is_(None)
        )
        query = query.where(people.patient.in_(matching))
    if name:
        wanted = normalized(name)
        query = query.where(people.search_name >= wanted, people.search_name < wanted + "\U0010ffff")
    if clinics is not None:
        relations = care_relation_facts.c
        cared_for = select(relations.patient).where(relations.clinic.in_(sorted(clinics)), relations.known_to.is_(None))
        query = query.where(people.patient.in_(cared_for))
    if after is not None:
        last = conn.scalar(select(people.search_name).where(people.patient == after, people.known_to.is_(None)))
        query = query.where(
            or_(people.search_name > (last or ""), (people.search_name == (last or "")) & (people.patient > after))
        )
    rows = conn.execute(query.order_by(people.search_name, people.patient).limit(limit)).mappings()
    return [_person(row) for row in rows]


def _asked(
    indexes: BlindIndexes,
    phone: str | None,
    email: str | None,
    identifier: tuple[str, str] | None,
    born: tuple[str, str] | None,
) -> Iterable[str]:
    if phone:
        yield indexes.phone(phone)
    if email:
        yield indexes.of("email", email)
    if identifier:
        yield indexes.of("identifier", "\x1f".join(identifier))
    if born:
        yield indexes.born(*born)


def _people() -> Select[Any]:
    return select(directory_people).where(directory_people.c.known_to.is_(None))


def _person(row: Mapping[Any, Any] | Row) -> Person:
    return Person(
        patient_id=row["patient"], family_name=row["family_name"], given_name=row["given_name"],
        birth_date=row["birth_date"], sex=row["sex"], age_band=row["age_band"], merged_into=row["merged_into"],
    )  # fmt: skip

"""The fact tables: one row per thing that happened, in columns, as it stood from `known_from` until `known_to`.

A fact row is one entry of the log put into columns, free of any definition: metrics are computed from these
rows at read. Nothing is ever updated but `known_to`: an amendment closes the entry's row and opens the
corrected one, a strike only closes it, both at their own position. So `known_at` is a cut over
`known_from`/`known_to`, and `as_of` a cut over `at_us`.

Common columns
    fact_id     the fact's own name: table prefix and position of its entry (`v1234`); the same after an amendment
    known_from  position that opened the row; known_to the position that closed it, null while it stands
    position    position of the entry itself (differs from known_from once amended): where the fact opens into the log
    entry       the entry's stream and version, `<uuid>:<version>`: how a correction finds it
    kind        which event it was, in one word
    at_us       when it happened (`occurred_at`), microseconds since the epoch, UTC
    clinic      where the act took place; patient: whom it concerns (pseudonymous id)

Ids are text, moments integers (`*_us`), quantities integers in the unit that the name states.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

from projections.engine.projection import Id
from projections.engine.projection import fact_table as bitemporal_table

metadata = MetaData()


def text(name: str) -> Column[Any]:
    return Column(name, Text)


def ident(name: str) -> Column[Any]:
    return Column(name, Id)


def number(name: str) -> Column[Any]:
    return Column(name, Integer)


def big(name: str) -> Column[Any]:
    return Column(name, BigInteger)


def fact_table(
    name: str,
    *columns: Column[Any],
    indexed: tuple[tuple[str, ...], ...] = (),
    lookups: tuple[str, ...] = ("entry",),
    followed: bool = False,
) -> Table:
    """A fact table: the common columns, its own, and an index for every way it is read."""
    return bitemporal_table(
        name,
        Column("position", BigInteger, nullable=False), Column("entry", Id, nullable=False),
        Column("kind", Id, nullable=False), Column("at_us", BigInteger, nullable=False),
        ident("clinic"), ident("patient"), *columns,
        lookups=lookups, indexes=indexed, followed=followed, metadata=metadata,
    )  # fmt: skip


clinic_facts = fact_table(
    "clinic_facts",
    ident("room"), ident("closure"), big("starts_us"), big("ends_us"), text("from_date"), text("detail"),
    text("prime"),
    indexed=(("clinic",),),
)
"""opened (detail: time zone), room_added, room_retired, hours and protocol (detail: JSON), closed, reopened."""

appointment_facts = fact_table(
    "appointment_facts",
    ident("appointment"), ident("room"), text("visit_kind"), big("starts_us"), big("ends_us"), big("was_starts_us"),
    ident("course"), ident("series"), text("asked_by"), text("reason"), text("moved_from"), text("to_date"),
    indexed=(("appointment",), ("clinic", "starts_us"), ("clinic", "was_starts_us"), ("patient",)),
    followed=True,
)
"""booked, moved, confirmed, cancelled, no_show, overbooked: the life of a booking, step by step."""

visit_facts = fact_table(
    "visit_facts",
    ident("infusion"), ident("room"), text("visit_kind"), ident("appointment"), ident("course"),
    big("booked_starts_us"), big("booked_ends_us"), text("reason"), text("scale"), number("score"),
    indexed=(("infusion",), ("clinic", "at_us"), ("appointment",)),
    followed=True,
)
"""arrived, roomed, moved_room, checked, started, paused, resumed, stopped, recovery, then how it ended, released."""

infusion_facts = fact_table(
    "infusion_facts",
    ident("infusion"), ident("course"), text("purpose"), big("started_us"), big("dose_ug"), big("dose_ng_per_kg"),
    big("run_us"), number("complete"),
    indexed=(("infusion",), ("clinic", "at_us"), ("patient", "at_us"), ("course", "at_us")),
    followed=True,
)
"""given: one row per InfusionGiven; `at_us` is the final drug stop, `run_us` the time the drug ran, pauses excluded."""

score_facts = fact_table(
    "score_facts",
    text("instrument"), big("value_milli"), ident("infusion"),
    indexed=(("patient", "at_us"),),
    followed=True,
)
"""pain (instrument now, average, worst), function, mood, cognition, relief."""

follow_up_facts = fact_table(
    "follow_up_facts",
    ident("follow_up"), ident("infusion"), big("due_us"), text("instruments"),
    indexed=(("clinic", "due_us"), ("follow_up",)),
    followed=True,
)
"""due, superseded, missed: one row per prompt and step."""

course_facts = fact_table(
    "course_facts",
    ident("course"), text("condition"), text("plan"), ident("infusion"), ident("subject"), number("positive"),
    text("decision"), text("reason"), number("infusions"), text("from_date"), text("until_date"), ident("appointment"),
    ident("other_clinic"), ident("referral"),
    indexed=(("course",), ("clinic", "at_us"), ("patient",), ("other_clinic",)),
    followed=True,
)
"""consultation, opened, gate, series_planned, series_revised, optimal_relief, booster_*, transferred, closed.

`subject` is the consultation, series or booster; `from_date`/`until_date` the series window or the booster's due date;
`plan` alone or combined, or (booster_scheduled) the days of the spells that its date was worked out from, as JSON.
"""

patient_facts = fact_table(
    "patient_facts",
    ident("subject"), text("code"), text("sex"), text("age_band"), text("from_date"), text("until_date"),
    number("failed"),
    indexed=(("patient",), ("clinic", "at_us"), ("subject",)),
    followed=True,
)
"""registered, corrected, home_clinic, condition, adjunct_*, referral, screening, cleared, consent*, *merged."""

safety_facts = fact_table(
    "safety_facts",
    ident("infusion"), ident("subject"), text("code"), number("grade"), number("serious"), big("onset_us"),
    big("ended_us"), text("reason"), text("detail"),
    indexed=(("infusion",), ("subject",), ("clinic", "at_us"), ("patient", "at_us")),
    followed=True,
)
"""given (the denominator), side_effect*, alert*, home_alert*, breach, override, refusal, stopped_early, how it ended.

`subject` is the side effect, alert or order; `code` its kind, sign, rule or limit.
"""

watch_facts = fact_table(
    "watch_facts",
    ident("infusion"), ident("subject"), number("driver"), number("planned_minutes"), big("rate_ug_per_h"),
    big("dose_ug"), number("measured"),
    indexed=(("infusion",),),
)
"""checked (driver: named or not), ordered, started, rate_changed, paused, resumed, stopped, bolus, vitals, sedation.

How the drug ran and the patient was watched; `measured` 0: nothing of the set could be obtained.
"""

loose_end_facts = fact_table(
    "loose_end_facts",
    ident("subject"), ident("stream"), ident("infusion"), ident("room"), text("code"), big("due_us"),
    Column("until_us", BigInteger, nullable=False),
    indexed=(("clinic", "known_to"),), lookups=("subject", "stream"),
)
"""visit, room, order, draw, alert, home_alert: something begun and, from `until_us` on, ended (OPEN until it is);

and what ends them, visit_end and so on, whose `until_us` is their own moment.
"""
_standing = loose_end_facts.c.known_to.is_(None)
Index(
    "ix_loose_end_facts_standing", loose_end_facts.c.clinic, loose_end_facts.c.until_us,
    postgresql_where=_standing, sqlite_where=_standing,
)  # fmt: skip

care_relation_facts = fact_table(
    "care_relation_facts",
    text("reason"),
    indexed=(("patient", "clinic"), ("clinic", "patient")),
    lookups=("entry", "patient"),
)
"""open: this clinic may see this patient, from `known_from` until `known_to`."""

directory_people = fact_table(
    "directory_people",
    text("family_name"), text("given_name"), text("birth_date"), text("sex"), text("age_band"), ident("search_name"),
    ident("merged_into"),
    indexed=(("search_name",),), lookups=("patient",),
)
"""The only unsealed columns of the read side; a patient's rows vanish at PatientErased."""

directory_indexes = fact_table(
    "directory_indexes",
    ident("blind_index"),
    indexed=(("blind_index",),), lookups=("patient",),
)
"""Keyed hashes of phone, email, birth date and identifiers, so that they are found without being stored."""

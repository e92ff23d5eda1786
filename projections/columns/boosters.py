"""Whose relief is about to go, from columns: see `projections.metrics.boosters` and `domain.course.spells`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np

from domain.course.boosters import LAST_SPELLS, booster_due
from domain.course.spells import RESCUES
from projections.columns.bookings import folded
from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.courses import Courses, Infusions, end_of_series, load_courses, load_infusions
from projections.columns.groups import cut, having_word, is_word, last, members, whole
from projections.columns.patients import everyone_of, survivors
from projections.columns.relief import Scored, fell, pain_now, scores_of
from projections.columns.snapshot import Array
from projections.columns.spans import paired
from projections.columns.store import Facts
from projections.columns.zones import local_days, today_at
from projections.facts.encoding import DAY, EPOCH, HOUR, micros
from projections.facts.reading import Cut
from projections.facts.tables import appointment_facts, course_facts, infusion_facts
from projections.metrics.boosters import DUE_WITHIN_DAYS, LOST_AFTER_DAYS, STATUSES, BoosterList, BoosterRow
from projections.metrics.calendar import ClinicCalendar
from projections.metrics.figures import FactIds, amount
from projections.metrics.lazy import Sorted
from projections.metrics.relief import COURSE_BASELINE, MODERATE

LOOK_BACK = 400 * DAY
"""Courses without an infusion for longer are not looked at: they should have been closed."""

_DUE, _OVERDUE, _BOOKED, _LOST, _LATER = range(len(STATUSES))


@dataclass(frozen=True)
class _Said:
    """Each listed course's standing booster: the place of the last word on it, -1 for none."""

    word: Ints
    due_on: Array


class Boosters:
    """The list of some clinics as of a moment."""

    def __init__(self, facts: Facts, known: Mapping[str, ClinicCalendar], at: Cut) -> None:
        self._facts, self._known, self._at = facts, known, at
        self._here = facts.codes("clinic").marked(list(known))
        self._survivor = survivors(facts, at)
        self._given: Infusions = load_infusions(facts, self._survivor, self._patients(), at)
        member = members(self._given.course, len(facts.codes("course")))
        rows = whole(facts.of(course_facts), "course", member, at)
        self._courses: Courses = load_courses(facts, rows, self._survivor)
        self._today = today_at(facts, known, at.as_of_us)
        self._choose()
        scores = scores_of(facts, self._survivor, self._patient, at)
        self._pain: Scored = pain_now(facts, scores, self._survivor)
        self._heard = Scored(scores, self._survivor)

    def _patients(self) -> Array:
        """Whose infusions are recent here in a course that is not closed, or whose course came here."""
        facts, at = self._facts, self._at
        recent = facts.of(infusion_facts).between(at.as_of_us - LOOK_BACK, at.as_of_us + 1)
        recent = cut(recent.where(self._here[recent["clinic"]]), at)
        steps = cut(having_word(facts, course_facts, "closed", "transferred"), at)
        moved = is_word(facts, steps["kind"], "transferred")
        closed = members(steps["course"][~moved], len(facts.codes("course")))
        came = steps["patient"][moved & self._here[steps["other_clinic"]]]
        found = np.concatenate((recent["patient"][~closed[recent["course"]]], came))
        return found[found >= 0]

    def _choose(self) -> None:
        """Open courses past their series, of the clinics asked for, with a recent infusion."""
        given, courses = self._given, self._courses
        over = end_of_series(self._facts, given, courses, self._today[given.clinic])
        latest = last(given.group, np.ones(len(given), dtype=bool), len(over))
        course = courses.place[given.course[latest]] if len(latest) else latest
        latest, over, course = (column[course >= 0] for column in (latest, over, course))
        words = courses.words
        said = last(words.timeline.group, np.ones(len(words.fact), dtype=bool), len(courses))
        scheduled = (said >= 0) & ~np.append(words.cancelled, True)[said]
        maintained = (
            is_word(self._facts, given.purpose[latest], "booster") | (over >= 0)
            | (courses.relief_us[course] != NONE) | scheduled[course]
        )
        chosen = np.flatnonzero(
            (courses.opened_us[course] != NONE) & (courses.closed_us[course] == NONE) & maintained
            & self._here[courses.clinic[course]] & self._has_protocol(courses.clinic[course])
            & (given.stopped_us[latest] >= self._at.as_of_us - LOOK_BACK)
        )
        self._latest, self._course = latest[chosen], course[chosen]
        self._patient, self._clinic = courses.patient[self._course], courses.clinic[self._course]
        word = said[self._course]
        stands = scheduled[self._course] & (
            np.append(words.timeline.at_us, NONE)[word] > given.started_us[self._latest]
        )
        self._said = _Said(np.where(stands, word, -1), np.append(words.due_on, NONE)[np.where(stands, word, -1)])
        self._words_us = np.append(words.timeline.at_us, NONE)[word]

    def _has_protocol(self, clinic: Array) -> Bools:
        marks = [name for name, one in self._known.items() if one.protocol_at(self._at.as_of_us) is not None]
        found: Bools = self._facts.codes("clinic").marked(marks)[clinic]
        return found

    # --- spells ------------------------------------------------------------------------------------

    def _spells(self) -> list[tuple[Decimal, ...]]:
        """By listed course the days of its last completed spells since the end of the series, oldest first."""
        given, facts = self._given, self._facts
        groups = given.group[self._latest]
        place = np.full(int(given.group.max(initial=-1)) + 1, -1, dtype=np.int64)
        place[groups] = np.arange(len(groups))
        own = np.flatnonzero(place[given.group] >= 0)
        own = own[np.argsort(given.group[own], kind="stable")]
        listed = place[given.group[own]]
        series = is_word(facts, given.purpose[own], "trial", "series", "re_induction")
        since = last(listed, series, len(groups))
        same = np.append(listed[1:] == listed[:-1], False)[: len(own)]
        after_us = np.where(same, np.append(given.started_us[own][1:], 0)[: len(own)], FOREVER)
        next_purpose = np.append(given.purpose[own][1:], -1)[: len(own)]
        brought_forward = self._courses.words.for_returned_pain(facts, self._course[listed], after_us)
        rescued = same & (
            is_word(facts, next_purpose, *RESCUES) | (is_word(facts, next_purpose, "booster") & brought_forward)
        )
        counted = np.flatnonzero(np.arange(len(own)) >= since[listed])
        left_us = self._courses.left_us(self._course[listed[counted]], given.stopped_us[own[counted]])
        left_us = np.where(left_us == NONE, FOREVER, left_us)
        ended = self._ended(own[counted], after_us[counted], rescued[counted], left_us)
        done = np.flatnonzero(ended != NONE)
        lengths = (ended - given.stopped_us[own[counted]])[done].tolist()
        found: list[list[Decimal]] = [[] for _ in groups]
        for course, us in zip(listed[counted[done]].tolist(), lengths, strict=True):
            found[course].append((Decimal(us) / _DAY).quantize(_HUNDREDTH))
        return [tuple(days[-LAST_SPELLS:]) for days in found]

    def _ended(self, place: Ints, after_us: Array, rescued: Bools, left_us: Array) -> Array:
        """When the spells that these infusions began ended; NONE for none and for those cut off."""
        given, pain = self._given, self._pain
        patient, stopped = given.patient[place], given.stopped_us[place]
        baseline = pain.last_before(patient, given.first_of_course_us[place], COURSE_BASELINE)
        points = np.append(pain.value // 1000, 0)
        base = points[baseline]
        low, high = pain.between(patient, stopped + 24 * HOUR, np.minimum(stopped + 72 * HOUR, after_us))
        landmark = np.where((high > low) & (base > 0), high - 1, -1)
        helped = (landmark >= 0) & fell(base, points[landmark], MODERATE)
        start = np.where(helped, landmark, 0)
        until = np.minimum(pain.timeline.before(patient, after_us), pain.timeline.upto(patient, left_us))
        until = np.maximum(start, until)
        which, score = paired(start, np.where(helped, until, 0))
        good = fell(base[which], points[score], MODERATE)
        twice = np.zeros(len(which), dtype=bool)
        twice[:-1] = ~good[:-1] & ~good[1:] & (which[1:] == which[:-1])
        gone = np.full(len(place), FOREVER)
        np.minimum.at(gone, which[twice], pain.at_us[score[twice]])
        return np.select([gone < FOREVER, helped & rescued & (after_us <= left_us)], [gone, after_us], NONE)

    # --- when it is due, and what became of it -----------------------------------------------------

    def _computed(self, spells: list[tuple[Decimal, ...]]) -> Array:
        """By listed course the day on which the spells (or the protocol's default) make a booster due."""
        stopped, names = self._given.stopped_us[self._latest], self._facts.codes("clinic")
        moments = np.full(len(stopped), NONE)
        known: dict[tuple[tuple[Decimal, ...], int, int], int] = {}
        for clinic, calendar in self._known.items():
            mine = np.flatnonzero(self._clinic == names.of(clinic))
            protocol = calendar.protocol_at(self._at.as_of_us)
            if not len(mine) or protocol is None:
                continue
            for course in mine.tolist():
                key = spells[course], protocol.booster_default_days, protocol.booster_minimum_days
                if key not in known:
                    known[key] = micros(booster_due(EPOCH, *key).due_at) or 0
                moments[course] = stopped[course] + known[key]
        return self._days(moments)

    def _days(self, us: Array) -> Array:
        """By listed course the local day of a moment; 0 for none."""
        here = np.where(us == NONE, -1, self._clinic)
        return np.where(us == NONE, 0, local_days(self._facts, self._known, here, us))

    def _bookings(self) -> tuple[Array, Array]:
        """By listed course: when the next booster that is booked begins (FOREVER), and when last one was booked."""
        facts, at = self._facts, self._at
        rows = facts.of(appointment_facts).between(at.as_of_us - LOOK_BACK, at.as_of_us + 1)
        rows = cut(rows.where(everyone_of(self._survivor, self._patient)[rows["patient"]]), at)
        slots = folded(facts, rows, np.zeros(len(facts.codes("appointment")) + 1, dtype=bool))
        patient, size = self._survivor[slots.patient], len(self._survivor)
        ahead, taken = np.full(size, FOREVER), np.full(size, NONE)
        stands = (slots.left < 0) & (slots.starts_us > at.as_of_us) & is_word(facts, slots.visit_kind, "booster")
        np.minimum.at(ahead, patient[stands], slots.starts_us[stands])
        np.maximum.at(taken, patient, slots.taken_us)
        return ahead[self._patient], taken[self._patient]

    def _contact_days(self, booked_us: Array) -> Array:
        """By listed course the local day of the last contact of any kind; 0 for none."""
        begun = self._given.first_of_course_us[self._latest] - COURSE_BASELINE
        now = np.full(len(begun), self._at.as_of_us)
        heard = self._heard.timeline.last_upto(self._patient, now, begun)
        contact = np.maximum(np.append(self._heard.at_us, NONE)[heard], np.maximum(booked_us, self._words_us))
        return self._days(contact)

    def listed(self) -> BoosterList:
        """The list, most overdue first, with counts."""
        spells = self._spells()
        due = np.where(self._said.word >= 0, self._said.due_on, self._computed(spells))
        ahead, booked_us = self._bookings()
        today, contact = self._today[self._clinic], self._contact_days(booked_us)
        late = today - due
        status = np.select(
            [ahead < FOREVER, (late <= 0) & (late >= -DUE_WITHIN_DAYS), late <= 0,
             (contact <= due) & (late > LOST_AFTER_DAYS)],
            [_BOOKED, _DUE, _LATER, _LOST], _OVERDUE,
        )  # fmt: skip
        names = self._facts.codes("course")
        course = np.array([names.name(code) for code in self._courses.course[self._course].tolist()], dtype=str)
        order = np.lexsort((course, due))
        fact = self._given.fact[self._latest]
        counts = {}
        for number, name in enumerate(STATUSES):
            rows = FactIds("i", fact[order][status[order] == number])
            counts[name] = amount("booster_due", len(rows), "boosters", n=len(rows), rows=rows)
        make = self._row_maker(spells, due, late, status, ahead)
        sorts = [STATUSES[number] for number in status[order].tolist()]
        return BoosterList(counts=counts, rows=Sorted(order.tolist(), lambda _, place: make(place), sorts))

    def _row_maker(
        self, spells: list[tuple[Decimal, ...]], due: Array, late: Array, status: Array, ahead: Array
    ) -> Callable[[int], BoosterRow]:
        facts, given, courses, words = self._facts, self._given, self._courses, self._courses.words
        word, names = facts.codes("word"), {name: facts.codes(name) for name in ("patient", "course", "clinic")}

        def row(place: int) -> BoosterRow:
            latest, course, said = int(self._latest[place]), int(self._course[place]), int(self._said.word[place])
            days = tuple(float(one) for one in spells[place])
            basis = "own_spells" if days else "protocol_default"
            basis_days = days
            if said >= 0:
                basis = word.name(int(words.because[said]))
                basis_days = _days(word.name(int(words.basis[said]))) if basis == "own_spells" else ()
            return BoosterRow(
                patient=names["patient"].name(int(self._patient[place])),
                course=names["course"].name(int(courses.course[course])),
                clinic=names["clinic"].name(int(self._clinic[place])),
                condition=word.name(int(courses.condition[course])) or "unknown",
                last_infusion=facts.codes("infusion").name(int(given.infusion[latest])),
                last_stopped_us=int(given.stopped_us[latest]), due_on=date.fromordinal(int(due[place])), basis=basis,
                basis_days=basis_days, status=STATUSES[int(status[place])], days_overdue=int(late[place]),
                booked_starts_us=int(ahead[place]) if ahead[place] < FOREVER else None,
                facts=(f"i{given.fact[latest]}", *((f"c{words.fact[said]}",) if said >= 0 else ())),
                spells_days=days,
            )  # fmt: skip

        return row


def _days(basis: str) -> tuple[float, ...]:
    return tuple(float(days) for days in msgspec.json.decode(basis, type=list[str])) if basis else ()


_DAY, _HUNDREDTH = Decimal(DAY), Decimal("0.01")

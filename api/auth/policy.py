"""The one table of who may do what: operation -> roles and scope. Denied unless it stands here.

The table decides by role and by the scopes of a key; which clinics' records are meant is decided per request
(`api/http/scope.py`), and what is safe by the rules of care. `VERSION` names the table in logs; a test pins it to
the table's content, so no permission changes unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.clinic.on_call import ANSWERS_ALERTS
from domain.kernel import Role

__all__ = ["POLICY", "PUBLIC", "VERSION", "Permit", "allows", "fingerprint"]

VERSION = "2026-11-25.32"

PUBLIC = frozenset({
    "health.live", "health.ready", "health.metrics", "docs.openapi", "docs.ui", "docs.asset",
    "web_assets.file", "web_preferences.theme",
})  # fmt: skip
"""Endpoints that need no key: they hold no health data. (/metrics asks for its own token where one is set.)"""


SIGNING_IN = frozenset({
    "web_signing_in.sign_in", "web_signing_in.give_password", "web_signing_in.sign_out", "web_signing_in.code",
    "web_signing_in.give_code", "web_signing_in.enrol", "web_signing_in.confirm_enrolment",
    "web_signing_in.new_password", "web_signing_in.set_new_password", "web_signing_in_oidc.start",
    "web_signing_in_oidc.callback",
})  # fmt: skip
"""Pages before anybody is signed in."""

PUBLIC |= SIGNING_IN

PUBLIC |= frozenset({"calendar.feed"})
"""Opened by the token in its address; it shows when rooms are booked and nothing about anybody."""

LINKED: frozenset[str] = frozenset({"web_from_home.ask", "web_from_home.style", "web_digest.stop"})
"""Pages opened by a token in their address: no session, and no form token (nothing that a browser sends by itself)."""


@dataclass(frozen=True)
class Permit:
    """Who may: `roles`, and for keys narrowed by scopes the one that covers it."""

    roles: frozenset[Role]
    scope: str


MANAGES: frozenset[Role] = frozenset({"owner", "manager"})
PRESCRIBES: frozenset[Role] = frozenset({"owner", "prescriber"})
TREATS: frozenset[Role] = frozenset({"owner", "prescriber", "nurse"})
ANSWERS: frozenset[Role] = frozenset(ANSWERS_ALERTS)
"""Whoever is told of an alert from home can acknowledge it: the domain's own list."""

DESK: frozenset[Role] = frozenset({"owner", "manager", "front_desk"})
MEETS: frozenset[Role] = frozenset({"owner", "manager", "prescriber", "nurse", "front_desk"})
EMERGENCY: frozenset[Role] = frozenset({"prescriber", "nurse"})
READS_CHART: frozenset[Role] = frozenset({"owner", "prescriber", "nurse", "auditor"})
READS_SCHEDULE: frozenset[Role] = MEETS | {"auditor", "biller"}
READS_FIGURES: frozenset[Role] = frozenset({"owner", "manager", "prescriber", "auditor"})
RUNS_THE_DAY: frozenset[Role] = MEETS | {"auditor"}
READS_CABINET: frozenset[Role] = frozenset({"owner", "manager", "prescriber", "nurse", "auditor"})
READS_FEED: frozenset[Role] = frozenset({"owner", "auditor", "integrator"})
ANYBODY: frozenset[Role] = frozenset(
    {"owner", "manager", "prescriber", "nurse", "front_desk", "biller", "auditor", "integrator"}
)


PERSONS: frozenset[Role] = ANYBODY - {"integrator"}


def _pages(roles: frozenset[Role], operations: str) -> Iterable[tuple[str, Permit]]:
    """Pages, by their whole names (`web_today.show`): for people with a session in one of `roles`, never for keys."""
    for operation in operations.split():
        yield operation, Permit(roles, "pages:open")


def _rows(scope: str, roles: frozenset[Role], operations: str) -> Iterable[tuple[str, Permit]]:
    resource = scope.partition(":")[0]
    for operation in operations.split():
        yield f"{resource}.{operation}", Permit(roles, scope)


POLICY: Mapping[str, Permit] = dict([
    *_rows("clinics:write", frozenset({"owner"}), "open"),
    *_rows("clinics:write", MANAGES, """add_room retire_room set_opening_hours declare_closure lift_closure
           assign_staff unassign_staff publish_price_list set_on_call open_calendar_feed
           close_calendar_feed"""),
    *_rows("clinics:write", PRESCRIBES, "adopt_protocol"),
    *_rows("clinics:read", ANYBODY, "list show"),
    *_rows("clinics:read", MANAGES, "calendar_feeds"),
    *_rows("staff:write", MANAGES, "join record_credentials leave"),
    *_rows("staff:read", MANAGES | {"auditor"}, "list show"),
    *_rows("patients:write", MEETS, "register correct_demographics receive_referral record_coverage"),
    *_rows("patients:write", MANAGES | {"prescriber"}, """open_care_relation close_care_relation change_home_clinic
           merge unmerge"""),
    *_rows("patients:write", TREATS, """record_condition record_therapy start_adjunct end_adjunct record_screening
           sign_consent withdraw_consent amend_entry strike_entry"""),
    *_rows("patients:write", PRESCRIBES, "clear_screening"),
    *_rows("patients:write", MEETS, "request_amendment give_record_copy restrict_disclosure request_erasure"),
    *_rows("patients:write", PRESCRIBES | {"manager"}, "accept_amendment deny_amendment"),
    *_rows("patients:write", MANAGES, """place_legal_hold release_legal_hold decline_erasure approve_erasure
           complete_erasure"""),
    *_rows("patients:read", MEETS | {"biller", "auditor"}, "search show"),
    *_rows("patients:read", READS_CHART, "chart timeline picture"),
    *_rows("patients:read", MANAGES | {"auditor"}, "access_log"),
    *_rows("patients:write", EMERGENCY, "use_emergency_access"),
    *_rows("oversight:read", MANAGES | {"auditor"}, "emergency_accesses"),
    *_rows("courses:write", PRESCRIBES, """hold_consultation hold_another_consultation open assess_response
           plan_series revise_series reach_optimal_relief transfer close amend_entry strike_entry"""),
    *_rows("courses:write", MEETS, "schedule_booster reschedule_booster cancel_booster"),
    *_rows("courses:read", READS_CHART, "show"),
    *_rows("appointments:write", MEETS, """book move confirm cancel no_show join_waitlist offer_slot leave_waitlist"""),
    *_rows("appointments:read", READS_SCHEDULE, "show free_slots"),
    *_rows("scheduling:write", MEETS, "book_series book_from_waitlist"),
    *_rows("scheduling:read", READS_SCHEDULE, "schedule free_slots stranded waitlist"),
    *_rows("scheduling:read", MEETS, "series_plan"),
    *_rows("infusions:write", MEETS, "arrive"),
    *_rows("infusions:write", TREATS, """room move_room check order place_iv fail_iv hang_bag give_bolus start
           change_rate pause resume stop give_medication record_vitals score_sedation acknowledge_alert
           report_side_effect regrade_side_effect treat_side_effect resolve_side_effect assess_recovery discharge
           leave_against_advice transfer_to_hospital end_without_infusion die_in_care release_room amend_entry
           strike_entry"""),
    *_rows("infusions:write", PRESCRIBES, "countersign sign_off_side_effect"),
    *_rows("infusions:read", READS_CHART, "show"),
    *_rows("diary:write", TREATS, """score_pain score_function score_mood score_cognition report_relief measure_weight
           report_side_effect schedule_follow_ups miss_follow_up amend_entry strike_entry"""),
    *_rows("diary:write", ANSWERS, "acknowledge_alert"),
    *_rows("diary:write", MEETS, "make_link revoke_link"),
    *_rows("diary:read", READS_CHART, "show"),
    *_rows("diary:read", MEETS | {"auditor"}, "links"),
    *_rows("alerts:read", ANSWERS | {"auditor"}, "list"),
    *_rows("cabinets:write", TREATS | {"manager"}, "receive"),
    *_rows("cabinets:write", TREATS, "draw waste break_vials explain_discrepancy"),
    *_rows("cabinets:read", READS_CABINET, "list show"),
    *_rows("dashboards:read", READS_FIGURES, """utilization utilization_rows outcomes outcomes_rows safety safety_rows
           funnel funnel_rows"""),
    *_rows("dashboards:read", RUNS_THE_DAY, "operations operations_rows boosters boosters_rows"),
    *_rows("events:read", READS_FEED, "list digest"),
    *_rows("projections:read", ANYBODY, "status"),
    *_rows("reference:read", ANYBODY, "vocabularies example_protocol"),
    *_pages(PERSONS, "web_home.show web_preferences.lag web_glossary.show"),
    *_pages(PERSONS, """web_account.show web_account.change_role web_account.end_session web_account.stay
            web_account.sign_out_everywhere web_account.remaining web_account.change_password
            web_account.second_step web_account.confirm_second_step web_account.remove_second_step"""),
    *_pages(ANSWERS | {"auditor"}, "web_alerts.show"),
    *_pages(ANSWERS, "web_alerts.acknowledge"),
    *_pages(MANAGES, "web_letters.show"),
    *_pages(READS_FIGURES, "web_digest.show web_digest.change"),
    *_pages(READS_FIGURES, "web_clinics.show web_utilization.show web_outcomes.show web_safety.show"),
    *_pages(RUNS_THE_DAY, "web_today.show web_boosters.show"),
    *_pages(MEETS | {"biller", "auditor"}, "web_patients.find"),
    *_pages(READS_CHART, "web_patients.show"),
    *_pages(MEETS, "web_home_links.show web_home_links.make web_home_links.revoke"),
    *_pages(READS_FIGURES, "web_funnel.show"),
    *_pages(READS_SCHEDULE, """web_schedule.index web_schedule.day web_schedule.week web_schedule.appointment
            web_schedule.waitlist web_schedule.premises web_schedule.of_patient"""),
    *_pages(MEETS, """web_schedule.find web_schedule.book web_schedule.make_booking web_schedule.confirm
            web_schedule.cancel web_schedule.no_show web_schedule.arrive web_schedule.move web_schedule.series
            web_schedule.book_series web_schedule.join_waitlist web_schedule.offer web_schedule.refill
            web_schedule.leave_waitlist"""),
    *_pages(TREATS, "web_schedule.end_visit"),
    *_pages(MANAGES, """web_schedule.declare_closure web_schedule.lift_closure web_schedule.set_hours
            web_schedule.open_feed web_schedule.close_feed"""),
    *_pages(ANSWERS | {"auditor"}, "web_schedule.on_call"),
    *_pages(MANAGES, "web_schedule.set_on_call"),
    *_pages(READS_FIGURES | READS_CHART, "web_rows.show web_events.show"),
])


def allows(permit: Permit, role: Role, scopes: frozenset[str] | None) -> bool:
    """Whether a key with this role and these scopes may. A scope `*` or `resource:*` covers what it says."""
    if role not in permit.roles:
        return False
    if scopes is None:
        return True
    return bool({permit.scope, permit.scope.partition(":")[0] + ":*", "*"} & scopes)


def fingerprint() -> str:
    """A hash over the table's content."""
    lines = [f"{name} {permit.scope} {','.join(sorted(permit.roles))}" for name, permit in sorted(POLICY.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

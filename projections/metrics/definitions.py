"""Every metric's one written definition, by name and version. Nothing is ever removed or reworded: a new meaning is a
new version, and figures name the version that made them.
"""

from __future__ import annotations

import msgspec


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure means, for the person who reads it; `formula` for the person who recomputes it."""

    name: str
    version: int
    title: str
    text: str
    formula: str
    unit: str


def _of(name: str, title: str, unit: str, text: str, formula: str, version: int = 1) -> Definition:
    return Definition(name=name, version=version, title=title, unit=unit, text=text, formula=formula)


_OCCUPIED_2 = " Occupied as in version 2 of occupied_minutes."

ROOMS = (
    _of("open_minutes", "Open room-minutes", "minutes",
        "Minutes in which rooms in service could be used, on clinic-local days of true length.",
        "sum over rooms in service of |union of opening hours - union of closures (clinic's and room's)|"),
    _of("booked_minutes", "Booked room-minutes", "minutes",
        "Minutes of appointments live at their start (no-shows in; cancelled or moved out before the start not), "
        "each minute of a room once, inside opening.",
        "sum over rooms of |union of live bookings within open|"),
    _of("occupied_minutes", "Occupied room-minutes", "minutes",
        "From roomed (or moved into the room) to RoomReleased, up to as_of. A stay whose room was never released is "
        "flagged unclosed and ends at the first of: as_of; the next patient roomed in (or moved into) that room; the "
        "clinic's closing, which is the end of the opening in which the patient was roomed or, for one roomed while "
        "it was closed, of the next opening that begins on that local day; after the day's last closing, the visit's "
        "ending, or local midnight without one. But not before the visit's last step on record (drug started, paused, "
        "resumed or finally stopped, a recovery score, the visit's ending), up to as_of.",
        "sum over rooms of |union of stays|", version=2),
    _of("scheduled_utilization", "Scheduled utilization", "share",
        "Of the open room-minutes of the whole period, the share that is booked.", "booked_minutes / open_minutes"),
    _of("actual_utilization", "Actual utilization", "share",
        "Of the open room-minutes up to as_of, the share in which a room was occupied." + _OCCUPIED_2,
        "|occupied within open| / open minutes before as_of", version=2),
    _of("prime_time_utilization", "Prime-time utilization", "share",
        "Actual utilization within the clinic's declared prime time." + _OCCUPIED_2,
        "|occupied within open and prime| / |open and prime| before as_of", version=2),
    _of("overtime_minutes", "Overtime", "minutes", "Occupied room-minutes outside opening." + _OCCUPIED_2,
        "|occupied - open|", version=2),
    _of("overbooked_minutes", "Overbooked minutes", "minutes",
        "Minutes of a room booked more than once: what the bookings add up to beyond their union.",
        "sum over rooms of (sum of live bookings - |union of live bookings|)"),
    _of("booked_outside_open_minutes", "Booked outside opening", "minutes",
        "Booked minutes (each once per room) outside opening or in a closure.", "|union of live bookings - open|"),
    _of("occupancy_by_time", "Rooms busy by time of day", "rooms",
        "Mean number of rooms occupied in each quarter hour of the clinic's clock over days with any opening, as far "
        "as they lie before as_of; a quarter hour that a clock change removed or doubled counts as often as it "
        "existed. Over several clinics: the sum of their means. Beside it the mean number of rooms open." + _OCCUPIED_2,
        "occupied minutes in the bin / minutes for which the bin existed", version=2),
    _of("weekday_hour", "Utilization by weekday and hour", "share",
        "Actual utilization of each hour of the week by the clinic's clock." + _OCCUPIED_2,
        "|occupied within open in the hour| / open minutes of the hour before as_of", version=2),
    _of("phase_share", "What rooms are occupied with", "share",
        "Shares of the occupied minutes: preparing (roomed to drug start, or to the end without one), infusing, "
        "paused, recovering (drug stop to ready), waiting for driver (ready to the visit's end), cleaning (end to "
        "RoomReleased). Ready = first recovery score of the protocol's scale at its discharge minimum, not before "
        "the protocol's monitoring minutes after drug stop." + _OCCUPIED_2,
        "minutes of the phase / minutes of all phases", version=2),
    _of("turnover", "Turnover", "minutes",
        "From RoomReleased to the next patient roomed in that room on the same local day. Over 60 minutes the room "
        "was idle: left out and counted.",
        "median and 90th percentile of (next roomed - released), gaps <= 60 min"),
)

PUNCTUALITY = (
    _of("on_time", "On time", "share", "Visits with a booking whose patient was roomed no later than 5 minutes after "
        "the booked start.", "roomed <= booked start + 5 min / roomed visits with a booking"),
    _of("drug_start_delay", "Drug-start delay", "minutes",
        "Drug start against the booked start plus the protocol's preparation minutes; early starts are negative.",
        "drug start - (booked start + preparation)"),
    _of("wait", "Wait", "minutes",
        "From arrival, or the booked start if later, until roomed (never under 0); those still waiting count until "
        "as_of, those who left unroomed until they left.",
        "max(0, roomed - max(arrival, booked start))"),
)

ATTENDANCE = (
    _of("no_show_rate", "No-show rate", "share",
        "No-shows among bookings that the patient's side decided: attended (the patient arrived, or the consultation "
        "was held that day), no-shows, and cancellations or moves by the patient under 24 h before the start. Left "
        "out by reason: clinic-side, patient-side with 24 h notice or "
        "more, not yet due, unresolved (start passed, nothing recorded).",
        "no-shows / (attended + no-shows + patient-side cancelled or moved < 24 h before the start)"),
    _of("late_cancellation_rate", "Late cancellation rate", "share",
        "Cancellations and moves by the patient under 24 h, over the same denominator as the no-show rate.",
        "patient-side cancelled or moved < 24 h / the no-show rate's denominator"),
    _of("arrived_not_infused", "Arrived, not infused", "share",
        "Visits for an infusion that ended without drug having run, by reason; visits still going on before drug "
        "ran left out (those in which it runs are infused).",
        "ended without infusion / (ended without infusion + infused)", version=2),
    _of("refill", "Refill", "share",
        "Of the room-minutes inside opening freed by cancelling or moving with at least 2 h notice, those booked "
        "anew afterwards and attended.",
        "|freed and rebooked later and attended| / |freed|, each minute of a room once"),
    _of("lead_time", "Lead time", "days", "From the first booking to the start, of bookings live at their start.",
        "(start - booked at) / 24 h"),
    _of("third_next_available", "Third next available", "days",
        "By kind of visit, days from as_of to the start of the third free slot of its default length: 60 minutes for a "
        "consultation, 30 for a follow-up, for an infusion the protocol's preparation, infusion, monitoring and "
        "turnover. Free room-time within open is cut into slots back to back from each opening or booking's end.",
        "(start of the third slot - as_of) / 24 h", version=2),
)

_WINDOW = (
    "Course baseline: last pain score (NRS, now) in the 7 days before the course's first drug start. Score window: "
    "drug stop to the earlier of 72 h and the patient's next drug start. "
)
_LEFT_OUT = (
    "Left out by reason: no_baseline, baseline_zero, baseline_under_3 (shown apart), superseded (window under 24 h), "
    "pending (the window is open at as_of and without score), missing (no score). None of these is non-response."
)

RELIEF = (
    _of("landmark_fall", "Fall of pain, landmark", "percent",
        _WINDOW + "Last score from 24 h after drug stop to the window's end. " + _LEFT_OUT,
        "100 * (baseline - score) / baseline"),
    _of("waterfall", "Fall of pain, patient by patient", "percent",
        "One bar for each patient whose course's first infusion lies in the period: the landmark fall after it, the "
        "deepest first. " + _LEFT_OUT,
        "100 * (baseline - score) / baseline, per patient"),
    _of("pain_over_time", "Pain after the course began", "points",
        "Of patients whose course's first infusion lies in the period and whose course baseline is 3 or more: each "
        "one's last score (now) in every stretch of days since that infusion's drug start (days 0-1, 2-4, 5-9, 10-16, "
        "17-23, 24-34, 35-48, 49-69, 70-97), whatever was given meanwhile. Only stretches that had passed by as_of "
        "count; beside each stands how many patients it rests on, of how many followed so far.",
        "median and quartiles per stretch"),
    _of("peak_fall", "Fall of pain, peak", "percent",
        _WINDOW + "Lowest score from 1 h after drug stop to the window's end. " + _LEFT_OUT,
        "100 * (baseline - lowest) / baseline"),
    _of("responders_first_30", "Responders to the first infusion, moderate", "share",
        "Patients whose landmark fall after the first infusion of a course is at least 30 %; one per patient, the "
        "first such infusion of the period. Of a group (a condition, a dose band, a clinic, a month): the patient's "
        "first of those in it. " + _LEFT_OUT, "fall >= 30 % / patients with a landmark fall", version=2),
    _of("responders_first_50", "Responders to the first infusion, substantial", "share",
        "As the moderate rate, with a fall of at least 50 %.", "fall >= 50 % / patients with a landmark fall",
        version=2),
    _of("responders_gate_30", "Responders at the gate, moderate", "share",
        "Patients whose landmark fall after the infusion that the response gate assessed is at least 30 %; one per "
        "patient, the last gate of the period. " + _LEFT_OUT, "fall >= 30 % / patients with a landmark fall"),
    _of("responders_gate_50", "Responders at the gate, substantial", "share",
        "As the moderate rate, with a fall of at least 50 %.", "fall >= 50 % / patients with a landmark fall"),
    _of("responders_28d_30", "Responders 28 days after the series, moderate", "share",
        "Patients whose last score from day 21 to day 28 after the drug stop of the last infusion of a finished "
        "series, and before any later drug start, is at least 30 % under the course baseline. Finished: an infusion "
        "for another purpose followed, optimal relief was reached, the course closed, as many as planned were given, "
        "or the planned window has passed. One per patient, the latest of the period. pending: the 28 days are not "
        "over and there is no such score yet; superseded: another infusion began before day 21.",
        "fall >= 30 % / patients with such a score", version=2),
    _of("responders_28d_50", "Responders 28 days after the series, substantial", "share",
        "As the moderate rate, with a fall of at least 50 %.", "fall >= 50 % / patients with such a score"),
    _of("responders_infusion_30", "Infusions followed by moderate relief", "share",
        "Secondary, per infusion: the percentile interval of a bootstrap that draws patients, computed instead of "
        "drawn (outright for few patients, else by its saddlepoint approximation). " + _LEFT_OUT,
        "landmark fall >= 30 % / infusions with a landmark fall", version=2),
    _of("responders_infusion_50", "Infusions followed by substantial relief", "share",
        "As the moderate rate, with a fall of at least 50 %.",
        "landmark fall >= 50 % / infusions with a landmark fall", version=2),
    _of("responders_low_baseline_30", "Responders with a baseline of 1 or 2", "share",
        "Shown apart, per infusion: those whose course baseline is 1 or 2, landmark fall at least 30 %; the interval "
        "draws patients, as that of infusions followed by moderate relief.",
        "landmark fall >= 30 % / infusions with a landmark fall and baseline 1 or 2", version=2),
    _of("onset", "Onset of relief", "hours",
        "From drug stop to the first score of the window with a fall of at least 30 % of the course baseline; "
        "infusions without one left out and counted.", "first score with fall >= 30 % - drug stop"),
    _of("infusions_to_relief", "Infusions to the first substantial relief", "infusions",
        "Ordinal within the course of the first infusion with a landmark fall of at least 50 %, for courses whose "
        "first infusion lies in the period; courses that have not got there are counted.",
        "least ordinal with landmark fall >= 50 %"),
    _of("relief_duration", "Duration of relief", "days",
        "A spell starts at the drug stop of a landmark responder (30 %). It ends at the first of two consecutive "
        "scores after the landmark with a fall under 30 % of the course baseline, or at an infusion for returned pain "
        "(re-induction, or a booster brought forward because pain returned). Censored at a planned infusion, the "
        "last score, death or transfer. Kaplan-Meier on the later end of the interval, log-log intervals; the median "
        "is null while not reached.", "Kaplan-Meier of (end - drug stop)"),
    _of("dose_response", "Dose and response", "rho",
        "Association, not effect: Spearman's rho between the landmark fall of the course's first infusion and its "
        "dose; interval by Fisher's z (Bonett and Wright).", "Spearman(dose, landmark fall)"),
    _of("score_change", "Change of function, mood and cognition", "points",
        "Per course with an infusion in the period, by instrument: last score in the 28 days after the course's "
        "latest drug stop, less the last one in the 28 days before the course's first drug start.",
        "last score - baseline score"),
    _of("follow_up_answered", "Follow-up answered", "share",
        "Of the prompts due in the period and before as_of, at the clinic that set them, those with a score of the "
        "instruments asked from 12 h before to 48 h after the due time, given while the prompt was open: after the "
        "visit's end and before a new infusion superseded it. Left out: superseded before an answer, pending (48 h not "
        "over).",
        "answered / due", version=3),
)

PATH = (
    _of("gate_rate", "Response gate passed", "share", "Response gates of the period that were positive; a course's "
        "last assessment counts.", "positive / assessed"),
    _of("gate_assessed", "Trials assessed", "share",
        "Of the trial infusions of the period, those whose response has been assessed; trials under 7 days old and "
        "not assessed are pending.", "assessed / trials"),
    _of("series_adherence", "Series adherence", "share",
        "Infusions of the series given inside the planned window over those planned, for series whose window ended in "
        "the period and before the clinic's day of as_of. "
        "The plan is the one in force at its end, reduced to what was given once optimal relief is reached. Left "
        "out, up to the shortfall: booked visits ended by a medical hold, and bookings cancelled by the clinic, whose "
        "day lies in the window. A series counts at the clinic that planned it first, wherever the course moved since.",
        "given in window (at most planned) / (planned - excused)", version=3),
    _of("closures", "How courses ended", "share", "Courses closed in the period by reason.", "reason / closed"),
    _of("funnel", "From referral to relief", "share",
        "Referrals by the week of the date on which they were received, each step done, failed or still open. Done: a "
        "consultation held, a screening recorded, a consent signed, a trial infusion, a response gate passed "
        "(positive, or decided to go on), an infusion of the series, optimal relief, a booster infusion, at any time "
        "since. Failed: not done, and an ending stands; the last of those that stand is the reason. A screening with a "
        "finding stands until one is passed or cleared, not suitable until a consultation proceeds, no response until "
        "a gate is passed, the reason of a closed course until a course is opened or a consultation proceeds; none "
        "stands after a later infusion. Rates at 30, 60 and 90 days only among those referred at least that long "
        "before as_of.",
        "reached within d days / referred at least d days ago", version=3),
)

BOOSTER_DUE = _of(
    "booster_due", "Boosters due", "boosters",
    "Due = drug stop + 0.8 x median of the patient's last three completed spells since the end of the series; with "
    "none the protocol's default interval, labelled so; never under its minimum; a date that a clinician set stands. "
    "Open courses past their series with an infusion in the last 400 days, at the clinic that the course belongs to. "
    "due: within 14 days and nothing booked; overdue: the date has passed; booked: an appointment for a booster "
    "stands; lost: overdue over 60 days without contact (no score, booking or word on the booster after the day it "
    "was due).",
    "drug stop + max(0.8 * median(last 3 spells) or default, minimum)",
    version=2,
)
BOOSTER_GAP = _of(
    "booster_gap", "Gap between boosters", "days",
    "From the drug stop before it to a booster's drug start, by booster number within the course.",
    "booster's drug start - previous drug stop",
)
PER_90_DAYS = _of(
    "infusions_per_90_days", "Infusions per patient per 90 days", "infusions",
    "Infusions of the period per patient who had one, scaled to 90 days.",
    "90 * infusions / (patients * days of the period)",
)
BOOSTERS = (BOOSTER_DUE, BOOSTER_GAP, PER_90_DAYS)

SAFETY = (
    _of("side_effect_share", "Infusions with a side effect", "share",
        "Infusions with at least one episode of the kind, at its highest grade. An episode runs from first report "
        "to resolution; one from home belongs to the patient's last drug stop within the 7 days before its onset, "
        "else it is unattributed and left out.", "infusions with an episode / infusions given"),
    _of("side_effect_rate", "Episodes per 100 infusions", "per 100",
        "Episodes over infusions, exact Poisson interval (Garwood).", "100 * episodes / infusions given"),
    _of("u_chart", "Episodes per 100 infusions, month by month", "per 100",
        "By month of drug start, on the clinic's clock: episodes over infusions, without a point under ten infusions. "
        "Centre: the same over the whole period. Limits: three sigma of a Poisson count around it, for as many "
        "infusions as the month had. What lies outside is more than chance alone would give.",
        "100 * episodes / infusions; u +- 3 * sqrt(u / infusions of the month), u = all episodes / all infusions"),
    _of("p_chart", "Infusions with a side effect, month by month", "share",
        "By month of drug start, on the clinic's clock: infusions with at least one episode over infusions, without a "
        "point under ten infusions. Centre: the same over the whole period. Limits: three sigma of a binomial share "
        "around it, for as many infusions as the month had. What lies outside is more than chance alone would give.",
        "with an episode / infusions; p +- 3 * sqrt(p * (1 - p) / infusions of the month), p = that of the period"),
    _of("side_effect_onset", "Onset of side effects", "minutes", "From drug start to onset.", "onset - drug start"),
    _of("side_effect_duration", "Duration of side effects", "minutes",
        "From onset to resolution; open ones left out and counted.", "resolved - onset"),
    _of("side_effect_treated", "Episodes treated", "share", "Episodes with a treatment recorded.",
        "treated / episodes"),
    _of("serious_share", "Infusions with a serious side effect", "share",
        "Infusions with at least one episode judged serious.", "infusions with a serious episode / infusions given"),
    _of("stopped_early", "Stopped early", "share", "Infusions stopped before the plan, by reason.",
        "stopped early / infusions given"),
    _of("transferred", "Transferred to hospital", "share", "Visits with drug given that ended in a transfer.",
        "transfers / infusions given"),
    _of("left_against_advice", "Left against advice", "share",
        "Visits with drug given whose patient left against advice.", "left against advice / infusions given"),
    _of("died", "Died in care", "share", "Visits with drug given whose patient died before the visit was over.",
        "deaths / infusions given"),
    _of("open_over_28_days", "Open over 28 days", "episodes",
        "Episodes of the period's infusions, and those from home with onset in the period that belong to none, that "
        "are not resolved 28 days after onset, as of as_of.", "count", version=3),
    _of("cumulative_symptoms", "Urinary and memory symptoms by infusions so far", "share",
        "Infusions with an episode of the kind, by how many infusions the patient had had (this one included).",
        "infusions with an episode / infusions, by band of cumulative infusions"),
    _of("refusals", "Refusals", "commands", "Commands that a rule refused, by rule.", "count"),
    _of("overrides", "Overrides", "orders", "Soft limits overridden by a prescriber, by limit.", "count"),
    _of("breaches", "Breaches", "entries", "Rules that a recorded fact had broken, by rule.", "count"),
    _of("alerts", "Alerts", "alerts", "Alerts raised in visits and from home, by sign; minutes until acknowledged; "
        "those still open are counted.", "count; median of (acknowledged - raised)"),
)

SUPERSEDED = (
    _of("third_next_available", "Third next available", "days",
        "Days from as_of to the start of the third free slot of the visit kind's default length (the protocol's "
        "minutes): free room-time within open, cut into slots back to back from each opening or booking's end.",
        "(start of the third slot - as_of) / 24 h"),
    _of("responders_first_30", "Responders to the first infusion, moderate", "share",
        "Patients whose landmark fall after the first infusion of a course is at least 30 %; one per patient, the "
        "first such infusion of the period. " + _LEFT_OUT, "fall >= 30 % / patients with a landmark fall"),
    _of("responders_first_50", "Responders to the first infusion, substantial", "share",
        "As the moderate rate, with a fall of at least 50 %.", "fall >= 50 % / patients with a landmark fall"),
    _of("responders_low_baseline_30", "Responders with a baseline of 1 or 2", "share",
        "Shown apart: infusions whose course baseline is under 3, landmark fall at least 30 %.",
        "landmark fall >= 30 % / infusions with a landmark fall and baseline 1 or 2"),
    msgspec.structs.replace(BOOSTER_DUE, version=1, text=BOOSTER_DUE.text.replace("after the day it", "since it")),
    _of("follow_up_answered", "Follow-up answered", "share",
        "Of the prompts due in the period and before as_of, at the clinic that set them, those with a score of the "
        "instruments asked from 12 h before to 48 h after the due time, given after the prompt was opened (the visit's "
        "end). Left out: superseded by a new infusion, "
        "pending (48 h not over).",
        "answered / due", version=2),
    _of("funnel", "From referral to relief", "share",
        "Referrals of a week, each step done, failed or still open; rates at 30, 60 and 90 days only among those "
        "referred at least that long before as_of.", "reached within d days / referred at least d days ago"),
    _of("funnel", "From referral to relief", "share",
        "Referrals by the week of the date on which they were received, each step done, failed or still open. Done: a "
        "consultation held, a screening recorded, a consent signed, a trial infusion, a response gate passed "
        "(positive, or decided to go on), an infusion of the series, optimal relief, a booster infusion, at any time "
        "since. Failed: not done, and the last word is an ending: a screening not cleared, not suitable, no response, "
        "the reason of a closed course. It no longer holds once care went on: a screening passed or cleared, a "
        "consultation that proceeds, a course opened, a gate passed, an infusion. Rates at 30, 60 and 90 days only "
        "among those referred at least that long before as_of.",
        "reached within d days / referred at least d days ago", version=2),
    _of("series_adherence", "Series adherence", "share",
        "Infusions of the series given inside the planned window over those planned, for series whose window ended in "
        "the period and before the clinic's day of as_of. "
        "The plan is the one in force at its end, reduced to what was given once optimal relief is reached. Left "
        "out, up to the shortfall: visits ended by a medical hold, and bookings cancelled by the clinic, whose day "
        "lies in the window.",
        "given in window (at most planned) / (planned - excused)", version=2),
    _of("series_adherence", "Series adherence", "share",
        "Infusions given inside the planned window over those planned, for series whose window ended in the period. "
        "The plan is the one in force at its end, reduced to what was given once optimal relief is reached. Left "
        "out, up to the shortfall: medical holds and cancellations by the clinic.",
        "given in window (at most planned) / (planned - excused)"),
    _of("responders_28d_30", "Responders 28 days after the series, moderate", "share",
        "Patients whose last score from day 21 to day 28 after the drug stop of the last infusion of the series, and "
        "before any later drug start, is at least 30 % under the course baseline. pending: the 28 days are not over; "
        "superseded: another infusion began before day 21.",
        "fall >= 30 % / patients with such a score"),
    _of("arrived_not_infused", "Arrived, not infused", "share",
        "Visits for an infusion that ended without drug having run, by reason; visits still going on before drug "
        "ran left out.",
        "ended without infusion / (ended without infusion + infused)"),
    _of("open_over_28_days", "Open over 28 days", "episodes",
        "Episodes not resolved 28 days after onset, as of as_of.", "count"),
    _of("open_over_28_days", "Open over 28 days", "episodes",
        "Episodes of the period's infusions that are not resolved 28 days after onset, as of as_of.", "count",
        version=2),
    _of("responders_infusion_30", "Infusions followed by moderate relief", "share",
        "Secondary, per infusion: interval by a bootstrap that draws patients (2,000 rounds, seeded). " + _LEFT_OUT,
        "landmark fall >= 30 % / infusions with a landmark fall"),
    _of("responders_infusion_50", "Infusions followed by substantial relief", "share",
        "As the moderate rate, with a fall of at least 50 %.",
        "landmark fall >= 50 % / infusions with a landmark fall"),
    _of("follow_up_answered", "Follow-up answered", "share",
        "Of the prompts due in the period and before as_of, at the clinic that set them, those with a score of the "
        "instruments asked from 12 h before to 48 h after the due time. Left out: superseded by a new infusion, "
        "pending (48 h not over).",
        "answered / due"),
    _of("occupied_minutes", "Occupied room-minutes", "minutes",
        "From roomed (or moved into the room) to RoomReleased, up to as_of. A visit whose room was never released "
        "counts until the clinic's next closing, or as_of if sooner, and is flagged unclosed.",
        "sum over rooms of |union of stays|"),
    *(
        msgspec.structs.replace(one, version=1, text=one.text.removesuffix(_OCCUPIED_2))
        for one in ROOMS if one.text.endswith(_OCCUPIED_2)
    ),
)
"""What figures of earlier reports were made by, in the words of their time."""

FUNNEL_STEPS = (
    _of("funnel_done", "Step reached", "referrals",
        "Referrals received in the period whose patient has reached the step since, by as_of: consultation held, "
        "screening recorded, consent signed, trial infusion, response gate passed, infusion of the series, optimal "
        "relief, booster infusion.", "count"),
    _of("funnel_failed", "Ended before the step", "referrals",
        "Referrals that have not reached the step and whose path has ended: not suitable, screening not cleared, no "
        "response at the gate, or the course closed.", "count"),
    _of("funnel_open", "Still open before the step", "referrals",
        "Referrals that have not reached the step and whose path has not ended by as_of.", "count"),
)

BOARD = (
    _of("rooms_now", "Rooms by state", "rooms",
        "Rooms in service at as_of by state. With a patient not released: preparing, infusing, paused, recovering, "
        "waiting for driver, cleaning, as the shares of occupied time define them. Without: closed outside opening "
        "hours or in a closure, else free.", "count"),
    _of("patients_in", "Patients in the house", "patients",
        "Arrived, and the visit not ended, at as_of.", "count"),
    _of("waiting_for_room", "Waiting for a room", "patients",
        "Arrived, not ended, and never roomed, at as_of.", "count"),
    _of("watch_overdue", "Vitals or sedation overdue", "patients",
        "Visits with drug started and not ended whose next vitals or sedation score was due before as_of: the later "
        "of drug start and the last measurement plus the protocol's interval; after the drug stop by the interval "
        "of recovery, counted from the stop or a later measurement. A set in which nothing could be obtained is no "
        "measurement.", "count of due < as_of"),
    _of("driver_needed", "Driver still needed", "patients",
        "Patients in the house for an infusion whose latest check names no driver, or who have not been checked.",
        "count"),
    _of("unclosed_charts", "Visits not closed", "entries",
        "Visits that began on an earlier local day and over 12 hours ago, and have no ending.", "count"),
    _of("orders_open", "Orders to countersign", "entries",
        "Verbal orders not countersigned at as_of; overdue once the protocol's hours are over.", "count"),
    _of("draws_open", "Drug drawn and open", "entries",
        "Draws whose waste is not recorded although their visit has ended, or that were made on an earlier local day "
        "over 12 hours ago.", "count"),
    _of("alerts_open", "Open alerts", "entries",
        "Alerts of visits and from home that nobody has answered at as_of.", "count"),
    _of("arrivals_expected", "Arrivals expected", "bookings",
        "Standing bookings that begin within 8 hours, or began within the last 4, whose patient has not arrived and "
        "who is not recorded as a no-show.", "count"),
    _of("arrivals_late", "Arrivals late", "bookings",
        "Of the arrivals expected, those whose booking has begun.", "count"),
)

DEFINITIONS: tuple[Definition, ...] = (
    *SUPERSEDED, *ROOMS, *PUNCTUALITY, *ATTENDANCE, *RELIEF, *PATH, *BOOSTERS, *SAFETY, *FUNNEL_STEPS, *BOARD,
)  # fmt: skip
"""Every version of every definition, kept for ever."""

_CURRENT = {one.name: one for one in sorted(DEFINITIONS, key=lambda one: one.version)}


def current(name: str) -> Definition:
    """The definition in force. Raises KeyError for a metric that has none: no figure without a definition."""
    return _CURRENT[name]


def published() -> list[Definition]:
    """The definitions in force, by name: what `MetricDefinitionPublished` says."""
    return [_CURRENT[name] for name in sorted(_CURRENT)]

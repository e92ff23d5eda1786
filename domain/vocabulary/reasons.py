"""The coded lists behind every reason, kind and source that an event holds; by the stream they belong to.

All are this product's own words unless a list says otherwise. `other` asks for the free text beside it.
People (sex, age band, professions) are in `people.py`; clinical lists in their own modules.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.kernel import Code
from domain.vocabulary.people import (
    AGE_BANDS,
    CREDENTIAL_KINDS,
    PROFESSIONS,
    SEXES,
    STAFF_LEAVING,
)
from domain.vocabulary.term import PROPOSED, Term, plain

__all__ = ["AGE_BANDS", "CREDENTIAL_KINDS", "PROFESSIONS", "SEXES", "STAFF_LEAVING", "VOCABULARIES"]

DESIGNED = "the design's language (section 3)"
PAGE = "the clinic's page"

# --- clinic --------------------------------------------------------------------------------------

ROOM_RETIRED = plain(
    PROPOSED, False, renovation="renovation", not_needed="no longer needed", equipment="equipment",
    entered_in_error="entered in error", other="other")
CLOSURE = plain(
    PROPOSED, False, holiday="public holiday", staff_absence="staff absence", training="training",
    maintenance="maintenance", weather="weather", emergency="emergency", equipment="equipment failure", other="other")

# --- patient -------------------------------------------------------------------------------------

DEMOGRAPHICS_CORRECTED = plain(
    PROPOSED, False, typing_error="typing error", moved="moved", name_changed="name changed",
    contact_changed="telephone or e-mail changed", patient_request="asked by the patient", died="died",
    imported="from an import", other="other")
CARE_OPENED = plain(
    PROPOSED, False, registration="registered here", transfer="transferred here", referral="referred here",
    second_clinic="also treated here", cover="covering for another clinic", emergency_access="emergency access",
    other="other")
CARE_CLOSED = plain(
    PROPOSED, False, transfer="transferred away", patients_choice="the patient's choice", moved="moved away",
    treatment_ended="treatment ended", deceased="died", entered_in_error="entered in error", other="other")
REFERRAL_SOURCES = plain(
    PROPOSED, False, physician="physician", pain_specialist="pain specialist", psychiatrist="psychiatrist",
    other_clinic="another clinic of the organisation", self="the patient", family="family or friend",
    insurer="insurer", website="website", imported="from an import", other="other")
THERAPIES = plain(
    PROPOSED, False, nsaid="non-steroidal anti-inflammatory", acetaminophen="acetaminophen (paracetamol)",
    opioid="opioid", gabapentinoid="gabapentin or pregabalin", antidepressant="antidepressant (SNRI, tricyclic)",
    anticonvulsant="other anticonvulsant", muscle_relaxant="muscle relaxant", triptan="triptan",
    cgrp="CGRP antibody or antagonist", beta_blocker="beta blocker",
    steroid="steroid", topical="topical",
    cannabinoid="cannabinoid", benzodiazepine="benzodiazepine",
    lidocaine_infusion="lidocaine infusion",
    ketamine_infusion="ketamine infusion elsewhere", esketamine="esketamine", nerve_block="nerve block",
    epidural_injection="epidural injection", botulinum_toxin="botulinum toxin",
    radiofrequency="radiofrequency ablation",
    spinal_cord_stimulation="spinal cord stimulation", intrathecal_pump="intrathecal pump", surgery="surgery",
    hydroxyurea="hydroxyurea", physical_therapy="physical therapy", occupational_therapy="occupational therapy",
    psychotherapy="psychotherapy (CBT)", acupuncture="acupuncture", chiropractic="chiropractic", tens="TENS",
    exercise="exercise programme", pain_programme="multidisciplinary pain programme", biofeedback="biofeedback",
    other_medication="other medication", other="other")
"""Tried before, or going on beside the infusions (adjunct)."""
THERAPY_RESULTS = plain(
    PROPOSED, False, no_relief="no relief", partial_relief="partial relief", relief_lost="relief that was lost again",
    relief="relief", not_tolerated="not tolerated", contraindicated="could not be used", unknown="not known")
TREATMENT_FAILED: frozenset[Code] = frozenset(
    {"no_relief", "partial_relief", "relief_lost", "not_tolerated", "contraindicated"})
"""Results that count towards treatment resistance."""
ADJUNCT_ENDED = plain(
    PROPOSED, False, completed="completed", no_benefit="no benefit", side_effects="side effects",
    patients_choice="the patient's choice", replaced="replaced", cost="cost", other="other")
FINDING_STATUS = plain(
    DESIGNED, True, absent="absent", controlled="present, under control", uncontrolled="present, not under control",
    unknown="could not be told", hint="a hint from an import, to be looked at")
FINDING_BASES = plain(
    PROPOSED, False, history="history", examination="examination", records="records", laboratory="laboratory",
    vital_signs="vital signs", ecg="ECG", questionnaire="questionnaire", specialist="specialist's letter",
    drug_screen="drug screen", pregnancy_test="pregnancy test", prescription_monitoring="prescription monitoring",
    imported_condition="an imported condition", imported_observation="an imported observation",
    imported_medication="an imported medication", imported_allergy="an imported allergy")
CLEARANCES = plain(
    PROPOSED, False, specialist_clearance="specialist's clearance", repeat_normal="normal when repeated",
    treated="treated since", benefit_outweighs="benefit outweighs the risk", monitoring_plan="monitoring plan",
    test_negative="test negative", other="other")
CONSENT_KINDS = plain(
    PROPOSED, False, treatment="ketamine infusion, off-label", telehealth="telehealth", messaging="messages and links",
    photography="photography", research="use for research", financial="financial agreement")
CONSENT_SIGNERS = plain(
    PROPOSED, False, patient="the patient", guardian="guardian", health_care_proxy="health care proxy")
CONSENT_WITHDRAWN = plain(
    PROPOSED, False, patients_choice="the patient's choice", superseded="superseded by a new form",
    signed_in_error="signed in error", other="other")
MERGE = plain(
    PROPOSED, False, duplicate="the same person twice", import_duplicate="the same person from an import",
    other="other")
UNMERGE = plain(PROPOSED, False, different_people="different people after all", merged_in_error="wrong record chosen",
                other="other")
AMENDMENT_DENIED = plain(
    "45 CFR 164.526(a)(2), not read in full", False, accurate="the record is accurate and complete",
    not_created_here="not created here", not_in_record="not part of the record", not_available="not open to access")
RECORD_SCOPES = plain(
    PROPOSED, False, whole_record="the whole record", summary="summary", visits="visits", billing="billing",
    images="images")
RESTRICTIONS = plain(
    PROPOSED, False, self_paid_visit="a visit paid by the patient: not to the payer (45 CFR 164.522(a)(1)(vi))",
    payer="not to the payer", family="not to family", research="not for research", employer="not to the employer")
ERASURE_REQUESTED = plain(
    PROPOSED, False, patients_request="asked by the patient", court_order="court order",
    regulators_order="regulator's order", retention_over="retention is over", entered_in_error="entered in error")
ERASURE_DECLINED = plain(
    PROPOSED, False, retention="retention not over", legal_hold="legal hold", withdrawn="request withdrawn",
    identity_not_shown="identity not shown", other="other")
ORDERED_ERASURES: frozenset[Code] = frozenset({"court_order", "regulators_order"})
"""Erasures that retention does not stop (a legal hold does)."""

# --- course --------------------------------------------------------------------------------------

CONSULTATION_DECISIONS = plain(DESIGNED, True, proceed="proceed", not_suitable="not suitable", defer="defer")
PLANS = plain(PAGE, True, alone="infusions alone", combined="within a wider pain programme")
RESPONSE_BASES = plain(
    PROPOSED, False, nrs_fall="fall of the pain score", function="function", patients_report="the patient's report",
    relief_percent="relief reported", clinical_judgement="clinical judgement")
RESPONSE_DECISIONS = plain(DESIGNED, True, go_on="go on", stop="stop")
SERIES_REVISED = plain(
    PROPOSED, False, response="response so far", side_effects="side effects", patients_choice="the patient's choice",
    medical_hold="medical hold", clinic_closure="clinic closure", scheduling="scheduling", cost="cost", other="other")
BOOSTER_SCHEDULED = plain(
    DESIGNED, True, own_spells="the patient's own spells of relief", protocol_default="the protocol's default",
    clinical="clinical judgement")
BOOSTER_RESCHEDULED = plain(
    PROPOSED, False, patients_choice="the patient's choice", pain_returned="pain returned early",
    relief_lasts="relief lasts", clinic="the clinic's reasons", booked="an appointment was booked",
    side_effects="side effects", other="other")
BOOSTER_CANCELLED = plain(
    PROPOSED, False, relief_lasts="relief lasts", patients_choice="the patient's choice", side_effects="side effects",
    course_closed="course closed", medical="medical reasons", cost="cost", superseded="superseded", other="other")
COURSE_TRANSFERRED = plain(
    PROPOSED, False, moved="the patient moved", nearer="nearer to home", capacity="capacity",
    clinic_closing="clinic closing", patients_choice="the patient's choice", other="other")
COURSE_CLOSED = plain(
    DESIGNED, True, goal_met="goal met", no_response="no response", side_effects="side effects",
    patients_choice="the patient's choice", moved="moved", lost_to_follow_up="lost to follow-up", deceased="deceased")

# --- day sheet -----------------------------------------------------------------------------------

VISIT_KINDS = plain(
    DESIGNED, True, consultation="consultation", trial="trial infusion", series="infusion of a series",
    booster="booster infusion", re_induction="re-induction", follow_up="follow-up")
INFUSION_KINDS: tuple[Code, ...] = ("trial", "series", "booster", "re_induction")
PURPOSES = {code: VISIT_KINDS[code] for code in INFUSION_KINDS}
ASKED_BY = plain(DESIGNED, True, patient="the patient's side", clinic="the clinic's side")
APPOINTMENT_MOVED = plain(
    PROPOSED, False, patients_choice="the patient's choice", illness="illness", transport="transport", work="work",
    clinic_closure="clinic closure", staff_absence="staff absence", room="room", equipment="equipment",
    medical="medical reasons", weather="weather", other="other")
APPOINTMENT_CANCELLED = plain(
    PROPOSED, False, patients_choice="the patient's choice", illness="illness", no_escort="no escort",
    transport="transport", work="work", cost="cost", relief_lasts="relief lasts", not_working="no benefit",
    clinic_closure="clinic closure", staff_absence="staff absence", equipment="equipment", drug_shortage="no drug",
    medical="medical reasons", course_closed="course closed", weather="weather", duplicate="booked twice",
    deceased="deceased", record_erased="the record was erased", other="other")
OVERBOOKING = plain(
    PROPOSED, False, urgent="urgent", expected_no_show="a no-show is expected", short_visit="a short visit",
    patients_need="the patient's need", extra_staff="extra staff", other="other")
WAITLIST_LEFT = plain(
    PROPOSED, False, booked="booked", patients_choice="the patient's choice", expired="the time has passed",
    declined="offer declined", record_erased="the record was erased", other="other")

# --- visit ---------------------------------------------------------------------------------------

ROOM_MOVED = plain(
    PROPOSED, False, equipment="equipment", privacy="privacy", monitoring="closer monitoring",
    room_needed="room needed",
    patients_choice="the patient's choice", other="other")
PREGNANCY = plain(
    DESIGNED, True, not_applicable="not applicable", denied="denied", negative_test="test negative",
    positive="test positive or known")
WEIGHT_BASES = plain(DESIGNED, True, actual="actual", ideal="ideal (Devine)", adjusted="adjusted")
ORDER_MODES = plain(DESIGNED, True, written="written", verbal="by word of mouth, read back")
DOSE_OVERRIDES = plain(
    PROPOSED, False, prior_tolerance="tolerated before", previous_good_response="a good response before",
    insufficient_relief="insufficient relief",
    body_weight="body weight", planned_escalation="planned escalation", high_risk_accepted="risk discussed, accepted",
    shortened="shortened for a reason", other="other")
GO_ON_REASONS = plain(
    PROPOSED, False, function_improved="function improved", late_response="a late response is likely",
    low_trial_dose="the trial's dose was low", patients_choice="the patient's informed choice", other="other")
START_OVERRIDES = plain(
    PROPOSED, False, usual_for_patient="usual for this patient", after_rest="settled after rest",
    treated="treated before the start", benefit_outweighs="benefit outweighs the risk", other="other")
IV_SITES = plain(
    PROPOSED, False, left_hand="left hand", right_hand="right hand", left_forearm="left forearm",
    right_forearm="right forearm", left_antecubital="left elbow", right_antecubital="right elbow", port="port",
    picc="PICC line", foot="foot", other="other")
IV_FAILED = plain(
    PROPOSED, False, no_access="no vein found", infiltration="infiltrated", blown_vein="vein blown", pain="pain",
    patients_wish="the patient's wish", other="other")
RATE_CHANGED = plain(
    PROPOSED, False, titration="titration", insufficient_effect="insufficient effect", side_effect="side effect",
    vital_signs="vital signs", sedation="sedation", patients_wish="the patient's wish", order="new order",
    other="other")
PAUSED = plain(
    PROPOSED, False, side_effect="side effect", vital_signs="vital signs", sedation="sedation", alert="alert",
    bathroom="bathroom", line="line", equipment="equipment", bag_change="bag change",
    patients_wish="the patient's wish", other="other")
STOPPED_EARLY = plain(
    DESIGNED, True, side_effect="side effect", vital_signs="vital signs", patients_wish="the patient's wish",
    line_failure="line failure", equipment="equipment", no_longer_needed="no longer needed", other="other")
MEDICATIONS = plain(
    "trials' adjuncts (data dictionary section 4) and common rescue drugs", False, midazolam="midazolam",
    lorazepam="lorazepam", clonidine="clonidine", ondansetron="ondansetron", metoclopramide="metoclopramide",
    promethazine="promethazine", labetalol="labetalol", hydralazine="hydralazine", esmolol="esmolol",
    glycopyrrolate="glycopyrrolate", diphenhydramine="diphenhydramine", acetaminophen="acetaminophen",
    ketorolac="ketorolac", magnesium_sulfate="magnesium sulfate", lidocaine="lidocaine", oxygen="oxygen",
    normal_saline="normal saline", epinephrine="epinephrine", naloxone="naloxone", flumazenil="flumazenil",
    haloperidol="haloperidol", other="other")
DOSE_UNITS = plain("UCUM", True, mg="mg", mcg="ug", g="g", mL="mL", L_per_min="L/min", mmol="mmol", units="[IU]")
ROUTES = plain(
    PROPOSED, False, intravenous="intravenous", intramuscular="intramuscular", oral="oral", sublingual="sublingual",
    subcutaneous="subcutaneous",
    inhaled="inhaled", nasal="nasal", topical="topical")
INDICATIONS = plain(
    PROPOSED, False, nausea="nausea", prevention="prevention", anxiety="anxiety", agitation="agitation",
    hypertension="raised blood pressure", tachycardia="fast heart beat", hypersalivation="excess saliva",
    headache="headache", pain="pain", desaturation="low oxygen", allergy="allergic reaction",
    hypotension="low pressure",
    hydration="hydration", sedation="sedation", other="other")
TREATMENTS = plain(
    PROPOSED, False, reassurance="reassurance", quiet_room="quiet and dim light", rate_lowered="rate lowered",
    paused="infusion paused", stopped="infusion stopped", repositioned="repositioned", oxygen="oxygen",
    antiemetic="antiemetic", benzodiazepine="benzodiazepine", antihypertensive="antihypertensive",
    medication="other medication", analgesic="analgesic", anticholinergic="anticholinergic", fluids="fluids",
    airway="airway support",
    epinephrine="epinephrine", line_care="line care", referral="referred", other="other")
PHASES = plain(DESIGNED, True, baseline="before the infusion", infusion="during", recovery="after")
ALERT_ACTIONS = plain(DESIGNED, True, paused="paused", stopped="stopped", prescriber_reason="a prescriber's reason")
ALERT_REASONS = plain(
    PROPOSED, False, artefact="measuring artefact", usual_for_patient="usual for this patient",
    resolved="resolved on repeat", treated="treated", expected_effect="expected effect", other="other")
LEFT_AGAINST_ADVICE = plain(
    PROPOSED, False, patients_wish="the patient's wish", waiting="tired of waiting", discomfort="discomfort",
    felt_well="felt well", no_driver="the driver did not come", work="work or family", other="other")
TRANSFERRED = plain(
    PROPOSED, False, cardiac="heart", respiratory="breathing", neurological="neurological",
    allergic="allergic reaction",
    psychiatric="psychiatric", unresponsive="not rousable", injury="injury", other="other")
NO_INFUSION = plain(
    PROPOSED, False, vital_signs="vital signs", no_escort="no escort", not_fasted="not fasted", no_iv="no line",
    pregnancy="pregnancy", contraindication="contraindication found", illness="illness",
    patients_wish="the patient's wish", consent="no consent", drug_shortage="no drug", equipment="equipment",
    staff_absence="staff absence", consultation_only="consultation or follow-up only", wrong_patient="wrong patient",
    other="other")
AMENDED = plain(
    DESIGNED, True, typing_error="typing error", late_information="late information", recomputed="recomputed",
    wrong_entry_field="wrong field", other="other")
STRUCK = plain(
    DESIGNED, True, wrong_patient="wrong patient", duplicate="entered twice", did_not_happen="did not happen",
    other="other")

# --- diary ---------------------------------------------------------------------------------------

HOME_ALERTS = plain(
    DESIGNED, True, suicidal_thoughts="suicidal thoughts", severe_side_effect="severe side effect",
    chest_pain="chest pain", breathing_trouble="trouble breathing", harm="harm")
HOME_ALERT_ACTIONS = plain(
    PROPOSED, False, called_patient="called the patient", emergency_services="emergency services called",
    seen_same_day="seen the same day", safety_plan="safety plan made", prescriber_informed="prescriber informed",
    not_reached="not reached, escalated", false_alarm="false alarm", other="other")

# --- cabinet -------------------------------------------------------------------------------------

DRUGS = plain("RxNorm ingredient 6130", True, ketamine="ketamine hydrochloride (schedule III)")
WASTE_METHODS = plain(
    PROPOSED, False, witnessed_disposal="disposed of before a witness", sequestration="drug disposal container",
    solidified="solidified and sealed",
    reverse_distributor="kept for the reverse distributor", other="other")
DISCREPANCY_REASONS = plain(
    PROPOSED, False, measuring="measuring error", charting="charting error", spilled="spilled", overfill="overfill",
    broken="broken", wrong_lot="another lot", stolen="theft", unexplained="not explained", other="other")

# --- oversight and access ------------------------------------------------------------------------

EMERGENCY_ACCESS = plain(
    PROPOSED, False, emergency="emergency treatment", on_call="on call for another clinic",
    safety_alert="a safety alert", other="other")
PERMISSION_CHANGES = plain(
    PROPOSED, False, granted="granted", revoked="revoked", key_created="key created", key_revoked="key revoked",
    user_created="user created", user_disabled="user disabled")
PURPOSES_OF_USE = plain(
    "45 CFR 164.501/164.528, not read in full", False, treatment="treatment", payment="payment",
    operations="operations", patient_request="asked by the patient", legal="required by law",
    public_health="public health",
    research="research", audit="audit", support="support", emergency="emergency access")

VOCABULARIES: Mapping[str, Mapping[Code, Term]] = {
    name.lower(): value for name, value in list(globals().items())
    if name.isupper() and isinstance(value, dict) and value and all(isinstance(t, Term) for t in value.values())
}
"""Every list of this module by its name, for pickers and the API."""

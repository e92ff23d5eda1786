"""What a patient is asked at home, word by word, and what the answers mean in the vocabularies' codes.

The PHQ-9's and PEG's items stand as their authors wrote them: another wording would be another instrument.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain.kernel import Code
from domain.vocabulary.scales import ASKED_AT_HOME


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One question on one screen. `words` names each answer; without it only the ends of the scale have words."""

    text: str
    low: int = 0
    high: int = 10
    step: int = 1
    unit: str = ""
    low_words: str = ""
    high_words: str = ""
    words: tuple[str, ...] = ()

    @property
    def values(self) -> range:
        """The answers that can be given."""
        return range(self.low, self.high + 1, self.step)


class Questionnaire(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: what is said before each of its items, the items, its source, and a licence to be shown."""

    code: Code
    stem: str
    items: tuple[Item, ...]
    source: str
    notice: str = ""
    items_may_be_left_out: bool = False


_FREQUENCY = ("Not at all", "Several days", "More than half the days", "Nearly every day")


def _phq9(text: str) -> Item:
    return Item(text=text, high=3, words=_FREQUENCY)


def _peg(text: str, low: str, high: str) -> Item:
    return Item(text=text, low_words=low, high_words=high)


QUESTIONNAIRES: Mapping[Code, Questionnaire] = {one.code: one for one in (
    Questionnaire(
        code="nrs", stem="", source="numeric rating 0-10 (LOINC 72514-3)",
        items=(Item(text="How strong is your pain right now?", low_words="No pain",
                    high_words="Worst pain you can imagine"),),
    ),
    Questionnaire(
        code="relief_percent", stem="", source="data dictionary: relief reported, 0-100 %",
        items=(Item(text="How much relief from your pain have you had since your last infusion?", high=100, step=10,
                    unit=" %", low_words="No relief", high_words="Complete relief"),),
    ),
    Questionnaire(
        code="peg", stem="", source="Krebs et al. 2009, https://link.springer.com/article/10.1007/s11606-009-0981-1",
        items=(
            _peg("What number best describes your pain on average in the past week?", "No pain",
                 "Pain as bad as you can imagine"),
            _peg("What number best describes how, during the past week, pain has interfered with your enjoyment of "
                 "life?", "Does not interfere", "Completely interferes"),
            _peg("What number best describes how, during the past week, pain has interfered with your general "
                 "activity?", "Does not interfere", "Completely interferes"),
        ),
    ),
    Questionnaire(
        code="phq9", items_may_be_left_out=True,
        stem="Over the last 2 weeks, how often have you been bothered by any of the following problems?",
        source="Kroenke, Spitzer, Williams 2001, J Gen Intern Med 16:606-613",
        notice="PHQ-9 developed by Drs. Robert L. Spitzer, Janet B.W. Williams, Kurt Kroenke and colleagues, with an "
               "educational grant from Pfizer Inc. No permission required to reproduce, translate, display or "
               "distribute.",
        items=(
            _phq9("Little interest or pleasure in doing things"),
            _phq9("Feeling down, depressed, or hopeless"),
            _phq9("Trouble falling or staying asleep, or sleeping too much"),
            _phq9("Feeling tired or having little energy"),
            _phq9("Poor appetite or overeating"),
            _phq9("Feeling bad about yourself \N{EM DASH} or that you are a failure or have let yourself or your "
                  "family down"),
            _phq9("Trouble concentrating on things, such as reading the newspaper or watching television"),
            _phq9("Moving or speaking so slowly that other people could have noticed? Or the opposite \N{EM DASH} "
                  "being so fidgety or restless that you have been moving around a lot more than usual"),
            _phq9("Thoughts that you would be better off dead or of hurting yourself in some way"),
        ),
    ),
)}
"""What can be asked behind a link, by the scale's code."""

SIDE_EFFECTS_ASKED = "side_effects"
"""The question about side effects: no scale, asked at the end of every link that follows an infusion."""

ASKABLE: tuple[Code, ...] = (*ASKED_AT_HOME, SIDE_EFFECTS_ASKED)
"""All that a link can ask, in the order in which it is asked."""

GRADES_IN_WORDS: Mapping[int, str] = {
    1: "Mild: I noticed it, but it did not stop me from anything",
    2: "Moderate: it kept me from some things, such as shopping, cooking or work",
    3: "Severe: I could not look after myself, or I went to a hospital",
    4: "I was in danger and needed help at once",
}
"""CTCAE grades 1 to 4 as a patient can tell them (grade 5 is death)."""

LIFE_THREATENING = 4
"""From this grade on a report from home is marked serious, whatever is answered about harm."""

HARM_ASKED = ("Did it do you harm: a fall or an injury, a stay in a hospital, or something that has not come back to "
              "normal?")
HARM_IN_WORDS: Mapping[str, str] = {"no": "No", "yes": "Yes"}
"""Whether a side effect is serious, as a patient can tell it (danger to life is a grade)."""

ONSETS_IN_WORDS: Mapping[str, tuple[str, int]] = {
    "now": ("In the last hour", 0),
    "hours": ("A few hours ago", 4),
    "day": ("About a day ago", 24),
    "days": ("Two or three days ago", 60),
    "week": ("About a week ago", 168),
    "longer": ("Longer ago", 336),
}
"""When it began, roughly: the words, and how many hours before the report that is taken to mean."""

KINDS_IN_WORDS: Mapping[Code, str] = {
    "nausea": "Feeling sick",
    "vomiting": "Throwing up",
    "dizziness": "Dizziness",
    "vertigo": "Everything spinning",
    "headache": "Headache",
    "sedation": "Very sleepy or drowsy",
    "blurred_vision": "Blurred or double vision",
    "nystagmus": "Eyes moving by themselves",
    "nightmares": "Nightmares or vivid dreams",
    "memory_deficits": "Trouble remembering",
    "uncontrolled_thoughts": "Thoughts I cannot control",
    "altered_reality": "Things do not feel real",
    "altered_time_space": "Time or space feel wrong",
    "hallucinations": "Hearing or feeling things that are not there",
    "visual_hallucinations": "Seeing things that are not there",
    "heightened_senses": "Sounds or colors too strong",
    "euphoria": "Feeling unusually high",
    "paranoia": "Feeling that others mean me harm",
    "panic_attack": "Panic attack",
    "speech_impairment": "Trouble speaking",
    "motor_impairment": "Trouble moving or coordinating",
    "cystitis": "Pain or burning when passing water",
    "rash": "Rash or itching",
    "tachycardia": "Heart beating fast",
    "chest_pain": "Chest pain",
    "breathing_trouble": "Trouble breathing",
    "other": "Something else",
}
"""Side effects in plain words, the commonest first: the page's list, and what else a patient can notice at home."""

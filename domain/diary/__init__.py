"""One patient's own reports: pain, function, mood, relief, side effects from home, follow-ups due."""

from domain.diary.diary import decide, evolve, initial
from domain.diary.follow_ups import (
    FollowUpDue,
    FollowUpMissed,
    FollowUpSuperseded,
    InfusionNoted,
    MissFollowUp,
    NoteInfusion,
    ScheduleFollowUps,
    UnnoteInfusion,
    answered,
)
from domain.diary.home_reports import (
    AcknowledgeHomeAlert,
    EscalateHomeAlert,
    HomeAlertAcknowledged,
    HomeAlertEscalated,
    HomeAlertRaised,
    RaiseHomeAlert,
    ReportSideEffectFromHome,
    SideEffectReportedFromHome,
)
from domain.diary.scores import (
    CognitionScored,
    FunctionScored,
    MeasureWeight,
    MoodScored,
    PainScored,
    ReliefReported,
    ReportRelief,
    ScoreCognition,
    ScoreFunction,
    ScoreMood,
    ScorePain,
    WeightMeasured,
)
from domain.diary.state import Facts, State

__all__ = [
    "AcknowledgeHomeAlert", "CognitionScored", "EscalateHomeAlert", "Facts", "FollowUpDue", "FollowUpMissed",
    "FollowUpSuperseded", "FunctionScored", "HomeAlertAcknowledged", "HomeAlertEscalated", "HomeAlertRaised",
    "InfusionNoted", "MeasureWeight", "MissFollowUp", "MoodScored", "NoteInfusion", "PainScored", "RaiseHomeAlert",
    "ReliefReported", "ReportRelief", "ReportSideEffectFromHome", "ScheduleFollowUps", "ScoreCognition",
    "ScoreFunction", "ScoreMood", "ScorePain", "SideEffectReportedFromHome", "State", "UnnoteInfusion",
    "WeightMeasured", "answered", "decide", "evolve", "initial",
]

"""Every figure of every dashboard carries the definition that was meant for it, path by path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.reports import DASHBOARDS, NAMES_PATIENTS
from api.web.safety import ENDING_TITLES
from projections.metrics.definitions import current
from tests.api.world import PERIOD, World

SAME = object()
"""The metric is the path's last step."""

MEANT: dict[str, tuple[tuple[str, Any], ...]] = {
    "utilization": (
        (r"\w+(\.\*)?\.rooms\.days\.\*\.actual", "actual_utilization"),
        (r"\w+(\.\*)?\.rooms\.days\.\*\.scheduled", "scheduled_utilization"),
        (r"\w+(\.\*)?\.rooms\.by_time_of_day\.\*\.busy", "occupancy_by_time"),
        (r"\w+(\.\*)?\.rooms\.by_hour_of_week\.\*\.utilization", "weekday_hour"),
        (r"\w+(\.\*)?\.rooms\.phases\.\w+", "phase_share"),
        (r"\w+(\.\*)?\.attendance\.not_infused_by_reason\.\w+", "arrived_not_infused"),
        (r"third_next_available\.\*\.\w+", "third_next_available"),
        (r"\w+(\.\*)?\.(rooms|attendance)\.\w+", SAME),
    ),
    "outcomes": (
        (r"breakdowns\.\w+\.\*\.first_30", "responders_first_30"),
        (r"breakdowns\.\w+\.\*\.first_50", "responders_first_50"),
        (r"breakdowns\.\w+\.\*\.landmark_fall", "landmark_fall"),
        (r"breakdowns\.\w+\.\*\.responders_30", "responders_infusion_30"),
        (r"breakdowns\.\w+\.\*\.responders_50", "responders_infusion_50"),
        (r"dose_response\..*bands\.\*\.landmark_fall", "landmark_fall"),
        (r"dose_response\..*bands\.\*\.responders_30", "responders_infusion_30"),
        (r"dose_response\..*bands\.\*\.responders_50", "responders_infusion_50"),
        (r"dose_response\..*", "dose_response"),
        (r"durations\.\*\.median", "relief_duration"),
        (r"funnel\.within\..*", "funnel"),
        (r"low_baseline", "responders_low_baseline_30"),
        (r"pain_over_time\.stages\.\*\.pain", "pain_over_time"),
        (r"path\.closures\.\w+", "closures"),
        (r"path\.\w+", SAME),
        (r"per_infusion_30", "responders_infusion_30"),
        (r"per_infusion_50", "responders_infusion_50"),
        (r"responders\.first_30", "responders_first_30"),
        (r"responders\.first_50", "responders_first_50"),
        (r"responders\.gate_30", "responders_gate_30"),
        (r"responders\.gate_50", "responders_gate_50"),
        (r"responders\.after_28_days_30", "responders_28d_30"),
        (r"responders\.after_28_days_50", "responders_28d_50"),
        (r"score_changes\.\w+:\w+", "score_change"),
        (r"booster_gaps\.\*", "booster_gap"),
        (r"waterfall\.falls", "waterfall"),
        (r"\w+", SAME),
    ),
    "safety": (
        (r"any_side_effect", "side_effect_share"),
        (r"per_100", "side_effect_rate"),
        (r"serious", "serious_share"),
        (r"open_over_28_days", SAME),
        (r"board\.alerts\.\w+", "alerts"),
        (r"board\.minutes_to_acknowledge", "alerts"),
        (r"board\.refusals\.\w+", "refusals"),
        (r"board\.overrides\.\w+", "overrides"),
        (r"board\.breaches\.\w+", "breaches"),
        (r"by_kind\.\*\.(share|by_grade\.\*)", "side_effect_share"),
        (r"by_kind\.\*\.per_100", "side_effect_rate"),
        (r"by_kind\.\*\.onset", "side_effect_onset"),
        (r"by_kind\.\*\.duration", "side_effect_duration"),
        (r"by_kind\.\*\.treated", "side_effect_treated"),
        (r"cumulative_symptoms\.\w+\.\*\.\*", "cumulative_symptoms"),
        (r"endings\.stopped_early(:\w+)?", "stopped_early"),
        (r"endings\.(transferred|left_against_advice|died)", SAME),
    ),
    "boosters": ((r"boosters\.counts\.\w+", "booster_due"), (r"boosters\.gaps\..*", "booster_gap")),
    "operations": (
        (r"\w+(\.\*\.counts)?\.rooms\.\w+", "rooms_now"),
        (r"\w+(\.\*\.counts)?\.\w+", SAME),
    ),
    "funnel": (
        (r"\w+(\.\*)?\.steps\.\w+\.done", "funnel_done"),
        (r"\w+(\.\*)?\.steps\.\w+\.open", "funnel_open"),
        (r"\w+(\.\*)?\.steps\.\w+\.failed(_by_reason\.\w+)?", "funnel_failed"),
        (r"\w+(\.\*)?\.within\.\w+\.\d+_days", "funnel"),
    ),
}


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict) and {"metric", "definition", "unit"} <= value.keys():
        yield path, value
    elif isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _figures(inner, f"{path}.{step}" if path else str(step))


def _meant(dashboard: str, path: str) -> str:
    plain = re.sub(r"\.(\d+|[0-9a-f]{8}-[0-9a-f-]{27})(?=\.|$)", ".*", path)
    for pattern, metric in MEANT[dashboard]:
        if re.fullmatch(pattern, plain):
            return plain.rpartition(".")[2] if metric is SAME else str(metric)
    raise AssertionError(f"{dashboard} {plain}: nobody has said which definition is meant")


@pytest.mark.parametrize("dashboard", list(DASHBOARDS))
def test_every_figure_has_the_definition_that_was_meant(lived: World, dashboard: str) -> None:
    """Given all figures of a dashboard, each one's definition is the one of its own name, in force now."""
    period = "" if dashboard in NAMES_PATIENTS else PERIOD
    found = dict(_figures(lived.get(f"/v1/dashboards/{dashboard}?{period}", "manager", "A").get_json()["figures"]))
    assert len(found) >= 3
    for path, figure in found.items():
        meant = _meant(dashboard, path)
        assert figure["definition"] == figure["metric"] == meant, path
        assert figure["definition_version"] == current(meant).version, path


@pytest.mark.parametrize("ending", ["transferred", "left_against_advice", "died", "stopped_early"])
def test_each_ending_is_defined_by_its_own_words(ending: str) -> None:
    """The tile's title is the definition's, and no two endings share a text."""
    assert current(ending).title == ENDING_TITLES[ending]
    assert sum(current(one).text == current(ending).text for one in ENDING_TITLES) == 1

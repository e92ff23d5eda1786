"""A figure in words: what a person reads of it, and when it says less than a number."""

from __future__ import annotations

import pytest

from api.web.deltas import delta
from api.web.figures import left_out_in_words, shown
from api.web.wording import NBSP, duration, lapse, number, period, quantity, words
from projections.metrics.figures import amount, proportion, quotient, spread


def _facts(many: int) -> list[str]:
    return [f"v{one}" for one in range(many)]


def test_under_ten_are_counted_not_rated() -> None:
    """Given 3 of 7, no rate and no interval: the counts, and why, in words."""
    one = shown(proportion("no_show_rate", _facts(3), _facts(7)), "p")
    assert (one.value, one.unit, one.raw, one.interval) == ("3 of 7", "", None, "")
    assert one.basis == "too few for a rate (under ten)"


def test_ten_and_more_have_rate_interval_and_n() -> None:
    """Given 3 of 30: 10 %, Wilson's interval, what it rests on."""
    one = shown(proportion("no_show_rate", _facts(3), _facts(30), {"clinic_side": 2, "none": 0}), "p")
    assert (one.value, one.unit, one.basis) == ("10.0", "%", "3 of 30")
    assert one.interval == f"95{NBSP}%: 3.5 to 25.6{NBSP}%"  # scipy: binomtest(3, 30).proportion_ci(method="wilson")
    assert left_out_in_words(one) == "2 by the clinic"


def test_nothing_to_divide_by_is_no_zero() -> None:
    """Without a denominator there is a dash, never 0 %."""
    one = shown(quotient("scheduled_utilization", 0, 0), "p")
    assert (one.value, one.raw, one.basis) == ("–", None, "nothing to divide by in this period")
    assert shown(proportion("no_show_rate", [], []), "p").value == "–"


def test_minutes_of_minutes() -> None:
    """Few minutes in minutes, many in hours."""
    assert shown(quotient("actual_utilization", 60, 480, n=3), "p").basis == f"60 of 480{NBSP}min · n{NBSP}3"
    many = shown(quotient("actual_utilization", 6000, 60_000, n=90), "p")
    assert many.basis == f"100 of 1\u2009000{NBSP}h · n{NBSP}90"


def test_rates_say_what_was_counted_over_what() -> None:
    """The numerator is the count itself, not what the factor makes of it."""
    rate = shown(quotient("side_effect_rate", 312, 293, "per 100", n=293), "p")
    assert (rate.value, rate.basis) == ("106.5", f"312 in 293{NBSP}infusions")
    often = shown(quotient("infusions_per_90_days", 293, 5460, "infusions", n=60), "p")
    assert (often.value, often.basis) == ("4.8", f"293 in 5\u2009460{NBSP}patient-days · n{NBSP}60")


@pytest.mark.parametrize(("many", "said"), [
    (0, "none in this period"), (4, "median of 4; too few for more"),
    (20, f"median; 90{NBSP}% within 17.1{NBSP}min · n{NBSP}20"),
])  # fmt: skip
def test_spreads_say_what_they_can(many: int, said: str) -> None:
    """A median of few is called so; the 90th percentile needs ten."""
    assert shown(spread("wait", [(float(one), f"v{one}") for one in range(many)], "minutes"), "p").basis == said


def test_rows_open_only_where_there_are_some() -> None:
    """A figure without facts has no link to an empty page."""
    assert shown(amount("overtime_minutes", 0, "minutes"), "a.b", lambda path: "/" + path).href is None
    assert shown(amount("overtime_minutes", 9, "minutes", rows=["v1"]), "a.b", lambda path: "/" + path).href == "/a.b"


# --- changes --------------------------------------------------------------------------------------


def _rate(counted: int, among: int, metric: str = "no_show_rate") -> object:
    return shown(proportion(metric, _facts(counted), _facts(among)), "p")


@pytest.mark.parametrize(("now", "before", "clear"), [
    ((56, 70), (48, 80), True),    # Newcombe 1998, example (a): 0.2, interval 0.0524 to 0.3339
    ((9, 10), (3, 10), True),      # example (b): 0.6, 0.1705 to 0.8090
    ((10, 10), (10, 10), False),
    ((60, 100), (50, 100), False),  # 0.1, -0.0378 to 0.2330
    ((640, 1000), (500, 1000), True),
])  # fmt: skip
def test_a_change_is_clear_when_newcombe_s_interval_leaves_out_nought(
    now: tuple[int, int], before: tuple[int, int], clear: bool
) -> None:
    """Against published examples of the interval for a difference of proportions."""
    assert delta(_rate(*now), _rate(*before)).clear is clear  # type: ignore[arg-type]


def test_more_no_shows_are_worse_and_fewer_better() -> None:
    """The direction is the figure's; the tone never stands without the word."""
    worse, better = delta(_rate(56, 70), _rate(20, 80)), delta(_rate(20, 80), _rate(56, 70))  # type: ignore[arg-type]
    assert (worse.tone, worse.arrow, worse.text) == ("attention", "▲", f"55.0{NBSP}points, worse")
    assert (better.tone, better.arrow, better.text) == ("ok", "▼", f"55.0{NBSP}points, better")
    assert worse.was == f"before: 25.0{NBSP}% (n{NBSP}80)"
    assert delta(_rate(56, 70, "on_time"), _rate(20, 80, "on_time")).tone == "ok"  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_not() -> None:
    """Under ten there is no rate to compare; without anything before, nothing."""
    assert delta(_rate(3, 30), _rate(1, 7)).text == "too few to compare"  # type: ignore[arg-type]
    assert delta(_rate(3, 30), _rate(0, 0)).text == "nothing to compare with"  # type: ignore[arg-type]


# --- words ----------------------------------------------------------------------------------------


def test_numbers_and_stretches_as_people_write_them() -> None:
    """Thousands apart, a true minus, no minus nought, hours when minutes are many."""
    from datetime import date

    assert number(1234567.8, 1) == "1\u2009234\u2009567.8" and number(-3.25, 1) == "\u22123.2"
    assert number(-0.001) == "0" and number(None) == "–"
    assert quantity(0.1234, "share") == ("12.3", "%") and quantity(90_000, "minutes") == ("1\u2009500", "h")
    assert duration(65) == "1 h 05 min" and lapse(60 * 24 * 9) == f"9{NBSP}days" and lapse(12) == "12 min"
    assert period(date(2026, 11, 16), date(2026, 11, 22)) == "16–22 Nov 2026"
    assert period(date(2025, 12, 29), date(2026, 1, 4)) == "29 Dec 2025 – 4 Jan 2026"
    assert words("left_against_advice") == "left against advice"

"""The tokens keep their word: text reads on every paper it may stand on, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "api" / "web" / "static" / "css"
TEXT = ("ink", "ink-2", "ink-3", "accent", "accent-2", "ok", "attention", "alarm", "info", "doubt")
PAPER = ("paper", "paper-2")


def _themes() -> dict[str, dict[str, str]]:
    text = (CSS / "tokens.css").read_text()
    blocks = re.findall(r"(:root[^{]*)\{([^{}]*)\}", text)
    found = [dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6})", body)) for _, body in blocks]
    light, dark, chosen_dark = found
    assert dark == chosen_dark, "dark by the device and dark by choice are the same"
    return {"light": light, "dark": dark}


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast(theme: str) -> None:
    """At least 4.5 : 1 for text and for meaning on its own soft ground; 3 : 1 for controls and series of charts."""
    tokens = _themes()[theme]
    pairs = [(text, paper) for text in TEXT for paper in PAPER]
    pairs += [(name, f"{name}-soft") for name in ("ok", "attention", "alarm", "info")]
    pairs += [("on-accent", "accent"), ("on-accent", "accent-2"), ("accent-2", "accent-soft"), ("ink-2", "paper-3")]
    assert _under(4.5, pairs, tokens) == {}
    marks = [("control", "paper"), *((f"series-{at}", "paper") for at in range(1, 7)),
             *((f"doubt-{at}", "paper") for at in range(1, 4))]
    assert _under(3, marks, tokens) == {}


def _under(least: float, pairs: list[tuple[str, str]], tokens: dict[str, str]) -> dict[tuple[str, str], float]:
    found = {pair: contrast(tokens[pair[0]], tokens[pair[1]]) for pair in pairs}
    return {pair: ratio for pair, ratio in found.items() if ratio < least}


def test_style_sheets_use_tokens_only() -> None:
    """No colour of its own outside the tokens, and nothing loaded from elsewhere."""
    for path in CSS.glob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        assert "url(" not in text and "@import" not in text, path.name
        if path.name != "tokens.css":
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)", text) == [], path.name

"""What the system itself has to say in the log."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.kernel import Code, Event


class LogOpened(Event, frozen=True, kw_only=True):
    """The first event of every log. mode: production, simulation (a settable recording clock)."""

    NAME: ClassVar[str] = "system.log_opened.v1"
    mode: Code
    log: Code


class ImportRun(Event, frozen=True, kw_only=True):
    """An import was carried out: hashes of its files, and how many lines were used or not, by reason."""

    NAME: ClassVar[str] = "system.import_run.v1"
    import_id: UUID
    source: Code
    files: dict[str, str]
    used: dict[str, int]
    unused: dict[str, int]


class SettingChanged(Event, frozen=True, kw_only=True):
    """A setting of the installation was changed."""

    NAME: ClassVar[str] = "system.setting_changed.v1"
    setting: Code
    value: str


class MetricDefinitionPublished(Event, frozen=True, kw_only=True):
    """A metric's definition in words, under its version; kept for ever, so that old figures stay explicable."""

    NAME: ClassVar[str] = "system.metric_definition_published.v1"
    metric: Code
    definition_version: int
    text: str

"""What this package complains of."""

from __future__ import annotations


class FleetError(ValueError):
    """A mistake in what a user handed over: names it, the value seen, and what would be right."""


class SettingError(FleetError):
    """The same in one setting of a configuration, which `key` names."""

    def __init__(self, key: str, complaint: str) -> None:
        super().__init__(complaint)
        self.key = key

"""What a configuration says below [external.settings], checked against defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.errors import SettingError

NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}


def resolve(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults, overwritten by what is given of them, each of its default's type.

    What has no default is left out: `fleet` names it to the user.
    """
    resolved = dict(defaults)
    for key, value in given.items():
        if key in defaults:
            resolved[key] = _checked(key, defaults[key], value)
    return resolved


def _checked(key: str, default: Any, value: Any) -> Any:
    kind = type(default)
    if kind is float and type(value) is int:
        return float(value)
    if kind in (list, tuple):
        if not isinstance(value, list):
            raise SettingError(key, "expected a list")
        return kind(value)
    if kind in NAMES and type(value) is not kind:
        raise SettingError(key, f"expected {NAMES[kind]}")
    return value

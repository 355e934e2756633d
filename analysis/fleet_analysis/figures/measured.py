"""What the figures of instruments share: rows with the settings of their cells, in panels, and
means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fleet_analysis.load import Results
from fleet_analysis.schema import KIND, METHOD, SEED
from fleet_analysis.stats import differs, summarise
from fleet_analysis.style import MethodStyle, setting_label, value_labels
from fleet_analysis.view import MAX_PANELS, Notes, Panel, evenly, first_of, values_of


@dataclass
class Measured:
    """The rows of some instruments at the last round in which they looked."""

    name: str
    rows: pd.DataFrame
    axes: list[str]
    notes: Notes = field(default_factory=Notes)

    def panels(self) -> list[Panel]:
        """One per architecture, or value of the first swept axis that differs, at most four."""
        key = first_of((axis for axis in self.axes if self.rows[axis].nunique() > 1), KIND)
        if key is None:
            return [Panel("", self.rows)]
        values = values_of(self.rows, key)
        shown, labels = evenly(values, MAX_PANELS), value_labels(key, values)
        if len(shown) < self.rows[key].nunique():
            self.notes.last.append(f"{len(shown)} of {self.rows[key].nunique()} values shown")
        return [
            Panel(setting_label(key, v, labels[v]), self.rows[self.rows[key] == v]) for v in shown
        ]

    def summary(
        self, rows: pd.DataFrame, keys: Sequence[str] = (), along: str | None = None
    ) -> pd.DataFrame:
        """Mean and band over seeds per line (METHOD) and `keys`, averaged over all else."""
        averaged = [key for key in self.axes if key not in keys and differs(rows, key)]
        summary = summarise(rows, [METHOD, *keys], averaged, along)
        self.notes.seeds.update(summary.table["n"])
        self.notes.averaged.update(dict.fromkeys(averaged))
        self.notes.note_summary(summary)
        return summary.table


def measured(results: Results, *instruments: str) -> Measured | None:
    """The rows of the instruments in finished cells with method, seed and swept settings; None
    where there are none."""
    rows = results.instruments
    rows = rows[rows.instrument.isin(instruments)]
    keys = [METHOD, SEED, "workload", *(key for key in results.swept if key != "workload")]
    rows = rows.merge(results.done[["cell", *keys]], on="cell")
    if rows.empty:
        return None
    rows = rows[
        rows["round"]
        == rows.groupby(["cell", "instrument"], observed=True)["round"].transform("max")
    ]
    workloads = rows.workload.astype(str).unique()
    notes = Notes(workload=workloads[0] if len(workloads) == 1 else "", failed=len(results.failed))
    notes.differing = results.differing
    return Measured(results.name, rows.astype({METHOD: str}), results.swept, notes)


def present(styles: Mapping[str, MethodStyle], rows: pd.DataFrame) -> dict[str, MethodStyle]:
    """The styles of the lines that there are, in their order."""
    lines = set(rows[METHOD])
    return {name: style for name, style in styles.items() if name in lines}

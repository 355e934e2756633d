"""Reads the results of fleet sweeps (HDF5) and draws their figures and tables.

>>> import fleet_analysis
>>> results = fleet_analysis.load("results/quickstart.h5")   # doctest: +SKIP
>>> results.final().groupby("merge.method").value.mean()        # doctest: +SKIP
"""

import os
import sys
from contextlib import suppress

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results, load

__all__ = ["Results", "ResultsError", "load"]


def _import_matplotlib(wanted: str) -> None:
    """Matplotlib cannot be imported at all where MPLBACKEND names a backend that this environment
    lacks, as of a program that is started from a notebook. Files need none, so such a wish is
    dropped; another is kept."""
    os.environ["MPLBACKEND"] = "agg"
    try:
        import matplotlib as mpl
    finally:
        os.environ["MPLBACKEND"] = wanted
    with suppress(ValueError):
        mpl.rcParams["backend"] = wanted


if os.environ.get("MPLBACKEND") and "matplotlib" not in sys.modules:
    _import_matplotlib(os.environ["MPLBACKEND"])

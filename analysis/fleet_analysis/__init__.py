"""Reads the results of fleet sweeps (HDF5) and draws their figures and tables.

>>> import fleet_analysis
>>> results = fleet_analysis.load("results/heterogeneity.h5")   # doctest: +SKIP
>>> results.final().groupby("merge.method").value.mean()        # doctest: +SKIP
"""

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results, load

__all__ = ["Results", "ResultsError", "load"]

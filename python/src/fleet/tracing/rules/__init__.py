"""One rule an operation of ATen: which axes of its operands move together, and how its result does.

A rule may take freedom away that there is; it must not leave any that there is not. What has no
rule is UnknownError: then all that goes in is fixed.
"""

from fleet.tracing.rules import along, entrywise, normalisation, products, recurrent, shapes
from fleet.tracing.rules.table import RULES

# Importing a module enters its rules.
__all__ = ["RULES", "along", "entrywise", "normalisation", "products", "recurrent", "shapes"]

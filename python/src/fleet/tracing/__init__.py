"""What leaves the function of a PyTorch module unchanged, found in the graph of its operations.

Every axis of every tensor in the graph is an `Axis` of unknown units (units.py). Rules, one an
operation, say which of them must move together (rules.py). What is left free is a symmetry of the
weights, and is written down as groups and actions (groups.py).
"""

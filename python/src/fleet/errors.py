"""What this package complains of."""


class FleetError(ValueError):
    """A mistake in what a user handed over: names it, the value seen, and what would be right."""

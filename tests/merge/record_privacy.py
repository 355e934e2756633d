"""Records what Google's accountant says of composed Gaussian mechanisms, for privacy_test.cpp to compare with.

usage: python record_privacy.py
in an environment with: pip install dp-accounting==0.6.0

A line is: sums, noise, epsilon, delta.
"""

from dp_accounting import GaussianDpEvent
from dp_accounting.pld import PLDAccountant

for sums in (1, 12, 200):
    for noise in (0.8, 2.0, 20.0):
        accountant = PLDAccountant(value_discretization_interval=1e-4)
        accountant.compose(GaussianDpEvent(noise), sums)
        for epsilon in (0.5, 1.0, 4.0):
            print(sums, noise, epsilon, accountant.get_delta(epsilon))

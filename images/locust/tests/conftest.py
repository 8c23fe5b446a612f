"""Shared by all tests of the load generator.

Locust must be imported before anything that opens sockets: gevent patches the standard library when
it is imported.
"""

import locust  # noqa: F401  (first, on purpose)
from hypothesis import settings

# Machines are noisy: no deadlines on wall-clock time, and a bounded number of examples.
settings.register_profile("lab", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("lab")

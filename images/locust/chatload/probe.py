"""Probe workers: a process of their own for the few people who measure.

A crowd of hundreds of sockets keeps a Python process so busy that a message waits milliseconds
before it is looked at; measured there, that wait would count as the server's. So the crowd makes
the load and keeps the books, and the people of a probe worker (few sockets, little to do) measure:
they time one another's posts, so that neither end of a measurement is in a busy process.

Locust knows nothing of this. A probe worker is one whose id ends with :data:`SUFFIX`, so that the
master's dispatcher can leave it out (:class:`chatload.dispatch.ChatDispatcher`). Pure.
"""

from __future__ import annotations

import os

#: Environment variable that makes a worker a probe.
VARIABLE = "CHATLOAD_PROBE"
#: End of a probe worker's id.
SUFFIX = "-probe"


def is_probe(client_id: str) -> bool:
    """Whether a worker's id is that of a probe."""
    return client_id.endswith(SUFFIX)


def wanted() -> bool:
    """Whether this process is to be a probe."""
    return bool(os.environ.get(VARIABLE))

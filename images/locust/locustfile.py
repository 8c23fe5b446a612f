"""Who loads the chat, and what they do.

A person visits the page, opens the socket, reads some history, then reads live and perhaps posts.
The kinds below differ in what they do next; how many there are of each says ``--posters-share`` and
its like. What an action is and how it is measured stands in ``chatload/person.py``.

Run it alone (``locust --headless -u 50 -r 10 -t 30s --host http://localhost:30222``), as a master
and workers, or through ``loadtest/run``. Exit code: 0 clean, 3 a broken ledger, 4 an invalid run,
5 announced gaps. How to add a kind: loadtest/README.md.

Key variables of a person: ``self.options``, the run's settings; ``self.rng``, its own random
numbers, from the run's seed; ``self.topics``, those it reads; ``self.leaving``, whether the load is
over. Of Locust's environment: ``chat_worker``, this process's load generator (absent on a master),
and ``chat_master``, the judge of the run (absent on a worker).
"""

from locust import task

from chatload import setup, shapes
from chatload.person import Person

# Settings, clock, ledger, the Chat tab: everything that is not a person.
setup.set_up()


class Visitor(Person):
    """Somebody at the page, with a socket. Abstract: those below say what they do there."""

    abstract = True
    #: Whether this kind posts, and whether it is slow to read.
    posts, slow = False, False

    def on_start(self) -> None:
        """Arrive. Locust calls this once, before the tasks."""
        self.visit_page()
        self.open_socket(posts=self.posts, slow=self.slow)
        self.read_history()

    def on_stop(self) -> None:
        """Leave. Locust calls this once, when the run is judged or fewer people are wanted."""
        self.leave()


class Reader(Visitor):
    """Receives everything, says nothing."""

    @task
    def read(self) -> None:
        """Read what comes."""
        self.read_live()


class Poster(Visitor):
    """Receives everything, and posts."""

    posts = True

    @task
    def converse(self) -> None:
        """Read, and in the closed model (rate 0) think and post. In the open model posts are due by
        the run's schedule, whether or not this person is ready: so a stall of the server is felt.
        """
        if self.options.rate > 0:
            self.read_live()
            return
        self.sleep(self.options.think_time)
        # The run may have ended during the thought.
        if not self.leaving:
            self.post()


class Lurker(Person):
    """Has no socket: reads over HTTP, page by page back into the past."""

    def on_start(self) -> None:
        """Arrive."""
        self.visit_page()

    @task
    def look_around(self) -> None:
        """Look at one to four pages of a topic, then do something else for a while."""
        self.page_back(self.rng.randint(1, 4))
        self.sleep(self.options.think_time)

    def on_stop(self) -> None:
        """Leave."""
        self.leave()


class Churner(Visitor):
    """Disconnects now and then, and resumes: a phone, a laptop that is shut."""

    @task
    def come_and_go(self) -> None:
        """Stay, go, come back."""
        self.read_live(self.options.churn_stay)
        # Who goes at the end would not be there to be shown the last messages.
        if not self.leaving:
            self.go_away()
            self.sleep(self.options.churn_away)
            self.come_back()


class SlowReader(Visitor):
    """Stops reading now and then; a server that closes it (4001) is right, and it resumes."""

    slow = True

    @task
    def read_and_doze(self) -> None:
        """Read, doze, read."""
        self.read_live(5.0)
        # Nobody dozes through the end: what a sleeper has not read yet would look lost.
        if not self.leaving:
            self.doze(self.options.slow_pause)


# Load in stages, from the environment. A shape that exists hides Locust's form: so only then.
if shapes.stages_wanted():

    class ScenarioStages(shapes.Stages):
        """How many people there are, and at which rate they post, over time."""

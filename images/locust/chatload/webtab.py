"""What the lab adds to Locust's web UI: the Chat tab, an honest form, downloads, a login.

Locust's page is one script that knows tabs by name (``extended_tabs``) and leaves ours empty; a
small script of our own, added to the page, fills it while it is shown. ``/chat/…`` serves the data
and the downloads. Start and Edit go through :mod:`chatload.form` first.
"""

from __future__ import annotations

import json
import time
from typing import Any

import gevent
from flask import Blueprint, Response, request
from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment

from chatload import form
from chatload.artefacts import SCRIPT, files, series_table
from chatload.master import Master
from chatload.weblogin import add_login

#: Key of the tab in the page's address (``?tab=chat``); the script looks for it.
TAB = "chat"
#: Kinds of the downloads, by the end of their names.
_KINDS = {"json": "application/json", "csv": "text/csv", "html": "text/html"}
#: Downloads that Locust's own tab lists.
DOWNLOADS = [
    *("report.html", "summary.json", "series.csv", "rows.csv"),
    *("gates.csv", "ledger.csv", "histograms.csv", "failures.csv"),
]


def add_chat_tab(environment: Environment, web_ui: Any) -> None:
    """Add the tab, its data, its downloads and the checks, before the web UI starts to serve."""
    master = getattr(environment, "chat_master", None)
    assert isinstance(master, Master)
    base = getattr(environment.parsed_options, "web_base_path", None)
    pages = Blueprint("chat", __name__, url_prefix=base or None)
    # Without --web-login, whoever reaches the page may use it.
    if web_ui.web_login:
        add_login(web_ui, pages)
    web_ui.template_args["extended_tabs"] = [{"title": "Chat", "key": TAB}]
    web_ui.template_args["extended_csv_files"] = [
        {"href": f"./chat/{name}", "title": f"Download Chat {name}"} for name in DOWNLOADS
    ]
    _add_pages(pages, master, web_ui)
    _add_form(pages, environment, master, web_ui)
    web_ui.app.register_blueprint(pages)

    @web_ui.app.after_request
    def add_script(response: Response) -> Response:
        """Put our script into Locust's page."""
        # Only the page itself: not the answers to its script.
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            page = response.get_data(as_text=True)
            tag = '<script src="./chat/tab.js"></script><script>chatLab.tab()</script>'
            response.set_data(page.replace("</body>", f"{tag}</body>"))
        return response


def _add_pages(pages: Blueprint, master: Master, web_ui: Any) -> None:
    """The script, the data and the downloads, for whoever is logged in."""

    @pages.route("/chat/tab.js")
    @web_ui.auth_required_if_enabled
    def script() -> Response:
        """The script that draws the tab."""
        return Response(SCRIPT.read_text(encoding="utf-8"), mimetype="text/javascript")

    @pages.route("/chat/state")
    @web_ui.auth_required_if_enabled
    def state() -> Response:
        """Whether the present run drains, and for how long at most: small, asked for often."""
        return _json({"draining": master.run.draining() if master.run is not None else None})

    @pages.route("/chat/data")
    @web_ui.auth_required_if_enabled
    def data() -> Response:
        """The present run: summary and series."""
        run = master.run
        # Before the first run, and after a reset.
        if run is None:
            return _json({"summary": None, "series": []})
        return _json({"summary": run.summary(), "series": series_table(run.series)})

    @pages.route("/chat/<name>")
    @web_ui.auth_required_if_enabled
    def download(name: str) -> Response:
        """One artefact of the present run, made on the spot."""
        run = master.run
        found = {} if run is None else files(run.summary(), run.series)
        # A name of no file, or nothing to make it of.
        if name not in found or run is None:
            return Response("no such file, or no run yet\n", 404, mimetype="text/plain")
        kind = _KINDS[name.rsplit(".", 1)[-1]]
        headers = {"Content-Disposition": f'attachment; filename="chat-{run.name}-{name}"'}
        return Response(found[name], mimetype=kind, headers=headers)


def _add_form(pages: Blueprint, environment: Environment, master: Master, web_ui: Any) -> None:
    """Put the checks before Locust's Start and Edit, behind the login."""
    locusts_swarm = web_ui.app.view_functions["locust.swarm"]
    locusts_template = web_ui.update_template_args
    #: Locust's settings, which its Start and Edit change.
    present: Any = environment.parsed_options
    #: When the present run is to end, monotonic seconds; None: when it is stopped.
    ends: float | None = None

    def swarm() -> Response:
        """Start or Edit: refused with the reason, before anything is changed; else Locust's."""
        nonlocal ends
        # Refuse before Locust has changed anything.
        try:
            wanted = form.check(environment, master, request.form.to_dict())
        except ValueError as error:
            return _refused(error)
        if not wanted.edit:
            # Else the run time of the last run would count as this one's plan.
            present.run_time = None
        answer: Response = locusts_swarm()
        # Locust refused for a reason of its own.
        if not (answer.get_json(silent=True) or {}).get("success"):
            return answer
        now = time.monotonic()
        # A run time was given, a run begins without one, or an edit leaves it as it is.
        if wanted.run_time is not None:
            ends = now + wanted.run_time if wanted.run_time else None
        elif not wanted.edit:
            ends = None
        elif ends is not None:
            # Locust's edit takes the timer away; the run is to end when it was to end.
            web_ui._run_time_greenlet = gevent.spawn_later(
                max(0.1, ends - now), web_ui._stop_runners
            )
        # Now that Locust has taken the number of people, the rate and the plan, too.
        if wanted.edit:
            master.edit(wanted.options.rate, None if ends is None else ends - now)
        return answer

    @pages.route("/chat/check", methods=["POST"])
    @web_ui.auth_required_if_enabled
    def check() -> Response:
        """What Start or Edit would say to this form; changes nothing."""
        # The same checks as Start and Edit.
        try:
            form.check(environment, master, request.form.to_dict())
        except ValueError as error:
            return _refused(error)
        return _json({"success": True})

    def template() -> None:
        """Locust's values for its page, with what is set now in the fields of the form."""
        locusts_template()
        shown = form.present_values(environment, ui_extra_args_dict())
        web_ui.template_args["extra_options"] = shown
        runner: Any = environment.runner
        if master.run is not None and master.run.state == "running":
            # What was asked for, not what there is already: an edit starts from it.
            web_ui.template_args["user_count"] = runner.target_user_count

    web_ui.app.view_functions["locust.swarm"] = web_ui.auth_required_if_enabled(swarm)
    web_ui.update_template_args = template


def _refused(error: ValueError) -> Response:
    """The answer that Locust's page shows in its form."""
    return _json({"success": False, "message": str(error)})


def _json(body: Any) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), mimetype="application/json")

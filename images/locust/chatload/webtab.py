"""The Chat tab of Locust's web UI.

Locust's page is one script that knows tabs by name (``extended_tabs``) and leaves ours empty; a
small script of our own, added to the page, fills it while it is shown. ``/chat/…`` serves the data
and the downloads. With ``--web-login`` a user name and password from the environment protect all.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from typing import Any

from flask import Blueprint, Response, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust.env import Environment

from chatload import options as settings
from chatload.artefacts import SCRIPT, files, series_table
from chatload.master import Master

#: Key of the tab in the page's address (``?tab=chat``); the script looks for it.
TAB = "chat"
#: Environment variables that hold the login (from a Secret), with ``--web-login``.
USER_VARIABLE, PASSWORD_VARIABLE = "LOCUST_WEB_USER", "LOCUST_WEB_PASSWORD"
#: Kinds of the downloads, by the end of their names.
_KINDS = {"json": "application/json", "csv": "text/csv", "html": "text/html"}


def add_chat_tab(environment: Environment, web_ui: Any) -> None:
    """Add the tab, its data and its downloads to Locust's web UI, before it starts to serve."""
    master = getattr(environment, "chat_master", None)
    assert isinstance(master, Master)
    if web_ui.web_login:
        _add_login(web_ui)
    web_ui.template_args["extended_tabs"] = [{"title": "Chat", "key": TAB}]
    web_ui.template_args["extended_csv_files"] = [
        {"href": f"./chat/{name}", "title": f"Download Chat {name}"}
        for name in ("report.html", "summary.json", "series.csv", "histograms.csv", "ledger.csv")
    ]
    base = getattr(environment.parsed_options, "web_base_path", None)
    pages = Blueprint("chat", __name__, url_prefix=base or None)

    @pages.route("/chat/tab.js")
    @web_ui.auth_required_if_enabled
    def script() -> Response:
        """The script that draws the tab."""
        return Response(SCRIPT.read_text(encoding="utf-8"), mimetype="text/javascript")

    @pages.route("/chat/data")
    @web_ui.auth_required_if_enabled
    def data() -> Response:
        """The present run: summary and series."""
        run = master.run
        body: dict[str, Any] = {"summary": None, "series": []}
        if run is not None:
            body = {"summary": run.summary(), "series": series_table(run.series)}
        return Response(json.dumps(body), mimetype="application/json")

    @pages.route("/chat/<name>")
    @web_ui.auth_required_if_enabled
    def download(name: str) -> Response:
        """One artefact of the present run, made on the spot."""
        run = master.run
        found = {} if run is None else files(run.summary(), run.series)
        if name not in found or run is None:
            return Response("no such file, or no run yet\n", 404, mimetype="text/plain")
        kind = _KINDS[name.rsplit(".", 1)[-1]]
        headers = {"Content-Disposition": f'attachment; filename="chat-{run.name}-{name}"'}
        return Response(found[name], mimetype=kind, headers=headers)

    web_ui.app.register_blueprint(pages)

    @web_ui.app.before_request
    def check_form() -> Response | None:
        """A start with wrong settings is refused with the reason, before anything runs."""
        if not request.path.endswith("/swarm") or request.method != "POST":
            return None
        try:
            wanted = settings.parse({**vars(environment.parsed_options), **request.form.to_dict()})
        except ValueError as error:
            body = {"success": False, "message": str(error), "host": environment.host}
            return Response(json.dumps(body), mimetype="application/json")
        if master.run is not None and master.run.state == "running":
            master.set_rate(wanted.rate)  # Edit: of a run that is on, users and rate can change
        return None

    @web_ui.app.after_request
    def add_script(response: Response) -> Response:
        """Put our script into Locust's page."""
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            page = response.get_data(as_text=True)
            tag = '<script src="./chat/tab.js"></script><script>chatLab.tab()</script>'
            response.set_data(page.replace("</body>", f"{tag}</body>"))
        return response


class _Person(UserMixin):  # type: ignore[misc]
    """Who is logged in: there is one name only."""

    def __init__(self, name: str) -> None:
        self.id = name


def _add_login(web_ui: Any) -> None:
    """Let in whoever knows the name and password of the environment. Without both the process
    ends: a login that lets everybody or nobody in is worse than none."""
    name, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if not name or not password:
        raise SystemExit(f"locust: --web-login needs {USER_VARIABLE} and {PASSWORD_VARIABLE}")
    web_ui.app.secret_key = secrets.token_bytes(32)
    web_ui.login_manager.user_loader(_Person)
    web_ui.auth_args = {"username_password_callback": "./chat-login"}

    @web_ui.app.route("/chat-login", methods=["POST"])
    def check_login() -> Any:
        """Compare in constant time; say no more than that it was wrong."""
        given = request.form.get("username", ""), request.form.get("password", "")
        right = [
            hmac.compare_digest(mine.encode(), theirs.encode())
            for mine, theirs in zip((name, password), given, strict=True)
        ]
        if all(right):
            login_user(_Person(name))
            return redirect(url_for("locust.index"))
        session["auth_error"] = "Wrong user name or password"
        return redirect(url_for("locust.login"))

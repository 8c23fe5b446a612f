"""The login of the web UI (``--web-login``): one name and password, from the environment."""

from __future__ import annotations

import hmac
import os
import secrets
from typing import Any

from flask import Blueprint, redirect, request, session, url_for
from flask_login import UserMixin, login_user

#: Environment variables that hold the login (from a Secret).
USER_VARIABLE, PASSWORD_VARIABLE = "LOCUST_WEB_USER", "LOCUST_WEB_PASSWORD"


class _Person(UserMixin):  # type: ignore[misc]
    """Who is logged in: there is one name only."""

    def __init__(self, name: str) -> None:
        self.id = name


def add_login(web_ui: Any, pages: Blueprint) -> None:
    """Let in whoever knows the name and password of the environment.

    web_ui: Locust's. pages: where the address of the login goes, so that it has the base path.
    Without both variables the process ends: a login that lets everybody or nobody in is worse than
    none.
    """
    name, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if not name or not password:
        raise SystemExit(f"locust: --web-login needs {USER_VARIABLE} and {PASSWORD_VARIABLE}")
    web_ui.app.secret_key = secrets.token_bytes(32)
    # Another site's page must not press Start with this login.
    web_ui.app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    web_ui.login_manager.user_loader(_Person)
    web_ui.auth_args = {"username_password_callback": "./chat-login"}

    @pages.route("/chat-login", methods=["POST"])
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

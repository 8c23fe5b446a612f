"""The architecture as one picture, drawn from the manifest: how many pods, which ports, what talks
to what. A road that the network policies do not allow is not drawn, for there is none."""

from __future__ import annotations

from html import escape

from report.facts import Facts

INK, BLUE, RED, GREEN, OCHRE = "#1c2330", "#2b6cb0", "#b3261e", "#18794e", "#8a6d00"
PAPER, LINE, GREY = "#f6f8fa", "#9aa7b5", "#56636f"


class Sheet:
    """SVG being drawn; coordinates in points of a sheet 700 wide."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.parts: list[str] = []

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        fill: str = "white",
        edge: str = INK,
        dash: str = "",
    ) -> None:
        """A rectangle with round corners."""
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="4" fill="{fill}" stroke="{edge}" '
            f'stroke-width="0.9"{extra}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9,
        weight: int = 400,
        fill: str = INK,
        anchor: str = "start",
    ) -> None:
        """One line of text; ``y`` is its base line."""
        self.parts.append(
            f'<text x="{x}" y="{y}" font-family="Source Sans" font-size="{size}" '
            f'font-weight="{weight}" fill="{fill}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def lines(
        self,
        x: float,
        y: float,
        texts: list[str],
        *,
        size: float = 8,
        fill: str = GREY,
        anchor: str = "start",
    ) -> None:
        """Several lines below each other."""
        for number, text in enumerate(texts):
            self.text(x, y + number * (size + 2), text, size=size, fill=fill, anchor=anchor)

    def arrow(
        self, points: list[tuple[float, float]], colour: str, *, dash: str = "", both: bool = False
    ) -> None:
        """A line through points with a head at its end (and its beginning)."""
        path = "M" + " L".join(f"{x} {y}" for x, y in points)
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"{extra}/>'
        )
        self.head(points[-2], points[-1], colour)
        if both:
            self.head(points[1], points[0], colour)

    def head(self, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        """An arrow's head at ``end`` of a straight line from ``start``."""
        (ax, ay), (bx, by) = start, end
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        ux, uy = (bx - ax) / length, (by - ay) / length
        left = (bx - 6 * ux - 3 * uy, by - 6 * uy + 3 * ux)
        right = (bx - 6 * ux + 3 * uy, by - 6 * uy - 3 * ux)
        dots = " ".join(f"{x:.2f},{y:.2f}" for x, y in ((bx, by), left, right))
        self.parts.append(f'<polygon points="{dots}" fill="{colour}"/>')

    def svg(self) -> str:
        """The whole picture."""
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">' + "".join(self.parts) + "</svg>"
        )


def locust(facts: Facts) -> dict[str, int]:
    """Deployments that run the Locust image: name → replicas."""
    out = {}
    for one in facts.documents:
        if one["kind"] != "Deployment":
            continue
        containers = one["spec"]["template"]["spec"]["containers"]
        if any("/locust:" in container["image"] for container in containers):
            out[str(one["metadata"]["name"])] = int(one["spec"].get("replicas", 1))
    return out


def chat_pod(sheet: Sheet, x: float, y: float, name: str, parts: bool) -> None:
    """One chat pod; with its parts, or only its name."""
    width, height = 126, 108
    sheet.box(x, y, width, height)
    sheet.text(x + 7, y + 13, name, weight=700)
    if not parts:
        sheet.lines(x + 7, y + 28, ["the same program,", "the same parts;", "any number of them"])
        return
    for number, (title, what) in enumerate(
        [
            ("server", "page, API, /ws"),
            ("live", "sessions, hub, feed"),
            ("chat", "checks, group commit"),
            ("redisstore", "append, tail"),
        ]
    ):
        top = y + 19 + 21.5 * number
        sheet.box(x + 6, top, width - 12, 18.5, PAPER, LINE)
        sheet.text(x + 10, top + 12.5, title, size=8, weight=600)
        sheet.text(x + width - 10, top + 12.5, what, size=7.2, fill=GREY, anchor="end")


def redis_pod(sheet: Sheet, x: float, y: float, name: str, role: str) -> None:
    """One Redis pod with its Sentinel."""
    sheet.box(x, y, 126, 62)
    sheet.text(x + 7, y + 13, name, weight=700)
    sheet.text(
        x + 119,
        y + 13,
        role,
        size=8,
        fill=RED if role == "master" else GREY,
        weight=600,
        anchor="end",
    )
    sheet.box(x + 6, y + 19, 60, 36, PAPER, LINE)
    sheet.lines(x + 11, y + 33, ["redis", "streams, AOF"], size=7.6, fill=INK)
    sheet.box(x + 70, y + 19, 50, 36, PAPER, LINE)
    sheet.lines(x + 75, y + 33, ["Sentinel", "elects"], size=7.6, fill=INK)


def draw(facts: Facts) -> str:
    """The picture as SVG text."""
    chats, stores = facts.replicas("Deployment", "chat"), facts.replicas("StatefulSet", "redis")
    load = locust(facts)
    sheet = Sheet(700, 330)
    # The cluster, and what is outside of it.
    sheet.box(112, 6, 582, 318, "#fbfcfd", LINE, "5 3")
    sheet.text(
        688,
        18,
        "Kubernetes, one namespace; every road not drawn, but DNS, is denied by NetworkPolicy",
        size=7.8,
        fill=GREY,
        anchor="end",
    )
    sheet.box(4, 52, 84, 64)
    sheet.text(46, 68, "Browsers", weight=700, anchor="middle")
    sheet.lines(46, 82, ["the page: outbox,", "store, socket"], anchor="middle")
    sheet.box(122, 52, 84, 64, PAPER)
    sheet.text(164, 68, "Service chat", weight=700, anchor="middle")
    sheet.lines(
        164, 82, [f"node port {facts.node_port('chat')}", "→ any chat pod"], anchor="middle"
    )
    sheet.arrow([(88, 84), (122, 84)], BLUE, both=True)
    sheet.lines(46, 130, ["HTTP and one", "WebSocket each"], size=7.6, fill=BLUE, anchor="middle")
    # Chat pods.
    left = 262
    for number in range(min(chats, 3)):
        chat_pod(sheet, left + 144 * number, 30, f"chat pod {number + 1}", number == 0)
    least, most = facts.autoscaler()
    words = [f"{chats} pods at first;", "the autoscaler", f"keeps {least} to {most}"]
    sheet.lines(left + 144 * 2 + 7, 104, words, fill=INK)
    sheet.arrow([(206, 84), (262, 84)], BLUE, both=True)
    # Redis.
    for number in range(stores):
        redis_pod(
            sheet,
            left + 144 * number,
            212,
            f"redis-{number}",
            "master" if number == 0 else "replica",
        )
    wall = "appendfsync " + facts.setting(r"appendfsync (\w+)")
    sheet.arrow([(left + 28, 138), (left + 28, 212)], RED)
    sheet.lines(
        left + 22,
        158,
        ["1  append: a batch, one", "script call, then WAIT", "for the replicas"],
        size=7.6,
        fill=RED,
        anchor="end",
    )
    sheet.arrow([(left + 62, 212), (left + 62, 138)], GREEN)
    sheet.lines(
        left + 68, 166, ["2  every pod tails the log:", "blocking XREAD"], size=7.6, fill=GREEN
    )
    for number in range(1, min(chats, 3)):
        x = left + 144 * number + 62
        sheet.arrow([(left + 62, 200), (x, 200), (x, 138)], GREEN)
    for number in range(stores - 1):
        sheet.arrow(
            [(left + 144 * number + 126, 250), (left + 144 * (number + 1), 250)]
            if number == 0
            else [
                (left + 100, 274),
                (left + 100, 288),
                (left + 144 * (number + 1) + 40, 288),
                (left + 144 * (number + 1) + 40, 274),
            ],
            RED,
            dash="3 2",
        )
    sheet.text(
        left,
        303,
        f"replication; {wall} on each; master, then those in step, have it on disk before the ack",
        size=7.8,
        fill=RED,
    )
    sheet.text(
        left,
        316,
        "Service redis (headless): 6379 log, 26379 Sentinels: pods ask them who is master",
        size=7.8,
        fill=GREY,
    )
    # Locust.
    if load:
        workers = max(load.values())
        sheet.box(122, 160, 84, 48)
        sheet.text(164, 174, f"{workers} Locust workers", weight=700, anchor="middle", size=8.4)
        sheet.lines(164, 187, ["and a probe: people", "and their ledger"], anchor="middle")
        sheet.arrow([(164, 160), (164, 116)], BLUE, both=True)
        sheet.box(122, 248, 84, 48)
        sheet.text(164, 262, "Locust master", weight=700, anchor="middle", size=8.4)
        sheet.lines(164, 275, ["verdict, charts,", "web UI, Chat tab"], anchor="middle")
        sheet.arrow([(164, 248), (164, 208)], OCHRE, both=True)
        sheet.text(170, 232, "5557", size=7.6, fill=OCHRE)
        port = next((facts.node_port(name) for name in load if facts.node_port(name)), None)
        if port is None:
            services = [
                one["metadata"]["name"]
                for one in facts.documents
                if one["kind"] == "Service" and "locust" in one["metadata"]["name"]
            ]
            port = next((facts.node_port(name) for name in services if facts.node_port(name)), None)
        sheet.box(4, 248, 84, 48)
        sheet.text(46, 264, "Whoever tests", weight=700, anchor="middle")
        sheet.lines(46, 278, [f"node port {port}" if port else "web UI"], anchor="middle")
        sheet.arrow([(88, 272), (122, 272)], OCHRE, both=True)
    return sheet.svg()

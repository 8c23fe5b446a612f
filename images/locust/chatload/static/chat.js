// Draws a load run: in the Chat tab of Locust's web UI (refreshed every 2 s) and in report.html.
// Plain DOM, no library, no HTML strings. Charts are readable in black and white: dashes differ.
"use strict";
const chatLab = (() => {
  const STYLE = `
.chat-lab{font:15px/1.45 system-ui,sans-serif;color:#1c2330;background:#fff;padding:20px 24px;
  max-width:1160px;margin:0 auto;box-sizing:border-box}
.chat-lab h2{font-size:17px;margin:22px 0 8px}.chat-lab p{margin:4px 0}
.chat-lab .banner{padding:12px 16px;border-radius:8px;border-left:8px solid #607080;background:#eef1f5}
.chat-lab .banner.good{border-color:#18794e;background:#e7f6ee}
.chat-lab .banner.bad{border-color:#b3261e;background:#fdecea}
.chat-lab .banner strong{font-size:19px}
.chat-lab .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(116px,1fr));gap:8px}
.chat-lab .card{border:1px solid #d4dae3;border-radius:8px;padding:8px 10px}
.chat-lab .card b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.chat-lab .card span{color:#4a5568;font-size:13px}.chat-lab .card.bad{background:#fdecea;border-color:#b3261e}
.chat-lab table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
.chat-lab th,.chat-lab td{padding:4px 8px;border-bottom:1px solid #e1e6ed;text-align:right}
.chat-lab th:first-child,.chat-lab td:first-child,.chat-lab .text{text-align:left}
.chat-lab tr.bad td{background:#fdecea}
.chat-lab .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:16px}
.chat-lab figure{margin:0;min-width:0}.chat-lab figcaption{font-size:13px;color:#4a5568}
.chat-lab svg{width:100%;height:auto;display:block}.chat-lab svg text{font-size:11px;fill:#4a5568}`;
  const LINES = [["#1c2330", ""], ["#2b6cb0", "6 3"], ["#b3261e", "2 2"], ["#18794e", "8 3 2 3"]];
  const LEDGER = ["sent", "acknowledged", "delivered", "lost", "duplicated", "reordered", "recovered",
    "unexpected", "vanished", "misnamed", "corrupt"];
  const BAD = new Set(["lost", "duplicated", "reordered", "unexpected", "vanished", "misnamed",
    "corrupt"]);
  const number = (value) => value === undefined || value === null ? "–"
    : Number(value).toLocaleString("en", {maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0});

  // make builds an element: attributes, then children (elements or text).
  function make(tag, attributes, ...children) {
    const svg = ["svg", "path", "text", "line"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // table makes a table from column titles and rows of cells; `bad` marks rows to worry about.
  // Words go to the left, numbers to the right.
  function table(titles, rows) {
    const side = (cell, at) => at && /[A-Za-z]{3}|NO/.test(cell) ? {class: "text"} : {};
    const first = rows.length ? rows[0].cells : titles;
    return make("table", {},
      make("thead", {}, make("tr", {}, ...titles.map((title, at) =>
        make("th", {scope: "col", ...side(String(first[at]), at)}, title)))),
      make("tbody", {}, ...rows.map(({cells, bad}) => make("tr", bad ? {class: "bad"} : {},
        ...cells.map((cell, at) => make("td", side(String(cell), at), String(cell)))))));
  }

  // ticks gives 3 to 6 round values from 0 to at least `top`.
  function ticks(top) {
    const rough = (top || 1) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
    const out = [];
    for (let value = 0; value < top + step || out.length < 2; value += step) out.push(value);
    return out;
  }

  // chart draws lines over time. series: records with `second`; lines: [key, label] pairs.
  function chart(title, unit, series, lines) {
    const [width, height, left, bottom, top] = [560, 220, 56, 34, 26];
    const shown = lines.filter(([key]) => series.some((record) => record[key] !== undefined));
    const last = series.length ? series[series.length - 1].second : 1;
    const highest = Math.max(0, ...shown.flatMap(([key]) => series.map((one) => one[key] || 0)));
    const marks = ticks(highest);
    const x = (second) => left + (width - left - 8) * second / Math.max(1, last);
    const y = (value) => height - bottom - (height - bottom - top) * value / marks[marks.length - 1];
    const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title});
    for (const mark of marks) {
      svg.append(make("line", {x1: left, x2: width - 8, y1: y(mark), y2: y(mark), stroke: "#e1e6ed"}),
        make("text", {x: left - 6, y: y(mark) + 4, "text-anchor": "end"}, number(mark)));
    }
    for (const mark of ticks(last).filter((one) => one <= last)) {
      svg.append(make("text", {x: x(mark), y: height - bottom + 16, "text-anchor": "middle"},
        number(mark)));
    }
    svg.append(make("text", {x: width - 8, y: height - 4, "text-anchor": "end"}, "time, s"),
      make("text", {x: 2, y: 12}, unit));
    shown.forEach(([key, label], at) => {
      const [colour, dash] = LINES[at % LINES.length];
      let path = "";
      for (const record of series) {
        const value = record[key];
        if (value === undefined) { path += " "; continue; }
        path += `${path && !path.endsWith(" ") ? "L" : "M"}${x(record.second).toFixed(1)},${y(value).toFixed(1)}`;
      }
      svg.append(make("path", {d: path, fill: "none", stroke: colour, "stroke-width": 1.8,
        "stroke-dasharray": dash}));
      const at_x = left + 8 + at * 130;
      svg.append(make("path", {d: `M${at_x},18h26`, stroke: colour, "stroke-width": 2,
        "stroke-dasharray": dash}), make("text", {x: at_x + 30, y: 22}, label));
    });
    return make("figure", {}, svg, make("figcaption", {}, `${title} (${unit})`));
  }

  // banner says in one sentence what the run is worth.
  function banner(summary) {
    const says = {
      clean: "Every acknowledged message arrived exactly once, in order; the figures are valid.",
      BROKEN: "The ledger is broken: see what is marked red below.",
      GAPS: "Valid, and nothing is lost, but cursors were not honoured.",
      INVALID: "These figures are worth nothing: a gate did not hold.",
      running: "The load is on.",
      draining: "Posting has stopped; waiting for the last deliveries, then comparing the books.",
    };
    const kind = summary.outcome === "clean" ? "good"
      : ["BROKEN", "INVALID"].includes(summary.outcome) ? "bad" : "";
    return make("div", {class: `banner ${kind}`, id: "chat-outcome"},
      make("strong", {}, summary.outcome.toUpperCase()), ` ${says[summary.outcome] || ""}`,
      make("p", {}, `Run ${summary.run} · ${summary.host} · ${number(summary.seconds)} s · `
        + `${summary.workers} worker(s) · rate ${number(summary.rate)} posts/s · seed ${summary.options.seed}`),
      ...(summary.gaps ? [make("p", {}, `Gaps: ${summary.gaps}`)] : []),
      ...(summary.invalid_because || []).map((text) => make("p", {}, `Invalid: ${text}`)));
  }

  // render fills `root` with a run: {summary, series}; or says that there is none yet.
  function render(root, {summary, series}) {
    const style = make("style", {}, STYLE);
    const body = make("div", {class: "chat-lab"});
    if (!summary) {
      body.append(make("p", {}, "No run yet. Start one, and this tab fills."));
      root.replaceChildren(style, body);
      return;
    }
    const ledger = summary.ledger;
    body.append(banner(summary), make("h2", {}, "Delivery ledger"),
      make("div", {class: "cards", id: "chat-ledger"}, ...LEDGER.map((word) => make("div",
        {class: BAD.has(word) && ledger[word] ? "card bad" : "card", "data-word": word},
        make("b", {}, number(ledger[word])),
        make("span", {}, ledger[word] === undefined ? `${word} (at the end)` : word)))));
    const more = ["owed", "skipped", "indeterminate", "unproven", "unread", "gaps", "overlap",
      "foreign", "left"]
      .filter((word) => ledger[word]).map((word) => `${word} ${number(ledger[word])}`);
    if (more.length) body.append(make("p", {}, `Also: ${more.join(", ")}.`));
    for (const text of ledger.examples || []) body.append(make("p", {}, `• ${text}`));
    body.append(make("h2", {}, "Over time"), make("div", {class: "charts"},
      chart("Delivery, intended post to receipt by another user", "ms", series,
        [["deliver_p50_ms", "p50"], ["deliver_p95_ms", "p95"], ["deliver_p99_ms", "p99"]]),
      chart("Post to acknowledgement", "ms", series,
        [["ack_p50_ms", "p50"], ["ack_p95_ms", "p95"], ["ack_p99_ms", "p99"]]),
      chart("Deliveries", "1/s", series, [["deliveries_per_s", "deliveries/s"]]),
      chart("Posts", "1/s", series, [["posts_per_s", "posts/s"], ["acks_per_s", "acks/s"]]),
      chart("Users and open sockets", "number", series, [["users", "users"], ["sockets", "sockets"]]),
      chart("Failures and CPU of all workers", "number, %", series,
        [["failures", "failures"], ["worker_cpu_percent_sum", "CPU %"]])));
    const rows = Object.entries(summary.rows_ms);
    const columns = ["count", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"];
    body.append(make("h2", {}, "What people felt, ms"),
      table(["row", ...columns], rows.map(([name, row]) =>
        ({cells: [name, ...columns.map((column) => number(row[column]))]}))));
    body.append(make("h2", {}, "Validity gates"),
      table(["gate", "value", "limit", "held", "meaning"], summary.gates.map((gate) => ({
        bad: !gate.passed,
        cells: [gate.name, `${number(gate.value)} ${gate.unit}`, `${number(gate.limit)} ${gate.unit}`,
          gate.passed ? "yes" : "NO", gate.meaning]}))));
    body.append(make("h2", {}, "Connections by pod"),
      table(["pod", "connections"], Object.entries(summary.pods).map(([pod, count]) =>
        ({cells: [pod, number(count)]}))));
    const failures = Object.entries(summary.failures);
    body.append(make("h2", {}, "Failures"), failures.length
      ? table(["what", "count"], failures.map(([what, count]) => ({bad: true, cells: [what, number(count)]})))
      : make("p", {}, "None."));
    root.replaceChildren(style, body);
  }

  // place puts the section under Locust's row of tabs, over the empty panel that Locust draws.
  function place(root) {
    const tabs = document.querySelector('[role="tablist"]');
    const top = tabs ? tabs.getBoundingClientRect().bottom + window.scrollY : 0;
    root.style.cssText = `position:absolute;left:0;right:0;top:${top + 8}px;z-index:1;`
      + "background:#fff;min-height:70vh";
  }

  // tab keeps the Chat tab of Locust's page up to date while its address says that it is shown.
  function tab() {
    const root = make("section", {id: "chat-lab", "aria-label": "Chat", hidden: ""});
    document.body.append(root);
    let shown = false, busy = false;
    async function refresh() {
      if (!shown || busy) return;
      busy = true;
      try {
        render(root, await (await fetch("./chat/data")).json());
      } catch (error) {
        console.warn("chat tab:", error);
      } finally {
        busy = false;
      }
    }
    setInterval(() => {
      const now = new URLSearchParams(location.search).get("tab") === "chat";
      if (now) place(root);
      if (now === shown) return;
      shown = now;
      root.hidden = !shown;
      refresh();
    }, 200);
    setInterval(refresh, 2000);
  }
  return {render, tab};
})();

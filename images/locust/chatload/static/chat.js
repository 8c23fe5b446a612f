// Draws a load run: in the Chat tab of Locust's web UI (refreshed every 2 s) and in report.html; and
// helps Locust's own form. Plain DOM, no library, no HTML strings. Charts are readable in black and
// white: dashes differ.
"use strict";
const chatLab = (() => {
  // Colours by role; `dark` is set by whoever draws, because Locust's page has a switch of its own.
  const STYLE = `
.chat-lab{--ink:#1c2330;--muted:#4a5568;--paper:#fff;--line:#d4dae3;--plain:#eef1f5;--good:#18794e;
  --good-paper:#e7f6ee;--bad:#b3261e;--bad-paper:#fdecea;--shade:#e9edf3;--link:#1d5fa8;
  --line0:#1c2330;--line1:#2b6cb0;--line2:#b3261e;
  font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);
  padding:20px 24px 60px;max-width:1160px;margin:0 auto;box-sizing:border-box}
.chat-lab.dark{--ink:#e8ecf3;--muted:#aeb9c9;--paper:#121212;--line:#3a4352;--plain:#222a36;
  --good:#4cc38a;--good-paper:#12301f;--bad:#ff8a80;--bad-paper:#3d1512;--shade:#242b36;--link:#8ab8f0;
  --line0:#e8ecf3;--line1:#79b8ff;--line2:#ff8a80}
.chat-lab h2{font-size:17px;margin:22px 0 8px}.chat-lab p{margin:4px 0}.chat-lab a{color:var(--link)}
.chat-lab h2 a{font-size:13px;font-weight:normal;margin-left:8px}
.chat-lab .banner{padding:12px 16px;border-radius:8px;border-left:8px solid var(--muted);background:var(--plain)}
.chat-lab .banner.good{border-color:var(--good);background:var(--good-paper)}
.chat-lab .banner.bad{border-color:var(--bad);background:var(--bad-paper)}
.chat-lab .banner strong{font-size:19px}.chat-lab .banner{overflow-wrap:anywhere}
.chat-lab .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(116px,1fr));gap:8px}
.chat-lab .card{border:1px solid var(--line);border-radius:8px;padding:8px 10px}
.chat-lab .card b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.chat-lab .card span{color:var(--muted);font-size:13px}
.chat-lab .card.bad{background:var(--bad-paper);border-color:var(--bad)}
.chat-lab .wide{overflow-x:auto}
.chat-lab table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
.chat-lab th,.chat-lab td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:right}
.chat-lab th:first-child,.chat-lab td:first-child,.chat-lab .text{text-align:left}
.chat-lab td.text:last-child{min-width:15em}
.chat-lab tr.bad td{background:var(--bad-paper)}
.chat-lab details{margin:8px 0}.chat-lab summary{cursor:pointer;color:var(--link)}
.chat-lab dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:8px 0;font-size:14px}
.chat-lab dl.pairs{grid-template-columns:repeat(auto-fill,minmax(min(260px,100%),1fr));gap:2px 20px}
.chat-lab dl.pairs div{display:flex;justify-content:space-between;gap:10px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.chat-lab dt{color:var(--muted)}.chat-lab dd{margin:0}
.chat-lab .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:16px}
.chat-lab figure{margin:0;min-width:0}.chat-lab figcaption{font-size:13px;color:var(--muted)}
.chat-lab svg{width:100%;height:auto;display:block}.chat-lab svg text{font-size:11px;fill:var(--muted)}
.chat-lab svg .grid{stroke:var(--line)}.chat-lab svg .ramp{fill:var(--shade)}
@media (max-width:600px){.chat-lab{padding:12px 10px 60px}
  .chat-lab .cards{grid-template-columns:repeat(auto-fit,minmax(92px,1fr))}
  .chat-lab dl:not(.pairs){grid-template-columns:1fr}.chat-lab dl:not(.pairs) dd{margin-bottom:6px}}
#chat-strip{position:fixed;left:0;right:0;bottom:0;z-index:1400;padding:10px 16px;text-align:center;
  background:#5c3a00;color:#fff;font:15px/1.4 system-ui,sans-serif}
form.chat-form .chat-more{display:none!important}form.chat-form.chat-all .chat-more{display:inline-flex!important}
form.chat-form .chat-toggle{order:30;align-self:flex-start;font:inherit;padding:6px 12px;cursor:pointer;
  border:1px solid currentColor;border-radius:4px;background:none;color:inherit}
form.chat-form .chat-refused{color:#b3261e;background:#fdecea;padding:10px 14px;border-radius:4px;margin:8px 0}`;
  const DASHES = ["", "6 3", "2 2"];
  const BAD = new Set(["lost", "duplicated", "reordered", "unexpected", "vanished", "misnamed",
    "corrupt"]);
  const BROKEN_PEOPLE = new Set(["leaked", "after_removal", "room_lost", "miscounted",
    "kept_ephemeral", "misfiltered"]);
  // The ledger's words, in the order in which they are shown. The first line has cards.
  const CARDS = {
    sent: "posts put on the wire",
    acknowledged: "of these, confirmed by the server",
    owed: "deliveries that there must be: each message of a topic once to each of its readers",
    delivered: "messages shown to readers; one message to three readers is three",
    lost: "owed and not shown",
    duplicated: "shown twice to one reader",
    reordered: "shown after a later one of the same topic",
    unexpected: "shown or kept, of this run, and sent by nobody",
    vanished: "acknowledged or shown, and not in the history at the end",
    misnamed: "known under a second id",
    corrupt: "content changed, or of a topic that was not asked for",
  };
  const ALSO = {
    recovered: "delivered by a resume, after a connection was lost",
    skipped: "owed, swallowed by a gap that the server announced, and in the history",
    indeterminate: "sent and never acknowledged: in the log or not",
    unproven: "acknowledged, and older than what the server says it keeps",
    unread: "topics whose history could not be read back",
    gaps: "cursors that the server said it could not honour",
    overlap: "repeats after a resume that an older cursor asked for: right so",
    foreign: "messages of others, not of this run",
    left: "readers that left before the end: owed only what they got past",
  };
  const ROWS = {
    page: "the page and all that it names",
    connect: "connection begun → welcome",
    resume: "the same with a cursor, after a connection was lost",
    history: "a page of older messages, by socket or HTTP",
    ack: "post due → acknowledged",
    deliver: "post due → shown to another person",
    echo: "post sent → shown to its own poster",
    catch_up: "back on purpose → each message that was missed meanwhile",
    deliver_slow: "as deliver, to people who stop reading now and then",
    schedule_lag: "how late the generator let posts go: a gate, no result",
    loop_lag: "how late the generator's own loop was: a gate, no result",
  };
  const SAYS = {
    clean: "Every acknowledged message arrived exactly once, in order; the figures are valid.",
    BROKEN: "The ledger is broken: see what is marked red below.",
    GAPS: "Valid, and nothing is lost, but cursors were not honoured.",
    INVALID: "These figures are worth nothing: a gate did not hold.",
    running: "The load is on.",
    draining: "Posting has stopped; the last deliveries are awaited, then the books are compared.",
  };
  // Names of the <details> that are open: drawing anew must not shut them.
  const opened = new Set();
  const number = (value) => value === undefined || value === null ? "–"
    : Number(value).toLocaleString("en", {maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0});

  // make builds an element: attributes, then children (elements or text).
  function make(tag, attributes, ...children) {
    const svg = ["svg", "path", "text", "line", "rect"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // table makes a table from column titles and rows of cells; `bad` marks rows to worry about.
  // Words go to the left, numbers to the right. Where it is too wide, it scrolls, not the page.
  function table(titles, rows) {
    const side = (cell, at) => at && /[A-Za-z]{3}|NO/.test(cell) ? {class: "text"} : {};
    const first = rows.length ? rows[0].cells : titles;
    return make("div", {class: "wide", tabindex: "0"}, make("table", {},
      make("thead", {}, make("tr", {}, ...titles.map((title, at) =>
        make("th", {scope: "col", ...side(String(first[at]), at)}, title)))),
      make("tbody", {}, ...rows.map(({cells, bad}) => make("tr", bad ? {class: "bad"} : {},
        ...cells.map((cell, at) => make("td", side(String(cell), at), String(cell))))))));
  }

  // folded makes a part that is shut at first, and stays as its reader left it.
  function folded(name, ...children) {
    const node = make("details", opened.has(name) ? {open: ""} : {},
      make("summary", {}, name), ...children);
    node.addEventListener("toggle", () => node.open ? opened.add(name) : opened.delete(name));
    return node;
  }

  // pairs makes a list of names and values.
  const pairs = (entries) => make("dl", {class: "pairs"}, ...entries.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));

  // glossary makes a list of words and what they mean.
  const glossary = (words) => make("dl", {}, ...Object.entries(words).flatMap(([word, meaning]) =>
    [make("dt", {}, word), make("dd", {}, meaning)]));

  // heading makes a title, with a download beside it where there are downloads.
  const heading = (title, file, links) => make("h2", {}, title,
    ...(links && file ? [make("a", {href: `./chat/${file}`, download: ""}, file)] : []));

  // people shows what was found of accounts, rooms and conversation, where a run had them.
  function people(body, found) {
    if (!found) return;
    const {examples, ...counts} = found;
    body.append(heading("People, rooms, conversation"), make("div", {class: "cards", id: "chat-people"},
      ...Object.entries(counts).map(([word, count]) =>
        make("div", {class: BROKEN_PEOPLE.has(word) && count ? "card bad" : "card", "data-word": word},
          make("b", {}, number(count)), make("span", {}, word.replaceAll("_", " "))))));
    for (const text of examples) body.append(make("p", {}, `• ${text}`));
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

  // chart draws lines over time. series: records with `second`; lines: [key, label] pairs. The
  // ramp-up is shaded; what happened in it does not set the scale, and may leave the picture.
  function chart(title, unit, series, lines) {
    const [width, height, left, bottom, top] = [560, 220, 56, 34, 26];
    const shown = lines.filter(([key]) => series.some((record) => record[key] !== undefined));
    const last = series.length ? series[series.length - 1].second : 1;
    const steady = series.filter((record) => !record.ramp);
    const scale = steady.length >= 3 ? steady : series;
    const highest = Math.max(0, ...shown.flatMap(([key]) => scale.map((one) => one[key] || 0)));
    const marks = ticks(highest);
    const x = (second) => left + (width - left - 8) * Math.min(second, last) / Math.max(1, last);
    const y = (value) => Math.max(top,
      height - bottom - (height - bottom - top) * value / marks[marks.length - 1]);
    const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title});
    const ramp = series.filter((record) => record.ramp);
    if (ramp.length) {
      const end = x(ramp[ramp.length - 1].second + 1);
      svg.append(make("rect", {class: "ramp", x: left, y: top, width: Math.max(0, end - left),
        height: height - bottom - top}));
      if (end - left > 50) svg.append(make("text", {x: left + 4, y: height - bottom - 5}, "ramp-up"));
    }
    for (const mark of marks) {
      svg.append(make("line", {class: "grid", x1: left, x2: width - 8, y1: y(mark), y2: y(mark)}),
        make("text", {x: left - 6, y: y(mark) + 4, "text-anchor": "end"}, number(mark)));
    }
    for (const mark of ticks(last).filter((one) => one <= last)) {
      svg.append(make("text", {x: x(mark), y: height - bottom + 16, "text-anchor": "middle"},
        number(mark)));
    }
    svg.append(make("text", {x: width - 8, y: height - 4, "text-anchor": "end"}, "time, s"),
      make("text", {x: 2, y: 12}, unit));
    shown.forEach(([key, label], at) => {
      const style = `stroke:var(--line${at % DASHES.length})`;
      const dash = DASHES[at % DASHES.length];
      let path = "";
      for (const record of series) {
        const value = record[key];
        if (value === undefined) { path += " "; continue; }
        path += `${path && !path.endsWith(" ") ? "L" : "M"}${x(record.second).toFixed(1)},${y(value).toFixed(1)}`;
      }
      svg.append(make("path", {d: path, fill: "none", style, "stroke-width": 1.8,
        "stroke-dasharray": dash}));
      const from = left + 8 + at * 130;
      svg.append(make("path", {d: `M${from},18h26`, style, "stroke-width": 2,
        "stroke-dasharray": dash}), make("text", {x: from + 30, y: 22}, label));
    });
    return make("figure", {}, svg, make("figcaption", {}, `${title} (${unit})`));
  }

  // banner says in one sentence what the run is worth.
  function banner(summary) {
    const kind = summary.outcome === "clean" ? "good"
      : ["BROKEN", "INVALID"].includes(summary.outcome) ? "bad" : "";
    const rate = summary.rate > 0 ? `rate ${number(summary.rate)} posts/s` : "people post when they have thought";
    return make("div", {class: `banner ${kind}`, id: "chat-outcome"},
      make("strong", {}, summary.outcome.toUpperCase()), ` ${SAYS[summary.outcome] || ""}`,
      ...(summary.draining ? [make("p", {}, waiting(summary.draining))] : []),
      make("p", {}, `Run ${summary.run} · ${summary.host} · ${number(summary.seconds)} s, `
        + `${number(summary.measured_seconds)} of them measured · ${summary.workers} worker(s)`
        + `${summary.probed ? ", probes measure" : ""} · ${rate} · seed ${summary.options.seed}`),
      ...(summary.gaps ? [make("p", {}, `Gaps: ${summary.gaps}`)] : []),
      ...(summary.state === "finished" ? summary.invalid_because || [] : [])
        .map((text) => make("p", {}, `Invalid: ${text}`)));
  }

  // waiting says what a draining run waits for.
  const waiting = ({step, seconds}) => `Waiting for ${step}: ${seconds} s more at most.`;

  // settings lists all that the run was asked for, by the names of the flags.
  const settings = (summary) => Object.entries(summary.options).map(([name, value]) =>
    [`--${name.replaceAll("_", "-")}`, value === "" ? "–" : value]);

  // render fills `root` with a run, {summary, series}, or says that there is none yet. dark: whether
  // it stands on a dark page. links: whether the files can be downloaded beside it.
  function render(root, {summary, series}, {dark = false, links = false} = {}) {
    const style = make("style", {}, STYLE);
    const body = make("div", {class: dark ? "chat-lab dark" : "chat-lab"});
    if (!summary) {
      body.append(make("p", {}, "No run yet. Start one, and this tab fills."));
      root.replaceChildren(style, body);
      return;
    }
    const ledger = summary.ledger;
    const also = Object.entries(ALSO).filter(([word]) => ledger[word]);
    body.append(banner(summary), folded("All settings of this run", pairs(settings(summary))),
      heading("Delivery ledger", "ledger.csv", links),
      make("div", {class: "cards", id: "chat-ledger"}, ...Object.entries(CARDS).map(([word, meaning]) =>
        make("div", {class: BAD.has(word) && ledger[word] ? "card bad" : "card", "data-word": word,
          title: meaning}, make("b", {}, number(ledger[word])),
          make("span", {}, ledger[word] === undefined ? `${word} (at the end)` : word)))));
    if (also.length) body.append(make("p", {}, `Also: ${also.map(([word, meaning]) =>
      `${number(ledger[word])} ${word} (${meaning})`).join("; ")}.`));
    for (const text of ledger.examples || []) body.append(make("p", {}, `• ${text}`));
    people(body, summary.people);
    body.append(folded("What these words mean", glossary({...CARDS, ...ALSO})));
    body.append(heading("Over time", "series.csv", links), make("div", {class: "charts"},
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
    body.append(heading("What people felt, ms", "rows.csv", links),
      table(["row", ...columns], rows.map(([name, row]) =>
        ({cells: [name, ...columns.map((column) => number(row[column]))]}))),
      folded("What these rows are", glossary({...ROWS,
        "…_ramp": "while people were still being started: kept apart",
        "…_crowd": "as the busy processes of the crowd saw it, where probes measure: kept apart"})));
    body.append(heading("Validity gates", "gates.csv", links),
      table(["gate", "value", "limit", "held", "meaning"], summary.gates.map((gate) => ({
        bad: !gate.passed && summary.state === "finished",
        cells: [gate.name, `${number(gate.value)} ${gate.unit}`, `${number(gate.limit)} ${gate.unit}`,
          gate.passed ? "yes" : summary.state === "finished" ? "NO" : "not yet", gate.meaning]}))));
    body.append(heading("Connections by pod"),
      table(["pod", "connections"], Object.entries(summary.pods).map(([pod, count]) =>
        ({cells: [pod, number(count)]}))));
    const failures = Object.entries(summary.failures);
    body.append(heading("Failures", "failures.csv", links), failures.length
      ? table(["what", "count"], failures.map(([what, count]) => ({bad: true, cells: [what, number(count)]})))
      : make("p", {}, "None."));
    if (links) body.append(make("p", {}, "All of it in one file: ",
      make("a", {href: "./chat/report.html", download: ""}, "report.html"), ", ",
      make("a", {href: "./chat/summary.json", download: ""}, "summary.json"), ", ",
      make("a", {href: "./chat/histograms.csv", download: ""}, "histograms.csv")));
    root.replaceChildren(style, body);
  }

  // report draws a run into a page of its own.
  const report = (root, data) => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.body.style.background = dark ? "#121212" : "#fff";
    render(root, data, {dark});
  };

  // -- in Locust's page ---------------------------------------------------------------------------

  // isDark tells by its background whether Locust's page is dark just now.
  function isDark() {
    const parts = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g) || [];
    return parts.length === 3 && parts.reduce((sum, part) => sum + Number(part), 0) < 384;
  }

  // place puts the section under Locust's row of tabs, over the empty panel that Locust draws.
  function place(root) {
    const tabs = document.querySelector('[role="tablist"]');
    const top = tabs ? tabs.getBoundingClientRect().bottom + window.scrollY : 0;
    root.style.cssText = `position:absolute;left:0;right:0;top:${top + 8}px;z-index:1;`
      + `background:${isDark() ? "#121212" : "#fff"};min-height:70vh`;
  }

  // The fields that are always shown, in this order; the others are folded.
  const FIRST = ["rate", "topics", "messageSize", "postersShare", "lurkersShare", "churnShare",
    "slowShare"];

  // fields gives the text fields of Locust's "Custom parameters" in a form, each with its wrapper.
  const fields = (form) => [...form.querySelectorAll(".MuiAccordionDetails-root input")]
    .filter((input) => !["runTime", "profile"].includes(input.name) && input.name)
    .map((input) => ({input, wrapper: input.closest(".MuiFormControl-root")}))
    .filter(({wrapper}) => wrapper);

  // dress unfolds what matters of a form of Locust's, first things first, and folds the rest. In an
  // edit only the rate is left of it, for nothing else can change while a run is on.
  function dress(form) {
    if (form.classList.contains("chat-form") || !form.querySelector("input[name=userCount]")) return;
    const found = fields(form);
    if (!found.length) return;
    form.classList.add("chat-form");
    const edit = !form.querySelector("input[name=host]");
    if (edit) form.dataset.edit = "1";
    for (const {input, wrapper} of found) {
      const at = FIRST.indexOf(input.name);
      wrapper.style.order = at < 0 ? 40 : at;
      if (at < 0 || (edit && input.name !== "rate")) wrapper.classList.add("chat-more");
    }
    const box = found[0].wrapper.parentElement;
    const summary = box.closest(".MuiAccordion-root")?.querySelector(".MuiAccordionSummary-root");
    if (summary?.getAttribute("aria-expanded") === "false") summary.click();
    if (edit) {
      box.append(make("p", {style: "order:30"}, "While a run is on, people, ramp up and rate can "
        + "change; the other settings cannot: stop it first. The run time stays."));
      return;
    }
    const toggle = make("button", {type: "button", class: "chat-toggle", "aria-expanded": "false"},
      "More settings");
    toggle.addEventListener("click", () => {
      const all = form.classList.toggle("chat-all");
      toggle.textContent = all ? "Fewer settings" : "More settings";
      toggle.setAttribute("aria-expanded", String(all));
    });
    box.append(toggle);
  }

  // check asks the lab before Locust sends an edit: its dialog shuts whatever the answer is.
  async function check(event) {
    const form = event.target;
    if (!form.dataset?.edit) return;
    if (form.dataset.checked) { delete form.dataset.checked; return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    const body = new URLSearchParams();
    for (const one of form.querySelectorAll("input, select, textarea")) {
      if (one.name) body.set(one.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), one.value);
    }
    form.querySelector(".chat-refused")?.remove();
    const answer = await (await fetch("./chat/check", {method: "POST", body})).json();
    if (answer.success) {
      form.dataset.checked = "1";
      form.requestSubmit();
    } else {
      form.append(make("p", {class: "chat-refused", role: "alert"}, answer.message));
    }
  }

  // watch keeps a strip at the foot of every tab while a run drains, with a countdown.
  function watch() {
    const strip = make("div", {id: "chat-strip", role: "status", hidden: ""});
    document.body.append(strip);
    setInterval(async () => {
      try {
        const {draining} = await (await fetch("./chat/state")).json();
        strip.hidden = !draining;
        if (draining) strip.textContent = `Run ${draining.run} is draining. ${waiting(draining)}`;
      } catch {
        strip.hidden = true;
      }
    }, 1000);
  }

  // tab keeps the Chat tab of Locust's page up to date while its address says that it is shown, and
  // looks after Locust's forms.
  function tab() {
    const root = make("section", {id: "chat-lab", "aria-label": "Chat", hidden: ""});
    document.body.append(make("style", {}, STYLE), root);
    document.addEventListener("submit", check, true);
    watch();
    let shown = false, busy = false, dark = isDark(), data = {summary: null, series: []};
    const draw = () => render(root, data, {dark, links: true});
    async function refresh() {
      if (!shown || busy) return;
      busy = true;
      try {
        data = await (await fetch("./chat/data")).json();
        draw();
      } catch (error) {
        console.warn("chat tab:", error);
      } finally {
        busy = false;
      }
    }
    setInterval(() => {
      document.querySelectorAll("form").forEach(dress);
      const now = new URLSearchParams(location.search).get("tab") === "chat";
      if (now) place(root);
      if (now && dark !== isDark()) { dark = isDark(); draw(); }
      if (now === shown) return;
      shown = now;
      root.hidden = !shown;
      refresh();
    }, 200);
    setInterval(refresh, 2000);
  }
  return {render, report, tab};
})();

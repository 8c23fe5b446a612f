// A foreign witness: the same chat under a generator that is not ours (k6).
// READERS people read one topic, RATE posts a second go there over HTTP for
// SECONDS. Every reader counts what it was shown: once, in the order of ids.
//
//   go run go.k6.io/k6@v1.8.1 run -e TARGET=http://localhost:30222 loadtest/k6/witness.js
//
// The chat must run with --post-rate=0. k6's exit code is 99 when something was
// lost, doubled or out of order.
import http from "k6/http";
import exec from "k6/execution";
import { WebSocket } from "k6/websockets";
import { Counter, Trend } from "k6/metrics";

const TARGET = __ENV.TARGET || "http://localhost:30222";
const READERS = Number(__ENV.READERS || 100);
const RATE = Number(__ENV.RATE || 100);
const SECONDS = Number(__ENV.SECONDS || 60);
// Seconds for the readers to come before the first post, and to hear the last.
const BEFORE = 5;
const AFTER = 5;

const delivered = new Counter("delivered");
const doubled = new Counter("doubled");
const reordered = new Counter("reordered");
const missed = new Counter("missed");
const refused = new Counter("refused");
const deliver = new Trend("deliver", true);

export const options = {
  scenarios: {
    readers: {
      executor: "per-vu-iterations",
      vus: READERS,
      iterations: 1,
      maxDuration: `${BEFORE + SECONDS + 2 * AFTER}s`,
      exec: "read",
    },
    posters: {
      executor: "constant-arrival-rate",
      rate: RATE,
      timeUnit: "1s",
      duration: `${SECONDS}s`,
      startTime: `${BEFORE}s`,
      preAllocatedVUs: Math.max(10, Math.ceil(RATE / 5)),
      maxVUs: Math.max(20, RATE * 2),
      exec: "post",
    },
  },
  thresholds: {
    doubled: ["count==0"],
    reordered: ["count==0"],
    missed: ["count==0"],
    refused: ["count==0"],
    dropped_iterations: ["count==0"],
  },
};

// setup names a topic that nobody else uses.
export function setup() {
  return { topic: `witness-${Date.now().toString(36)}` };
}

// read is one reader: it compares what it was shown with the history, which it
// reads when the posts are over.
export function read({ topic }) {
  const socket = new WebSocket(TARGET.replace(/^http/, "ws") + "/ws", ["chat.v1"]);
  const seen = new Set();
  let last = "";
  socket.onopen = () => {
    socket.send(JSON.stringify({ type: "hello", topics: [topic], limit: 0 }));
    setTimeout(() => {
      socket.close();
      for (const id of history(topic)) {
        if (!seen.has(id)) missed.add(1);
      }
    }, (BEFORE + SECONDS + AFTER) * 1000);
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type !== "messages") return;
    const now = Date.now();
    for (const message of frame.messages) {
      if (seen.has(message.id)) doubled.add(1);
      else if (message.id <= last) reordered.add(1);
      seen.add(message.id);
      if (message.id > last) last = message.id;
      delivered.add(1);
      deliver.add(now - Number(message.content.split(" ")[0]));
    }
  };
}

// history is the ids of every message of a topic, read back page by page.
function history(topic) {
  const ids = [];
  for (let before = "", more = true; more; ) {
    const page = http
      .get(`${TARGET}/api/v1/messages?topic=${topic}&limit=200${before && `&before=${before}`}`)
      .json();
    ids.push(...page.messages.map((message) => message.id));
    more = page.more && page.messages.length > 0;
    if (more) before = page.messages[0].id;
  }
  return ids;
}

// post is one post, whose content says when it was due by this machine's clock.
export function post({ topic }) {
  const answer = http.post(
    `${TARGET}/api/v1/messages`,
    JSON.stringify({
      key: `${topic}-${exec.scenario.iterationInTest}`,
      topic,
      name: "Witness",
      email: "witness@load.example",
      content: `${Date.now()} said by k6`,
    }),
    { headers: { "Content-Type": "application/json" } },
  );
  if (answer.status !== 201) refused.add(1);
}

import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode } from "./decode.ts";

interface Golden {
  readonly name: string;
  readonly frame: { readonly type: string; readonly topics?: unknown };
}

/** The frames that Go, TypeScript and Python tests all read. */
const golden = JSON.parse(
  readFileSync(new URL("../../../internal/wire/testdata/server_frames.json", import.meta.url), "utf8"),
) as readonly Golden[];

describe("decode", () => {
  test.each(golden)("golden frame: $name", ({ frame }) => {
    const { topics: _, ...used } = frame; // which topics an error is about is nothing the page asks
    expect(decode(JSON.stringify(frame))).toEqual({ kind: "frame", frame: used });
  });

  test("every frame type has a golden frame", () => {
    const types = new Set(golden.map(({ frame }) => frame.type));
    expect([...types].sort()).toEqual(["ack", "bye", "ephemeral", "error", "history", "messages", "presence", "rooms", "updates", "welcome"]);
  });

  test.each(golden)("a missing field of: $name", ({ frame }) => {
    const optional = new Set(["cursor", "key", "ref", "retry_after_ms", "guests", "users", "at", "expected", "before", "features", "numbers", "you", "topics"]);
    // One of the two: a vote's ack has no time, an ephemeral message's no id.
    const either = frame.type === "ack" ? ["id", "time"] : [];
    for (const field of Object.keys(frame)) {
      if (frame.type === "welcome" && field === "time") continue; // older servers leave it out
      if (either.includes(field) && either.every((name) => name in frame)) continue;
      const required = field === "type" || (frame.type === "welcome" && field === "cursor") || (frame.type === "ack" && field === "key") || (frame.type === "history" && field === "ref");
      if (optional.has(field) && !required) continue;
      const { [field as "type"]: _, ...rest } = frame;
      expect(decode(JSON.stringify(rest)).kind, field).toBe("bad");
    }
  });

  test("unknown fields are dropped, unknown types told apart", () => {
    expect(decode('{"type":"presence","online":2,"mood":"good"}')).toEqual({
      kind: "frame",
      frame: { type: "presence", online: 2 },
    });
    expect(decode('{"type":"reaction"}')).toEqual({ kind: "unknown", type: "reaction" });
    expect(decode('{"type":"constructor"}')).toEqual({ kind: "unknown", type: "constructor" });
    expect(decode('{"type":"__proto__"}')).toEqual({ kind: "unknown", type: "__proto__" });
  });

  test("any text gives an answer", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void decode(text)), { numRuns: 2000 });
  });
});

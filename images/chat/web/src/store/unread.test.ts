import { expect, test } from "vitest";
import type { Message } from "../protocol/message.ts";
import { countUnread, decodeMarks, encodeMarks, firstUnread, joinMarks, markRead, NO_MARKS } from "./unread.ts";

const message = (n: number, topic: string, email = "g@x.y"): Message => ({
  id: String(n).padStart(4, "0"),
  key: `k${n}`,
  topic,
  name: "G",
  email,
  time: new Date(1_700_000_000_000 + n * 1000).toISOString(),
  content: "",
});
const log = [message(1, "a"), message(2, "b"), message(3, "a"), message(4, "a", "me@x.y"), message(5, "__proto__")];

test("counts by topic, without one's own", () => {
  const marks = { since: log[0]?.time ?? "", topics: new Map([["a", "0001"]]) };
  expect(countUnread(log, marks, "me@x.y")).toEqual(new Map([["a", 1], ["b", 1], ["__proto__", 1]]));
  expect(firstUnread(log, marks, "me@x.y")).toBe(log[1]);
});

test("what was read stays read, and marks never go back", () => {
  const read = markRead(NO_MARKS, log);
  expect(countUnread(log, read, "")).toEqual(new Map());
  expect(markRead(read, log.slice(0, 2))).toBe(read);
});

test("marks of two tabs join, and survive storage", () => {
  const one = markRead({ since: "2020", topics: new Map() }, [message(9, "a")]);
  const two = markRead({ since: "2021", topics: new Map() }, [message(3, "a"), message(7, "b")]);
  const joined = joinMarks(one, two);
  expect(joined).toEqual({ since: "2021", topics: new Map([["a", "0009"], ["b", "0007"]]) });
  expect(decodeMarks(encodeMarks(joined))).toEqual(joined);
  for (const broken of ["", "{", "null", '{"since":5}', '{"since":"x","topics":[1,["a"],["a","b"]]}']) {
    expect(() => decodeMarks(broken)).not.toThrow();
  }
});

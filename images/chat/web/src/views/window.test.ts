import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareMerged, type Message } from "../protocol/message.ts";
import { around, bounds, CUT_ROWS, cutTail, follow, hold, MAX_ROWS, stepDown, stepUp, TAIL, TAIL_ROWS, upperBound } from "./window.ts";

const listOf = (from: number, to: number): Message[] =>
  Array.from({ length: to - from }, (_, i) => {
    const id = String(from + i).padStart(8, "0");
    return { id, key: id, topic: "t", name: "n", email: "e", time: "2024-01-01T00:00:00.000Z", content: id };
  });

test("sizes keep their relations", () => {
  expect(TAIL_ROWS).toBeLessThan(CUT_ROWS);
  expect(CUT_ROWS).toBeLessThan(MAX_ROWS);
  expect(MAX_ROWS).toBeLessThanOrEqual(400);
});

describe("a window", () => {
  test("begins at the newest", () => {
    expect(bounds(listOf(0, 1000), TAIL, compareMerged)).toEqual({ start: 1000 - TAIL_ROWS, end: 1000 });
    expect(bounds(listOf(0, 5), TAIL, compareMerged)).toEqual({ start: 0, end: 5 });
  });

  test("held, shows the same rows whatever arrives at either end", () => {
    const list = listOf(500, 900);
    const held = hold(list, { start: 100, end: 200 });
    for (const longer of [listOf(500, 1500), listOf(0, 900), listOf(0, 1500)]) {
      const { start, end } = bounds(longer, held, compareMerged);
      expect(longer.slice(start, end)).toEqual(list.slice(100, 200));
    }
  });

  test("by steps reaches every message and never holds too many", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(fc.boolean(), { maxLength: 60 }), (length, ups) => {
        const list = listOf(0, length);
        let window = hold(list, bounds(list, TAIL, compareMerged));
        for (const up of [...ups, ...Array<boolean>(40).fill(true)]) {
          const stretch = bounds(list, window, compareMerged);
          expect(stretch.end - stretch.start).toBeLessThanOrEqual(MAX_ROWS);
          expect(stretch.end).toBeGreaterThan(stretch.start);
          window = (up ? stepUp : stepDown)(list, stretch);
        }
        expect(bounds(list, window, compareMerged).start).toBe(0);
        for (let i = 0; i < 40; i++) window = stepDown(list, bounds(list, window, compareMerged));
        expect(bounds(list, window, compareMerged).end).toBe(length);
      }),
      { numRuns: 50 },
    );
  });

  test("that follows always ends at the newest, adds rows only below, and begins anew when too many come", () => {
    let list = listOf(0, 300);
    let window = follow(list, TAIL, compareMerged);
    const top = window.top;
    list = listOf(0, 500);
    window = follow(list, window, compareMerged);
    expect(window.top).toBe(top);
    expect(bounds(list, window, compareMerged)).toEqual({ start: 180, end: 500 });
    list = listOf(0, 2500);
    window = follow(list, window, compareMerged);
    expect(bounds(list, window, compareMerged)).toEqual({ start: 2500 - TAIL_ROWS, end: 2500 });
    // Its top was forgotten by the store.
    expect(bounds(listOf(3000, 3005), follow(listOf(3000, 3005), window, compareMerged), compareMerged)).toEqual({ start: 0, end: 5 });
  });

  test("cut while following, shows nothing newer until the next frame", () => {
    const list = listOf(0, 300);
    const cut = cutTail(list, { start: 0, end: 250 });
    expect(bounds(list, follow(list, cut, compareMerged), compareMerged)).toEqual({ start: 250 - TAIL_ROWS, end: 250 });
  });

  test("around a message holds it", () => {
    const list = listOf(0, 1000);
    for (const index of [0, 10, 500, 999]) {
      const { start, end } = bounds(list, around(list, index), compareMerged);
      expect(start).toBeLessThanOrEqual(index);
      expect(end).toBeGreaterThan(index);
    }
  });
});

test("upperBound tells before from after", () => {
  const list = listOf(0, 10);
  const fifth = list[5] as Message;
  expect(upperBound(list, fifth, compareMerged)).toBe(6);
  expect(upperBound(list, fifth, compareMerged, true)).toBe(5);
});

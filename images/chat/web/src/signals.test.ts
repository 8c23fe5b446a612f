import { expect, test } from "vitest";
import { computed, effect, signal, untracked } from "./signals.ts";

test("an effect runs at once, and whenever what it read last changed", () => {
  const which = signal(true);
  const a = signal("a1");
  const b = signal("b1");
  const seen: string[] = [];
  const stop = effect(() => void seen.push(which.value ? a.value : b.value));
  a.value = "a2";
  a.value = "a2";
  which.value = false;
  a.value = "a3";
  b.value = "b2";
  stop();
  b.value = "b3";
  expect(seen).toEqual(["a1", "a2", "b1", "b2"]);
});

test("a computed value changes only when its value does", () => {
  const n = signal(1);
  const odd = computed(() => n.value % 2 === 1);
  const seen: boolean[] = [];
  effect(() => void seen.push(odd.value));
  n.value = 3;
  n.value = 4;
  expect(seen).toEqual([true, false]);
});

test("what is read untracked is not followed", () => {
  const a = signal(1);
  let runs = 0;
  effect(() => {
    runs++;
    untracked(() => a.value);
  });
  a.value = 2;
  expect(runs).toBe(1);
});

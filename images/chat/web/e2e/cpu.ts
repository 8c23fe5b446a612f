/**
 * What a page costs its main thread, in that thread's own CPU time: what else the machine does
 * meanwhile is not counted.
 */

import type { Page } from "@playwright/test";

export class Cpu {
  private constructor(
    private readonly page: Page,
    private readonly metric: (name: string) => Promise<number>,
  ) {}

  static async of(page: Page): Promise<Cpu> {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    return new Cpu(page, async (name) => {
      const { metrics } = await cdp.send("Performance.getMetrics");
      return (metrics.find((metric) => metric.name === name)?.value ?? 0) * 1_000;
    });
  }

  /** Ms that the page's scripts took while `act` went on; `all`: layout, style and painting too. */
  async spent(act: () => Promise<unknown>, what: "script" | "all" = "script"): Promise<number> {
    const name = what === "script" ? "ScriptDuration" : "TaskDuration";
    const before = await this.metric(name);
    await act();
    return (await this.metric(name)) - before;
  }

  /**
   * Ms of the longest task of any page of this browser while `act` went on.
   *
   * @param what all of it, or without style and layout, which the browser needs for the same nodes whoever makes them
   */
  async longest(act: () => Promise<unknown>, what: "all" | "without layout" = "all"): Promise<number> {
    const browser = this.page.context().browser();
    if (!browser) throw new Error("no browser");
    await browser.startTracing(this.page, { categories: ["-*", "toplevel", "devtools.timeline"] });
    await act();
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
    const threadOf = ({ pid, tid }: TraceEvent): string => `${pid} ${tid}`;
    const main = new Set(traceEvents.filter((event) => event.args?.name === "CrRendererMain").map(threadOf));
    const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && main.has(threadOf(event)));
    if (tasks.length === 0) throw new Error("the trace holds no task");
    const layouts = what === "all" ? [] : traceEvents.filter(({ name }) => name === "Layout" || name === "UpdateLayoutTree");
    const cost = (task: TraceEvent): number =>
      layouts.filter((event) => isWithin(event, task)).reduce((left, { tdur = 0 }) => left - tdur, task.tdur ?? 0);
    return Math.max(...tasks.map(cost)) / 1_000;
  }
}

function isWithin(event: TraceEvent, task: TraceEvent): boolean {
  return event.pid === task.pid && event.tid === task.tid && event.ts >= task.ts && event.ts < task.ts + (task.dur ?? 0);
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** When it began, and how long it took by the clock, µs. */
  readonly ts: number;
  readonly dur?: number;
  /** CPU time, µs. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

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

  /** Ms of the longest task of any page of this browser while `act` went on, script, layout and painting together. */
  async longest(act: () => Promise<unknown>): Promise<number> {
    const browser = this.page.context().browser();
    if (!browser) throw new Error("no browser");
    await browser.startTracing(this.page, { categories: ["-*", "toplevel"] });
    await act();
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
    const threadOf = ({ pid, tid }: TraceEvent): string => `${pid} ${tid}`;
    const main = new Set(traceEvents.filter((event) => event.args?.name === "CrRendererMain").map(threadOf));
    const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && main.has(threadOf(event)));
    if (tasks.length === 0) throw new Error("the trace holds no task");
    return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1_000;
  }
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** CPU time, µs. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

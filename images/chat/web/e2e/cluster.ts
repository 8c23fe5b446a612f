/** Real processes for a test: one Redis, any number of chat pods, all on free loopback ports. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The chat under test. */
const CHAT_BIN = resolve(import.meta.dirname, process.env["CHAT_BIN"] ?? "../../../../bin/chat");
const REDIS_BIN = process.env["REDIS_SERVER"] ?? "redis-server";
/** How long a process may take to start or to stop. Ms. */
const PATIENCE_MS = 20_000;

/** One chat process. */
export class Pod {
  #child: ChildProcess | undefined;
  /** Host and port, the same over restarts. */
  address = "127.0.0.1:0";

  constructor(
    readonly name: string,
    private readonly args: readonly string[],
  ) {}

  get url(): string {
    return `http://${this.address}`;
  }

  async start(): Promise<void> {
    const child = spawn(CHAT_BIN, ["--listen", this.address, "--name", this.name, ...this.args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, CHAT_ADMIN_LISTEN: "off" },
    });
    this.#child = child;
    this.address = await firstMatch(child, /127\.0\.0\.1:[1-9]\d*/u, `chat pod ${this.name}`);
  }

  /** Asks it to drain; returns at once. */
  terminate(): void {
    this.#child?.kill("SIGTERM");
  }

  /** Ends it without a word, and waits until it is gone. */
  kill(): Promise<void> {
    return end(this.#child, "SIGKILL");
  }
}

/** One pod on the embedded store, in a folder of its own. */
export class Alone {
  private constructor(
    readonly pod: Pod,
    private readonly folder: string,
  ) {}

  static async start(...args: readonly string[]): Promise<Alone> {
    const folder = await mkdtemp(join(tmpdir(), "chat-e2e-"));
    const alone = new Alone(new Pod("alone", ["--data", folder, "--post-rate", "0", ...args]), folder);
    await alone.pod.start();
    return alone;
  }

  async stop(): Promise<void> {
    await this.pod.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class Cluster {
  readonly pods: Pod[] = [];
  #redis: ChildProcess | undefined;
  #folder = "";
  #redisPort = 0;

  /** A Redis and `count` pods on it. */
  static async start(count: number): Promise<Cluster> {
    const cluster = new Cluster();
    try {
      cluster.#folder = await mkdtemp(join(tmpdir(), "chat-e2e-"));
      cluster.#redisPort = await freePort();
      await cluster.startRedis();
      for (let i = 0; i < count; i++) {
        cluster.pods.push(
          new Pod(`pod-${i}`, ["--redis-url", `redis://127.0.0.1:${cluster.#redisPort}/0`, "--post-rate", "0"]),
        );
      }
      await Promise.all(cluster.pods.map((pod) => pod.start()));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async startRedis(): Promise<void> {
    const port = String(this.#redisPort);
    const args = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", this.#folder];
    this.#redis = spawn(REDIS_BIN, args, { stdio: ["ignore", "pipe", "pipe"] });
    await firstMatch(this.#redis, /Ready to accept connections/u, "redis-server");
  }

  /** Ends Redis without a word; its append-only file stays. */
  stopRedis(): Promise<void> {
    return end(this.#redis, "SIGKILL");
  }

  pod(index: number): Pod {
    const pod = this.pods[index];
    if (!pod) throw new Error(`there is no pod ${index}`);
    return pod;
  }

  async stop(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.kill()));
    await this.stopRedis();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The first text in the output of a process that matches. Rejects when the process ends first. */
function firstMatch(child: ChildProcess, pattern: RegExp, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const fail = (why: string): void => reject(new Error(`${what} ${why}: ${output.slice(-2000)}`));
    const timer = setTimeout(() => fail("did not start in time"), PATIENCE_MS);
    child.once("error", (error) => fail(String(error)));
    child.once("exit", (code) => fail(`ended with ${code}`));
    const read = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-100_000);
      const match = pattern.exec(output);
      if (!match) return;
      clearTimeout(timer);
      resolve(match[0]);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
  });
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

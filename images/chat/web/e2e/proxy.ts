/**
 * A network between page and pods that the test holds in its hand: it drops, repeats, delays and
 * reorders frames, refuses sockets, and writes down what opened and closed in which order.
 */

import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { ClientFrame, ServerFrame } from "../src/protocol/frames.ts";
import type { Pod } from "./cluster.ts";

/** One socket of the page and its other half to a pod. */
export class Link {
  constructor(
    readonly id: number,
    /** The pod it leads to. */
    readonly pod: string,
    private readonly page: WebSocket,
    private readonly server: WebSocket,
  ) {}

  /** Sends a frame to the page. */
  toPage(frame: ServerFrame): void {
    if (this.page.readyState === WebSocket.OPEN) this.page.send(JSON.stringify(frame));
  }

  toServer(frame: ClientFrame): void {
    if (this.server.readyState === WebSocket.OPEN) this.server.send(JSON.stringify(frame));
  }

  /** Closes the page's half with a close frame; the pod's half follows. */
  close(code: number): void {
    this.page.close(code);
  }

  /** Cuts both halves without a close frame. */
  cut(): void {
    this.page.terminate();
    this.server.terminate();
  }
}

export type Event =
  | { readonly kind: "open" | "close"; readonly link: number; readonly pod: string }
  | { readonly kind: "to-page"; readonly link: number; readonly frame: ServerFrame }
  | { readonly kind: "to-server"; readonly link: number; readonly frame: ClientFrame };

export class Proxy {
  /** Everything that happened, in order. */
  readonly events: Event[] = [];
  readonly links = new Set<Link>();
  /** Answers new sockets with a cut. Pages still load. */
  refuseSockets = false;
  /** Answers upgrades with this status, as a proxy that does not know them would. */
  upgradeStatus: number | undefined;
  /** Answers a request itself when it returns true. */
  onRequest: (req: IncomingMessage, res: ServerResponse) => boolean = () => false;
  /** Called for each frame from a pod instead of passing it on. */
  onServerFrame: (frame: ServerFrame, link: Link) => void = (frame, link) => link.toPage(frame);
  onClientFrame: (frame: ClientFrame, link: Link) => void = (frame, link) => link.toServer(frame);

  #ids = 0;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #server: Server;

  private constructor(public target: Pod) {
    this.#server = createServer((req, res) => this.#forward(req, res));
    this.#server.on("upgrade", (req, socket, head) => this.#upgrade(req, socket, head));
  }

  static async start(target: Pod): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Posts that went to a pod, in order. */
  posts(): readonly Extract<ClientFrame, { type: "post" }>[] {
    return this.events.flatMap((event) =>
      event.kind === "to-server" && event.frame.type === "post" ? [event.frame] : [],
    );
  }

  /** Cuts every socket. */
  cut(): void {
    for (const link of this.links) link.cut();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Frames of a type that the page sent, with when. */
  sent(type: ClientFrame["type"]): readonly ClientFrame[] {
    return this.events.flatMap((event) => (event.kind === "to-server" && event.frame.type === type ? [event.frame] : []));
  }

  #forward(req: IncomingMessage, res: ServerResponse): void {
    if (this.onRequest(req, res)) return;
    const onward = request(
      `${this.target.url}${req.url}`,
      { method: req.method, headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      },
    );
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  }

  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.upgradeStatus !== undefined) {
      socket.end(`HTTP/1.1 ${this.upgradeStatus} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    if (this.refuseSockets) {
      socket.destroy();
      return;
    }
    const { name, url } = this.target;
    const { host, origin } = req.headers;
    const server = new WebSocket(`${url.replace("http", "ws")}${req.url}`, "chat.v1", {
      headers: { Host: host, Origin: origin },
      perMessageDeflate: false,
    });
    server.once("error", () => socket.destroy());
    server.once("open", () => {
      this.#sockets.handleUpgrade(req, socket, head, (page) => this.#join(page, server, name));
    });
  }

  #join(page: WebSocket, server: WebSocket, pod: string): void {
    const link = new Link(++this.#ids, pod, page, server);
    this.links.add(link);
    this.events.push({ kind: "open", link: link.id, pod });
    page.on("message", (data) => {
      const frame = JSON.parse(String(data)) as ClientFrame;
      this.events.push({ kind: "to-server", link: link.id, frame });
      this.onClientFrame(frame, link);
    });
    server.on("message", (data) => {
      const frame = JSON.parse(String(data)) as ServerFrame;
      this.events.push({ kind: "to-page", link: link.id, frame });
      this.onServerFrame(frame, link);
    });
    const close = (other: WebSocket) => (code: number) => {
      if (this.links.delete(link)) this.events.push({ kind: "close", link: link.id, pod });
      // 1005 and 1006 stand for "no code": they may not be sent.
      if (code === 1005) other.close();
      else if (code === 1006) other.terminate();
      else other.close(code);
    };
    page.on("close", close(server));
    server.on("close", close(page));
    page.on("error", () => server.terminate());
    server.on("error", () => page.terminate());
  }
}

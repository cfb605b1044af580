// source.ts: where answers come from: the server here, the file itself in report.ts.

import type { OverFrames, Pulse, Runs } from "./types.ts";

export class Refused extends Error {
  constructor(public status: number, message: string, public help = "") {
    super(message);
  }
}
// Nobody answers at all.
export class Gone extends Error {}

export type Params = Record<string, string | number>;

export interface Source {
  readonly offline: boolean;
  json<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T>;
  bytes(path: string, params?: Params, signal?: AbortSignal): Promise<ArrayBuffer>;
  // Calls back with what changed until the signal; up(false) when the connection is lost, up(true) when it is back.
  watch(run: number, pulse: (pulse: Pulse) => void, up: (there: boolean) => void, signal: AbortSignal): void;
}

export const runPath = (run: number, name = ""): string => `/api/runs/${run}${name && "/" + name}`;

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
    return undefined;
  });
}

export class ServerSource implements Source {
  readonly offline = false;

  private async ask(path: string, params: Params = {}, signal?: AbortSignal): Promise<Response> {
    const query = new URLSearchParams(Object.entries(params).map(([k, v]) => [k, String(v)])).toString();
    for (;;) {
      let reply: Response;
      try {
        reply = await fetch(query ? `${path}?${query}` : path, { signal });
      } catch (cause) {
        if (signal?.aborted) throw cause;
        throw new Gone("the server does not answer");
      }
      if (reply.ok) return reply;
      const told = await reply.json().catch(() => ({ error: reply.statusText }));
      if (reply.status !== 503) throw new Refused(reply.status, told.error ?? "", told.help ?? "");
      await pause(250, signal); // it is being computed
    }
  }

  async json<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
    return (await this.ask(path, params, signal)).json() as Promise<T>;
  }

  async bytes(path: string, params?: Params, signal?: AbortSignal): Promise<ArrayBuffer> {
    return (await this.ask(path, params, signal)).arrayBuffer();
  }

  watch(run: number, pulse: (pulse: Pulse) => void, up: (there: boolean) => void, signal: AbortSignal): void {
    const stream = new EventSource(runPath(run, "events"));
    let lost: ReturnType<typeof setTimeout> | undefined;
    stream.onmessage = (message) => {
      clearTimeout(lost);
      lost = undefined;
      up(true);
      pulse(JSON.parse(message.data) as Pulse);
    };
    // The browser asks again by itself; only when that fails, too, is the server gone.
    stream.onerror = () => {
      lost ??= setTimeout(() => up(false), 4000);
      if (stream.readyState === EventSource.CLOSED && !signal.aborted)
        setTimeout(() => !signal.aborted && this.watch(run, pulse, up, signal), 3000);
    };
    signal.addEventListener("abort", () => {
      clearTimeout(lost);
      stream.close();
    });
  }
}

export const runsOf = (source: Source): Promise<Runs> => source.json<Runs>("/api/runs");

// Asks about all frames, as many replies as it takes; told(share) after each.
export async function overFrames<T>(
  source: Source, path: string, params: Params, frames: number, signal?: AbortSignal, told?: (share: number) => void,
): Promise<T[]> {
  const all: T[] = [];
  while (all.length < frames) {
    const reply = await source.json<OverFrames<T>>(path, { ...params, first: all.length }, signal);
    if (reply.frames.length === 0) break;
    all.push(...reply.frames);
    told?.(all.length / frames);
  }
  return all;
}

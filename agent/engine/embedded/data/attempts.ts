import net from 'node:net';
import { keepAlive } from './keepalive.ts';
import { Reader, type ReadPool } from './read-pool.ts';

/** The next address is tried beside one that has not answered by then (RFC 8305). */
const STAGGER_MS = 250;
/** Addresses that failed this recently are tried last. */
const DOUBT_MS = 30_000;
const MOST_DOUBTS = 1_024;

export type Attempted =
  | {
      readonly ok: true;
      readonly socket: net.Socket;
      readonly address: string;
      readonly reader: Reader | null;
    }
  | { readonly ok: false; readonly why: string; readonly timeout: boolean };

/** Whether anybody still waits, for whatever is under way in his place; one thing at a time. An AbortSignal, cheaper. */
export class GivingUp {
  #given = false;
  #run: (() => void) | null = null;

  get given(): boolean {
    return this.#given;
  }

  now(): void {
    this.#given = true;
    this.#run?.();
  }

  on(run: () => void): void {
    this.#run = run;
  }

  off(): void {
    this.#run = null;
  }
}

export interface ConnectTo {
  readonly addresses: readonly string[];
  readonly port: number;
  /** What its sockets read into; null: they are read by their `data` events. */
  readonly reads: ReadPool | null;
  /** Read ahead of a slow reader, and kept for a slow peer; else what Node thinks. */
  readonly bufferBytes?: number | undefined;
}

/**
 * TCP to one of several addresses: the first one that connects. Each is begun when the one before has failed or is
 * slow, none is given up for being slow. Which comes first goes round, so that equal addresses share the load.
 */
export class Attempts {
  readonly #clock: () => number;
  /** When each of them failed last. */
  readonly #doubts = new Map<string, number>();
  #turn: number;

  constructor(needs: { clock: () => number; random: () => number }) {
    this.#clock = needs.clock;
    // Processes of one node do not all begin with the same one.
    this.#turn = Math.floor(needs.random() * 1_024);
  }

  connect(to: ConnectTo, over: GivingUp): Promise<Attempted> {
    return new Promise((resolve) => {
      const { addresses, port, reads, bufferBytes } = to;
      const left = inOrder(addresses, this.#turn++, (a) => this.#doubted(a));
      const trying = new Map<net.Socket, string>();
      const reasons: string[] = [];
      let timeout = false;
      let stagger: NodeJS.Timeout | undefined;
      const done = (result: Attempted): void => {
        clearTimeout(stagger);
        over.off();
        for (const socket of trying.keys()) if (!result.ok || socket !== result.socket) socket.destroy();
        resolve(result);
      };
      const next = (): void => {
        clearTimeout(stagger);
        const address = left.shift();
        if (address === undefined) {
          if (trying.size === 0) done({ ok: false, why: reasons.join(', ') || 'no address', timeout });
          return;
        }
        const reader = reads === null ? null : new Reader(reads);
        const socket = open({ address, port, reader, bufferBytes });
        trying.set(socket, address);
        // Stays for good: who takes the socket listens for faults of its own, a tick later.
        socket.on('error', () => undefined);
        const failed = (e: NodeJS.ErrnoException): void => {
          trying.delete(socket);
          this.#doubt(address);
          const code = e.code ?? e.message;
          timeout ||= code === 'ETIMEDOUT';
          reasons.push(addresses.length > 1 ? `${address} ${code}` : code);
          next();
        };
        socket.once('error', failed);
        socket.once('connect', () => {
          socket.off('error', failed);
          this.#doubts.delete(address);
          for (const [slow, at] of trying) {
            if (slow === socket) break;
            this.#doubt(at);
          }
          done({ ok: true, socket, address, reader });
        });
        if (left.length > 0) stagger = setTimeout(next, STAGGER_MS);
      };
      const leave = (): void => done({ ok: false, why: 'given up', timeout: false });
      over.on(leave);
      if (over.given) leave();
      else next();
    });
  }

  #doubted(address: string): boolean {
    const at = this.#doubts.get(address);
    return at !== undefined && this.#clock() - at < DOUBT_MS;
  }

  #doubt(address: string): void {
    this.#doubts.delete(address);
    this.#doubts.set(address, this.#clock());
    const [oldest] = this.#doubts.keys();
    if (this.#doubts.size > MOST_DOUBTS && oldest !== undefined) this.#doubts.delete(oldest);
  }
}

/** Each family from `turn` on, families by turns beginning with IPv6; who is doubted comes last. */
export function inOrder(
  addresses: readonly string[],
  turn: number,
  doubted: (address: string) => boolean,
): string[] {
  if (addresses.length === 1) return [...addresses];
  const families = [6, 4].map((f) =>
    rotated(
      addresses.filter((a) => net.isIP(a) === f),
      turn,
    ),
  );
  const longest = Math.max(...families.map((f) => f.length));
  const mixed = Array.from({ length: longest }, (_, i) => families.flatMap((f) => f.slice(i, i + 1))).flat();
  return [...mixed.filter((a) => !doubted(a)), ...mixed.filter(doubted)];
}

function rotated(list: readonly string[], by: number): string[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function open(to: {
  address: string;
  port: number;
  reader: Reader | null;
  bufferBytes: number | undefined;
}): net.Socket {
  const { address, port, reader, bufferBytes } = to;
  const socket = net.connect({
    ...(bufferBytes === undefined ? {} : { highWaterMark: bufferBytes }),
    ...(reader === null ? {} : { onread: reader.onread }),
    host: address,
    port,
    noDelay: true,
    allowHalfOpen: true,
  });
  keepAlive(socket);
  if (reader !== null) socket.pause();
  return socket;
}

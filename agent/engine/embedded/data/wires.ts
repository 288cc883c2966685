import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { resetSocket } from '../wire/reset-socket.ts';
import type { SmuxStream } from '../wire/smux-stream.ts';
import type { WebSocketStream } from '../wire/websocket.ts';
import type { CutBy } from './leg.ts';
import type { Reader } from './read-pool.ts';

// What a leg may stand on. They differ in how they break and in whether an end can be told from a cut.

// A connection whose peer has said its end is no longer watched for a reset, and a TLS socket that lost a write of its
// own (a session ticket to a client that had reset) never calls back again: an empty write asks the kernel.
const ASK_FIRST_MS = 100;
const ASK_AGAIN_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** Of a client's connection: as the sockets say, or as a PROXY header said. */
export interface Ways {
  readonly from: Address;
  readonly to: Address;
}

export interface Wire {
  readonly socket: Duplex;
  /** The TCP socket it has to itself. */
  readonly raw: net.Socket | null;
  readonly ways: Ways;
  /** Instead of `data` events, where there is one. */
  readonly reader: Reader | null;
  /** `plain` ends look like cuts, `sealed` bytes carry marks of both, `told` is what the wire itself can say. */
  readonly ends: 'plain' | 'sealed' | 'told';
  /** Either direction can end without the other. */
  readonly halves: boolean;
  /** Breaks it at once, or as soon as that is possible. */
  readonly reset: () => void;
  /** Tells a cut without marks in the bytes; null where it cannot. */
  readonly cut: ((by: CutBy) => void) | null;
}

/**
 * Asked of the kernel when somebody wants to know, which for most sockets nobody does. What was asked once is known
 * after the socket has closed, too.
 */
class SocketWays implements Ways {
  readonly #raw: net.Socket;

  constructor(raw: net.Socket) {
    this.#raw = raw;
  }

  get from(): Address {
    return { address: this.#raw.remoteAddress ?? '', port: this.#raw.remotePort ?? 0 };
  }

  get to(): Address {
    return { address: this.#raw.localAddress ?? '', port: this.#raw.localPort ?? 0 };
  }
}

export function waysOf(raw: net.Socket): Ways {
  return new SocketWays(raw);
}

/** TCP, or TLS over it: `raw` is the TCP socket under `socket`, or the same, and only that one can be reset. */
export function socketWire(of: {
  socket: net.Socket;
  raw: net.Socket;
  ways?: Ways;
  sealed?: boolean;
  reader?: Reader | null;
}): Wire {
  const { socket, raw } = of;
  socket.once('end', () => askWhetherItLives(socket, raw));
  return {
    socket,
    raw,
    ways: of.ways ?? waysOf(raw),
    reader: of.reader ?? null,
    ends: of.sealed ? 'sealed' : 'plain',
    halves: true,
    reset: () => resetSocket(socket, raw),
    cut: null,
  };
}

/** A WebSocket of its own over TCP or TLS. */
export function webSocketWire(of: { stream: WebSocketStream; ways: Ways; sealed: boolean }): Wire {
  const { stream, ways } = of;
  const reset = (): void => stream.resetAndDestroy();
  const ends = of.sealed ? 'sealed' : 'plain';
  const halves = of.sealed;
  return { socket: stream, raw: null, ways, reader: null, ends, halves, reset, cut: null };
}

/** A stream of a session; `ours` is what is at its other end. */
export function smuxWire(of: { stream: SmuxStream; ways: Ways; ours: boolean }): Wire {
  const { stream, ways } = of;
  return {
    socket: stream,
    raw: null,
    ways,
    reader: null,
    ends: of.ours ? 'told' : 'plain',
    halves: true,
    reset: () => stream.resetAndDestroy(),
    cut: (by) => stream.cut(by),
  };
}

function askWhetherItLives(socket: net.Socket, raw: net.Socket): void {
  let asking: NodeJS.Timeout;
  const ask = (): void => {
    if (socket.destroyed || socket.writableFinished) return;
    if (!raw.destroyed && (raw !== socket || !socket.writableEnded)) raw.write(NOTHING);
    asking = setTimeout(ask, ASK_AGAIN_MS).unref();
  };
  asking = setTimeout(ask, ASK_FIRST_MS).unref();
  socket.once('close', () => clearTimeout(asking));
}

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { openWebSocket } from '../wire/websocket.ts';
import { type Attempts, GivingUp } from './attempts.ts';
import { every } from './every.ts';
import { Leg, SEALED, SUBPROTOCOL } from './leg.ts';
import type { DataNode } from './messages.ts';
import type { Names } from './names.ts';
import type { Reader, ReadPool } from './read-pool.ts';
import { type ReadyMaterial, refusePeer } from './tls-peer.ts';
import { socketWire, type Wire, waysOf, webSocketWire } from './wires.ts';

export interface DialFailure {
  readonly ok: false;
  readonly why: string;
  readonly timeout: boolean;
  /** Nothing of the stream was sent, and another node can be asked at once. */
  readonly unsent?: boolean;
}

export type Dialled = { readonly ok: true; readonly leg: Leg } | DialFailure;

/** A connection, with TLS and WebSocket where they are asked for; `ours`: the other side knows our seal. */
export type Connected =
  | {
      readonly ok: true;
      readonly wire: Wire;
      readonly carrier: Duplex;
      readonly ours: boolean;
      /** Which one of the node's it is. */
      readonly address: string;
    }
  | DialFailure;

export interface DialNeeds {
  readonly timeoutMs: number;
  readonly material: (key: string) => ReadyMaterial | undefined;
  readonly now: () => number;
  readonly names: Names;
  readonly attempts: Attempts;
  readonly reads: ReadPool;
  /** Nobody waits any more. */
  readonly signal?: AbortSignal;
}

const CLOSED = 'closed during the handshake';
/** It is about to leave, or has. */
const GONE = new Set(['ECONNRESET', CLOSED]);

/** A connection of its own for one stream. */
export async function dial(node: DataNode, needs: DialNeeds): Promise<Dialled> {
  const connected = await connect(node, needs);
  return connected.ok ? { ok: true, leg: new Leg(connected.wire) } : connected;
}

/** All layers below a stream or a session, within the deadline; to the first of the node's addresses that connects. */
export async function connect(node: DataNode, needs: DialNeeds): Promise<Connected> {
  const began = needs.now();
  const secured = await connectSocket(node, needs);
  const { path, bufferBytes } = node.over;
  if (!secured.ok) return secured;
  const { socket, raw, ours, address, reader } = secured;
  if (path === null)
    return {
      ...{ ok: true, carrier: socket, ours, address },
      wire: socketWire({ socket, raw, sealed: ours, reader }),
    };
  const host = node.over.host ?? (node.host.includes(':') ? `[${node.host}]` : node.host) + `:${node.port}`;
  const handshakeMs = Math.max(1, needs.timeoutMs - (needs.now() - began));
  const settings = { path, handshakeMs, subprotocol: SUBPROTOCOL, bufferBytes };
  const ways = waysOf(raw);
  const opened = await openWebSocket({ socket, raw, host }, settings, { every });
  if (!opened.ok) {
    raw.destroy();
    const why = `${node.name} (${node.host}:${node.port}): ${opened.why}`;
    return { ok: false, why, timeout: false, unsent: true };
  }
  const { stream } = opened;
  const { agreed } = stream;
  const wire = webSocketWire({ stream, ways, sealed: agreed });
  return { ok: true, wire, carrier: stream, ours: agreed, address };
}

interface Socket {
  readonly ok: true;
  readonly socket: net.Socket;
  readonly raw: net.Socket;
  readonly ours: boolean;
  readonly address: string;
  /** Of a socket that reads so: it gives no `data`, and is paused until somebody takes what it reads. */
  readonly reader: Reader | null;
}

/** Name, TCP and TLS, one after the other: the deadline and the client's leaving hold for all of them. */
async function connectSocket(node: DataNode, needs: DialNeeds): Promise<Socket | DialFailure> {
  const fail = (why: string, timeout = false, unsent = false): DialFailure => ({
    ok: false,
    why: `${node.name} (${node.host}:${node.port}): ${why}`,
    timeout,
    unsent,
  });
  const ready = node.tls === null ? undefined : needs.material(node.tls.material);
  if (node.tls !== null && ready === undefined)
    return { ok: false, why: `${node.name}: its certificate is not loaded`, timeout: false };
  const over = new GivingUp();
  const givenUp = Promise.withResolvers<DialFailure>();
  const giveUp = (why: string, timeout: boolean): void => {
    givenUp.resolve(fail(why, timeout));
    over.now();
  };
  const leave = (): void => giveUp('the client left', false);
  const deadline = setTimeout(() => giveUp(`no connection in ${needs.timeoutMs} ms`, true), needs.timeoutMs);
  needs.signal?.addEventListener('abort', leave);
  if (needs.signal?.aborted) leave();
  const made = async (): Promise<Socket | DialFailure> => {
    const answer = await needs.names.resolve(node.host);
    if (!answer.ok) return fail(`no address: ${answer.why}`, false, true);
    // TLS and WebSocket read from the socket by themselves; a reader of our own holds nothing for a slow one.
    const { path, bufferBytes } = node.over;
    const reads = ready === undefined && path === null && bufferBytes === undefined ? needs.reads : null;
    const to = { addresses: answer.addresses, port: node.port, reads, bufferBytes };
    const attempted = await needs.attempts.connect(to, over);
    if (!attempted.ok) return fail(attempted.why, attempted.timeout, !attempted.timeout);
    const { socket: raw, address, reader } = attempted;
    if (over.given) {
      raw.destroy();
      return fail('given up');
    }
    if (ready === undefined) return { ok: true, socket: raw, raw, ours: false, address, reader };
    const secured = await secure(raw, { node, ready, over, now: needs.now });
    return typeof secured === 'string'
      ? fail(secured, false, GONE.has(secured))
      : { ...secured, address, reader: null };
  };
  // Who keeps sessions or probes dials for nobody: a fault there must not end the process.
  const making = made().catch((e: unknown) => fail(`a fault: ${String(e)}`));
  const result = await Promise.race([making, givenUp.promise]);
  clearTimeout(deadline);
  needs.signal?.removeEventListener('abort', leave);
  // Both at once: nobody takes it.
  if (!result.ok) void making.then((late) => late.ok && late.raw.destroy());
  return result;
}

type Tls = Omit<Socket, 'address' | 'reader'>;

/**
 * TLS over a connection that stands: begun before, it would hold the handle of the first address tried. Why not, when
 * it cannot be; then the connection is gone.
 */
function secure(
  raw: net.Socket,
  how: { node: DataNode; ready: ReadyMaterial; over: GivingUp; now: () => number },
): Promise<Tls | string> {
  const { node, ready, over, now } = how;
  const { serverName = null, peers = 'any' } = node.tls ?? {};
  const { bufferBytes } = node.over;
  return new Promise((resolve) => {
    // Refused by hand below: an expired fleet certificate has a grace that OpenSSL knows nothing of.
    const options = {
      ...(bufferBytes === undefined ? {} : { highWaterMark: bufferBytes }),
      socket: raw,
      secureContext: ready.context,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      allowHalfOpen: true,
      ALPNProtocols: [node.over.path === null ? SEALED : 'http/1.1'],
      // An address is no SNI (RFC 6066), Node throws at one. It is checked against the certificate all the same.
      ...(serverName === null || net.isIP(serverName) !== 0 ? {} : { servername: serverName }),
    };
    const socket = tls.connect(options);
    const give = (result: Tls | string): void => {
      over.off();
      // Who takes the socket listens for faults of its own, a tick later.
      for (const s of [socket, raw]) {
        s.on('error', () => undefined);
        s.off('error', fault);
        if (typeof result === 'string') s.destroy();
      }
      resolve(result);
    };
    const fault = (e: NodeJS.ErrnoException): void => give(e.code ?? e.message);
    over.on(() => give('given up'));
    for (const s of [socket, raw]) s.on('error', fault);
    socket.once('close', () => give(CLOSED));
    socket.once('secureConnect', () => {
      socket.removeAllListeners('close');
      const host = serverName ?? (peers === 'ca' ? node.host : null);
      const why = refusePeer({ socket, ready, peers, role: 'server', host, now: now() });
      give(why ?? { ok: true, socket, raw, ours: socket.alpnProtocol === SEALED });
    });
  });
}

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { openWebSocket } from '../wire/websocket.ts';
import { every } from './every.ts';
import { keepAlive } from './keepalive.ts';
import { Leg, SEALED, SUBPROTOCOL } from './leg.ts';
import type { DataNode } from './messages.ts';
import { Reader, type ReadPool } from './read-pool.ts';
import { type ReadyMaterial, refusePeer } from './tls-peer.ts';
import { socketWire, type Wire, waysOf, webSocketWire } from './wires.ts';

export interface DialFailure {
  readonly ok: false;
  readonly why: string;
  readonly timeout: boolean;
}

export type Dialled = { readonly ok: true; readonly leg: Leg } | DialFailure;

/** A connection, with TLS and WebSocket where they are asked for; `ours`: the other side knows our seal. */
export type Connected =
  | { readonly ok: true; readonly wire: Wire; readonly carrier: Duplex; readonly ours: boolean }
  | DialFailure;

export interface DialNeeds {
  readonly timeoutMs: number;
  readonly material: (key: string) => ReadyMaterial | undefined;
  readonly now: () => number;
  readonly reads: ReadPool;
  /** Nobody waits any more. */
  readonly signal?: AbortSignal;
}

/** A connection of its own for one stream. */
export async function dial(node: DataNode, needs: DialNeeds): Promise<Dialled> {
  const connected = await connect(node, needs);
  return connected.ok ? { ok: true, leg: new Leg(connected.wire) } : connected;
}

/** All layers below a stream or a session, within the deadline. Names are resolved again on every call. */
export async function connect(node: DataNode, needs: DialNeeds): Promise<Connected> {
  const began = needs.now();
  const secured = await connectSocket(node, needs);
  const { path } = node.over;
  if (!secured.ok) return secured;
  const { socket, raw, ours, reader } = secured;
  if (path === null)
    return { ok: true, wire: socketWire({ socket, raw, sealed: ours, reader }), carrier: socket, ours };
  const host = node.over.host ?? (node.host.includes(':') ? `[${node.host}]` : node.host) + `:${node.port}`;
  const handshakeMs = Math.max(1, needs.timeoutMs - (needs.now() - began));
  const settings = { path, handshakeMs, subprotocol: SUBPROTOCOL };
  const ways = waysOf(raw);
  const opened = await openWebSocket({ socket, raw, host }, settings, { every });
  if (!opened.ok) {
    raw.destroy();
    return { ok: false, why: `${node.name} (${node.host}:${node.port}): ${opened.why}`, timeout: false };
  }
  const { stream } = opened;
  const { agreed } = stream;
  return { ok: true, wire: webSocketWire({ stream, ways, sealed: agreed }), carrier: stream, ours: agreed };
}

type Secured =
  | {
      readonly ok: true;
      readonly socket: net.Socket;
      readonly raw: net.Socket;
      readonly ours: boolean;
      /** Of a socket that reads so: it gives no `data`, and is paused until somebody takes what it reads. */
      readonly reader: Reader | null;
    }
  | DialFailure;

function connectSocket(node: DataNode, needs: DialNeeds): Promise<Secured> {
  return new Promise((resolve) => {
    const ready = node.tls === null ? undefined : needs.material(node.tls.material);
    if (node.tls !== null && ready === undefined) {
      resolve({ ok: false, why: `${node.name}: its certificate is not loaded`, timeout: false });
      return;
    }
    // TLS and WebSocket read from the socket by themselves.
    const reader = node.tls === null && node.over.path === null ? new Reader(needs.reads) : null;
    const raw = net.connect({
      ...(reader === null ? {} : { onread: reader.onread }),
      host: node.host,
      port: node.port,
      noDelay: true,
      allowHalfOpen: true,
    });
    if (reader !== null) raw.pause();
    keepAlive(raw);
    let socket: net.Socket = raw;
    const give = (result: Secured): void => {
      clearTimeout(deadline);
      needs.signal?.removeEventListener('abort', leave);
      // Who takes the socket listens for faults of its own, a tick later.
      for (const s of [socket, raw]) {
        s.on('error', () => undefined);
        s.off('error', fault);
        if (!result.ok) s.destroy();
      }
      resolve(result);
    };
    const fail = (why: string, timeout = false): void =>
      give({ ok: false, why: `${node.name} (${node.host}:${node.port}): ${why}`, timeout });
    const fault = (e: NodeJS.ErrnoException): void => fail(e.code ?? e.message, e.code === 'ETIMEDOUT');
    const deadline = setTimeout(() => fail(`no connection in ${needs.timeoutMs} ms`, true), needs.timeoutMs);
    const leave = (): void => fail('the client left');
    needs.signal?.addEventListener('abort', leave);
    raw.on('error', fault);
    if (node.tls === null || ready === undefined) {
      raw.once('connect', () => give({ ok: true, socket: raw, raw, ours: false, reader }));
      return;
    }
    const { serverName, peers } = node.tls;
    // Refused by hand below: an expired fleet certificate has a grace that OpenSSL knows nothing of.
    const options = {
      socket: raw,
      secureContext: ready.context,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      allowHalfOpen: true,
      ALPNProtocols: [node.over.path === null ? SEALED : 'http/1.1'],
      ...(serverName === null ? {} : { servername: serverName }),
    };
    const secured = tls.connect(options);
    socket = secured;
    secured.on('error', fault);
    secured.once('close', () => fail('closed during the handshake'));
    secured.once('secureConnect', () => {
      secured.removeAllListeners('close');
      const host = serverName ?? (peers === 'ca' ? node.host : null);
      const why = refusePeer({ socket: secured, ready, peers, role: 'server', host, now: needs.now() });
      if (why !== null) fail(why);
      else give({ ok: true, socket: secured, raw, ours: secured.alpnProtocol === SEALED, reader: null });
    });
  });
}

import net from 'node:net';
import tls from 'node:tls';
import { Leg, SEALED } from './leg.ts';
import type { DataNode } from './messages.ts';
import { type ReadyMaterial, refusePeer } from './tls-peer.ts';
import { socketWire } from './wires.ts';

export type Dialled =
  | { readonly ok: true; readonly leg: Leg }
  | { readonly ok: false; readonly why: string; readonly timeout: boolean };

export interface DialNeeds {
  readonly timeoutMs: number;
  readonly material: (key: string) => ReadyMaterial | undefined;
  readonly now: () => number;
}

/** TCP, and TLS where the node asks for it, within the deadline. Names are resolved again on every call. */
export function dial(node: DataNode, needs: DialNeeds): Promise<Dialled> {
  return new Promise((resolve) => {
    const ready = node.tls === null ? undefined : needs.material(node.tls.material);
    if (node.tls !== null && ready === undefined) {
      resolve({ ok: false, why: `${node.name}: its certificate is not loaded`, timeout: false });
      return;
    }
    const raw = net.connect({
      host: node.host,
      port: node.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      allowHalfOpen: true,
    });
    let socket: net.Socket = raw;
    const give = (result: Dialled): void => {
      clearTimeout(deadline);
      socket.off('error', fault);
      raw.off('error', fault);
      if (!result.ok) {
        socket.on('error', () => undefined);
        raw.on('error', () => undefined);
        socket.destroy();
        raw.destroy();
      }
      resolve(result);
    };
    const fail = (why: string, timeout = false): void =>
      give({ ok: false, why: `${node.name} (${node.host}:${node.port}): ${why}`, timeout });
    const fault = (e: NodeJS.ErrnoException): void => fail(e.code ?? e.message, e.code === 'ETIMEDOUT');
    const deadline = setTimeout(() => fail(`no connection in ${needs.timeoutMs} ms`, true), needs.timeoutMs);
    raw.on('error', fault);
    if (node.tls === null || ready === undefined) {
      raw.once('connect', () => give({ ok: true, leg: new Leg(socketWire({ socket: raw, raw })) }));
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
      ALPNProtocols: [SEALED],
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
      else
        give({
          ok: true,
          leg: new Leg(socketWire({ socket: secured, raw, sealed: secured.alpnProtocol === SEALED })),
        });
    });
  });
}

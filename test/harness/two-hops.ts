import net from 'node:net';
import tls from 'node:tls';
import {
  type DataNode,
  type DataService,
  DIRECT,
  type Material,
  type Pool,
} from '../../agent/engine/embedded/data/messages.ts';
import { DataPlane } from '../../agent/engine/embedded/data/plane.ts';
import type { Tally } from '../../agent/engine/embedded/data/tally.ts';
import type { ServiceStats } from '../../agent/engine/port.ts';
import type { TestCa } from './test-ca.ts';

const HOST = '127.0.0.1';

export function makeNode(port: number, more: Partial<DataNode> = {}): DataNode {
  return { name: `n${port}`, host: HOST, port, ...DIRECT, speaks: 'relay', ...more };
}

export function makePool(nodes: readonly DataNode[], more: Partial<Pool['selector']> = {}): Pool {
  return { name: 'pool', nodes, selector: { strategy: 'fifo', maxFails: 1, failTimeoutMs: 10_000, ...more } };
}

export function makeService(name: string, more: Partial<DataService>): DataService {
  return {
    name,
    listen: { host: HOST, port: 0 },
    tls: null,
    over: { path: null, mux: false },
    proxyIn: false,
    proxyOut: 0,
    handler: 'tcp',
    auths: null,
    cores: null,
    targets: null,
    retries: 0,
    dialTimeoutMs: 2_000,
    turns: true,
    ...more,
  };
}

/** A data plane and what it logged. */
export class Plane {
  readonly log: string[] = [];
  readonly data: DataPlane;

  constructor(needs: { tally?: Tally; dns?: readonly string[]; hostsFile?: string } = {}) {
    this.data = new DataPlane({
      log: (_level, text) => this.log.push(text),
      now: () => Date.now(),
      clock: () => performance.now(),
      random: () => 0.5,
      ...needs,
    });
  }

  async carry(services: readonly DataService[], materials: Record<string, Material> = {}): Promise<void> {
    const listeners = services.map(({ name, listen }) => ({ service: name, listen }));
    const { problems } = await this.data.calls.bind({ listeners });
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    await this.data.calls.commit({ services, materials });
  }

  port(service: string): number {
    return this.data.portOf(service) ?? 0;
  }

  async stats(service: string): Promise<ServiceStats> {
    const { services } = await this.data.calls.stats({});
    const found = services.find((s) => s.service === service);
    if (found === undefined) throw new Error(`no figures of ${service}`);
    return found;
  }
}

export interface TwoHops {
  readonly edge: Plane;
  readonly core: Plane;
  /** Where clients connect to. */
  readonly port: number;
  readonly connect: () => net.Socket;
  /** A client as `connect` makes it, and the TCP socket under it. */
  readonly connectRaw: () => { socket: net.Socket; raw: net.Socket };
  readonly close: () => Promise<void>;
}

export type Transport = 'tcp' | 'tls' | 'ws' | 'wss' | 'mtls' | 'mwss';

/** What a listener and a dialer of that type are made of, under the identity `id`. */
export function makeTransport(type: Transport): {
  readonly listen: Pick<DataService, 'tls' | 'over'>;
  readonly dial: Pick<DataNode, 'tls' | 'over'>;
} {
  const secure = type !== 'tcp' && type !== 'ws';
  const path = type.includes('w') ? '/ws' : null;
  const mux = type.startsWith('m');
  const tls = { material: 'id', peers: 'fleet', serverName: null } as const;
  return {
    listen: { tls: secure ? { material: 'id', peers: 'fleet' } : null, over: { path, mux } },
    dial: { tls: secure ? tls : null, over: { path, host: null, sessions: mux ? 2 : 0 } },
  };
}

/**
 * client → edge `in` → core `svc` → origin, in this process; with `middle` another node like the core in between.
 * The tunnel is under the nodes' identities, or in clear.
 */
export async function startTwoHops(args: {
  ca: TestCa;
  origin: (socket: net.Socket) => void;
  tunnel: Transport;
  speaks?: 'relay' | 'forward';
  clientTls?: boolean;
  middle?: boolean;
}): Promise<TwoHops> {
  const { ca, tunnel, speaks = 'relay' } = args;
  const origin = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    args.origin(socket);
  });
  await new Promise<void>((r) => origin.listen(0, HOST, r));
  const originPort = (origin.address() as net.AddressInfo).port;
  const { listen, dial } = makeTransport(tunnel);
  const material = async (name: string): Promise<Material> => ({ ...(await ca.issueNode(name)), ca: ca.ca });
  const core = new Plane();
  const targets = makePool([makeNode(originPort)]);
  await core.carry([makeService('svc', { handler: speaks, ...listen, targets })], {
    id: await material('core-1'),
  });
  const planes = [core];
  const cores = (of: Plane): Pool => makePool([makeNode(of.port('svc'), { ...dial, speaks })]);
  if (args.middle) {
    const middle = new Plane();
    await middle.carry([makeService('svc', { handler: speaks, ...listen, cores: cores(core) })], {
      id: await material('core-2'),
    });
    planes.unshift(middle);
  }
  const edge = new Plane();
  await edge.carry(
    [
      makeService('in', {
        tls: args.clientTls ? { material: 'web', peers: 'any' } : null,
        cores: cores(planes[0] as Plane),
      }),
    ],
    { id: await material('edge-1'), web: { ...(await ca.issue('web', { dns: 'localhost' })), ca: null } },
  );
  const port = edge.port('in');
  const connectRaw = (): { socket: net.Socket; raw: net.Socket } => {
    const raw = net.connect({ port, host: HOST, allowHalfOpen: true });
    if (!args.clientTls) return { socket: raw, raw };
    const options = { socket: raw, servername: 'localhost', ca: ca.ca, allowHalfOpen: true };
    return { socket: tls.connect(options), raw };
  };
  return {
    edge,
    core,
    port,
    connect: () => connectRaw().socket,
    connectRaw,
    close: async () => {
      for (const plane of [edge, ...planes]) await plane.data.calls.stop({});
      await new Promise<void>((r) => origin.close(() => r()));
    },
  };
}

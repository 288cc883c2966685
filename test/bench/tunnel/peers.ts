import { mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { freePorts } from '../../../scripts/demo/ports.ts';
import { startBareEngine } from '../../harness/bare-engine.ts';
import type { GoPeer } from '../../harness/go-peer.ts';
import { Running } from '../../harness/running.ts';
import {
  isSecure,
  type TlsFilePaths,
  TRANSPORTS,
  type Transport,
  transportFlags,
  transportYaml,
} from '../../harness/transports.ts';

const HOST = '127.0.0.1';
const SERVER_NAME = 'peer.test';
const START_MS = 10_000;

/** Everything a peer may need to start. */
export interface Ground {
  readonly dir: string;
  readonly go: GoPeer;
  readonly origins: readonly number[];
  readonly tls: TlsFilePaths;
  /** Certificate and key in one, as haproxy wants them. */
  readonly certAndKey: string;
  /** Descriptors a process may hold. */
  readonly files: number;
  /** Threads or processes of each that carries. */
  readonly workers: number;
}

export interface Started {
  readonly port: number;
  /** The same with TLS in front, where the peer ends it. */
  readonly tlsPort: number | null;
  /** What carries: not the origin, not the clients. */
  readonly processes: readonly Running[];
}

export interface Peer {
  readonly name: string;
  readonly hops: 0 | 1 | 2;
  /** What has to be on the machine beside Go. */
  readonly tool: { readonly command: string; readonly apt: string } | null;
  start(ground: Ground): Promise<Started>;
}

export const OURS = 'ours';

/** `direct` first: what the machine gives without anybody between. */
export const PEERS: readonly Peer[] = [
  {
    name: 'direct',
    hops: 0,
    tool: null,
    start: async ({ origins }) => ({ port: origins[0] as number, tlsPort: null, processes: [] }),
  },
  {
    name: 'haproxy',
    hops: 1,
    tool: { command: 'haproxy', apt: 'apt-get install haproxy' },
    start: (ground) =>
      startOther(ground, 'haproxy.cfg', (file) => ['haproxy', '-db', '-n', capacity(ground), '-f', file]),
  },
  {
    name: 'nginx',
    hops: 1,
    tool: { command: 'nginx', apt: 'apt-get install nginx libnginx-mod-stream' },
    start: (ground) => startOther(ground, 'nginx.conf', (file) => ['nginx', '-e', 'stderr', '-c', file]),
  },
  {
    name: 'go copy',
    hops: 1,
    tool: null,
    start: async ({ go, origins }) => {
      const copy = await go.start('copy', '-target', `${HOST}:${origins[0]}`);
      return { port: copy.port, tlsPort: null, processes: [copy] };
    },
  },
  { name: OURS, hops: 1, tool: null, start: (ground) => startOurs(ground) },
  {
    name: 'go smux',
    hops: 2,
    tool: null,
    start: async ({ go, origins, tls }) => {
      const flags = transportFlags('mtls', { tls, mux: 2 });
      const core = await go.start('core', '-target', `${HOST}:${origins[0]}`, ...flags);
      const edge = await go.start('edge', '-dial', `${HOST}:${core.port}`, ...flags);
      return { port: edge.port, tlsPort: null, processes: [edge, core] };
    },
  },
  // Only what is encrypted, as between hosts.
  ...TRANSPORTS.filter(isSecure).map(
    (t): Peer => ({
      name: `${OURS} ${t}`,
      hops: 2,
      tool: null,
      start: (ground) => startOursTwoHops(ground, t),
    }),
  ),
];

export async function hasTool(command: string): Promise<boolean> {
  const found = await execa('sh', ['-c', `command -v ${command}`], { reject: false, stdio: 'ignore' });
  return found.exitCode === 0;
}

/** haproxy wants two descriptors a connection and some of its own, or it does not start. */
function capacity(ground: Ground): string {
  return String(Math.floor((ground.files - 200) / 2));
}

/** One hop. `name` tells several of one ground apart. */
export async function startOurs(
  ground: Ground,
  more: { name?: string; env?: Record<string, string> } = {},
): Promise<Started> {
  const { name = 'one', env = {} } = more;
  const { workers, tls } = ground;
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const origins = ground.origins.map((o, i) => `{name: o${i}, addr: "${HOST}:${o}"}`).join(', ');
  const document = await filled('one-hop.yml', { port, tlsPort, origins, ...tls });
  const engine = await startBareEngine({ dir: await ownDir(ground, name), document, workers, env });
  return { port, tlsPort, processes: [engine] };
}

export async function startOursTwoHops(
  ground: Ground,
  t: Transport,
  more: { name?: string; env?: Record<string, string> } = {},
): Promise<Started> {
  const { name = t, env = {} } = more;
  const { tls, workers } = ground;
  const [port = 0, core = 0] = await freePorts(2);
  const side = { tls, serverName: SERVER_NAME };
  const far = await startBareEngine({
    dir: await ownDir(ground, `core-${name}`),
    document: await filled('core.yml', {
      at: HOST,
      port: core,
      origin: ground.origins[0] as number,
      listener: transportYaml('listener', t, side),
    }),
    workers,
    env,
  });
  const near = await startBareEngine({
    dir: await ownDir(ground, `edge-${name}`),
    document: await filled('edge.yml', {
      port,
      core: `${HOST}:${core}`,
      dialer: transportYaml('dialer', t, side),
    }),
    workers,
    env,
  });
  return { port, tlsPort: null, processes: [near, far] };
}

/** A program with a configuration file, which listens on a port of ours with and one without TLS. */
async function startOther(
  ground: Ground,
  template: string,
  command: (file: string) => string[],
): Promise<Started> {
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const { dir, files, workers, certAndKey, tls } = ground;
  const file = join(dir, template);
  const origin = ground.origins[0] as number;
  await writeFile(
    file,
    await filled(template, { port, tlsPort, dir, files, workers, origin, certAndKey, ...tls }),
  );
  return { port, tlsPort, processes: [await startProgram(command(file), port)] };
}

/** Waits until it listens. @throws Error with what it said */
export async function startProgram(command: readonly string[], port: number): Promise<Running> {
  const [program = '', ...args] = command;
  const running = new Running(program, args);
  const until = Date.now() + START_MS;
  while (!(await accepts(port))) {
    if (running.exited || Date.now() > until) {
      await running.stop();
      throw new Error(`${program} does not listen: ${running.text.trim()}`);
    }
    await sleep(50);
  }
  return running;
}

/** A file of `peers/` with its `{{names}}` filled in. */
export async function filled(
  template: string,
  values: Readonly<Record<string, string | number>>,
): Promise<string> {
  const text = await readFile(join(import.meta.dirname, 'peers', template), 'utf8');
  const all: Readonly<Record<string, string | number>> = { host: HOST, serverName: SERVER_NAME, ...values };
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = all[name];
    if (value === undefined) throw new Error(`${template}: nothing for {{${name}}}`);
    return String(value);
  });
}

export async function ownDir(ground: Ground, name: string): Promise<string> {
  const dir = join(ground.dir, name);
  await mkdir(dir, { recursive: true });
  return dir;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: HOST });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

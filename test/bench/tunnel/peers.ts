import { mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { CAPABILITIES } from '../../../agent/engine/embedded/app.ts';
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
  /** Descriptors a process may hold. */
  readonly files: number;
}

export interface Started {
  readonly port: number;
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
    start: async ({ origins }) => ({ port: origins[0] as number, processes: [] }),
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
      return { port: copy.port, processes: [copy] };
    },
  },
  { name: OURS, hops: 1, tool: null, start: startOurs },
  {
    name: 'go smux',
    hops: 2,
    tool: null,
    start: async ({ go, origins, tls }) => {
      const flags = transportFlags('mtls', { tls, mux: 2 });
      const core = await go.start('core', '-target', `${HOST}:${origins[0]}`, ...flags);
      const edge = await go.start('edge', '-dial', `${HOST}:${core.port}`, ...flags);
      return { port: edge.port, processes: [edge, core] };
    },
  },
  // Only what is encrypted, as between hosts.
  ...TRANSPORTS.filter((t) => isSecure(t) && carried(t)).map(
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

function carried(t: Transport): boolean {
  const all: readonly string[] = CAPABILITIES;
  return all.includes(`listener.${t}`) && all.includes(`dialer.${t}`);
}

/** haproxy wants two descriptors a connection and some of its own, or it does not start. */
function capacity(ground: Ground): string {
  return String(Math.floor((ground.files - 200) / 2));
}

async function startOurs(ground: Ground): Promise<Started> {
  const [port = 0] = await freePorts(1);
  const origins = ground.origins.map((o, i) => `{name: o${i}, addr: "${HOST}:${o}"}`).join(', ');
  const document = await filled('one-hop.yml', { port, origins });
  return { port, processes: [await startBareEngine({ dir: await ownDir(ground, 'one'), document })] };
}

async function startOursTwoHops(ground: Ground, t: Transport): Promise<Started> {
  const [port = 0, core = 0] = await freePorts(2);
  const side = { tls: ground.tls, serverName: SERVER_NAME };
  const far = await startBareEngine({
    dir: await ownDir(ground, `core-${t}`),
    document: await filled('core.yml', {
      port: core,
      origin: ground.origins[0] as number,
      listener: transportYaml('listener', t, side),
    }),
  });
  const near = await startBareEngine({
    dir: await ownDir(ground, `edge-${t}`),
    document: await filled('edge.yml', { port, core, dialer: transportYaml('dialer', t, side) }),
  });
  return { port, processes: [near, far] };
}

async function startOther(
  ground: Ground,
  template: string,
  command: (file: string) => string[],
): Promise<Started> {
  const [port = 0] = await freePorts(1);
  const { dir, files } = ground;
  const file = join(dir, template);
  const text = await filled(template, { port, dir, files, origin: ground.origins[0] as number });
  await writeFile(file, text);
  const [program = '', ...args] = command(file);
  const running = new Running(program, args);
  const until = Date.now() + START_MS;
  while (!(await accepts(port))) {
    if (running.exited || Date.now() > until) {
      await running.stop();
      throw new Error(`${program} does not listen: ${running.text.trim()}`);
    }
    await sleep(50);
  }
  return { port, processes: [running] };
}

async function filled(template: string, values: Readonly<Record<string, string | number>>): Promise<string> {
  const text = await readFile(join(import.meta.dirname, 'peers', template), 'utf8');
  const all: Readonly<Record<string, string | number>> = { host: HOST, ...values };
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = all[name];
    if (value === undefined) throw new Error(`${template}: nothing for {{${name}}}`);
    return String(value);
  });
}

async function ownDir(ground: Ground, name: string): Promise<string> {
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

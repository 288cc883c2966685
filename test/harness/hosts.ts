import { execa } from 'execa';
import type { GoPeer } from './go-peer.ts';
import type { Running } from './running.ts';

export interface LineSettings {
  readonly delayMs: number;
  /** Of all packets, 0 to 1. */
  readonly loss: number;
}

interface FarHost {
  readonly name: string;
  readonly namespace: string;
  readonly settings: LineSettings;
  /** The first three of four numbers; the middle is .1 on it. */
  readonly net: string;
  readonly seed: number;
  readonly line: Running;
}

/**
 * Hosts of a test's own (network namespaces), each joined to the one in the middle by a line of its own that can be cut,
 * in both directions or in one. Needs root, iproute2 and nftables.
 */
export class Hosts {
  readonly middle: string;
  private readonly go: GoPeer;
  private readonly far = new Map<string, FarHost>();

  private constructor(go: GoPeer) {
    this.go = go;
    this.middle = `aicdn-m-${process.pid}`;
  }

  static async start(go: GoPeer, lines: Readonly<Record<string, LineSettings>>): Promise<Hosts> {
    const hosts = new Hosts(go);
    try {
      await addNamespace(hosts.middle);
      for (const [i, [name, line]] of Object.entries(lines).entries()) await hosts.join(name, i, line);
    } catch (e) {
      await hosts.stop();
      throw e;
    }
    return hosts;
  }

  /** What starts a program on a host; without a name in the middle. */
  within(name?: string): readonly string[] {
    return ['ip', 'netns', 'exec', name === undefined ? this.middle : this.host(name).namespace];
  }

  /** The middle's address, as this host sees it. */
  gateway(name: string): string {
    return `${this.host(name).net}.1`;
  }

  /** Nothing passes: not `to` the host, not `from` it, or neither. */
  async cut(name: string, which: 'both' | 'to' | 'from'): Promise<void> {
    const { namespace } = this.host(name);
    const chains = {
      to: 'chain to { type filter hook input priority 0; policy drop; iif "lo" accept; }',
      from: 'chain from { type filter hook output priority 0; policy drop; oif "lo" accept; }',
    };
    const wanted = which === 'both' ? [chains.to, chains.from] : [chains[which]];
    await execa('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], {
      input: `table inet cut {\n${wanted.join('\n')}\n}\n`,
    });
  }

  /** Its line is gone, and with it the device and the address of both ends. */
  async unplug(name: string): Promise<void> {
    await this.host(name).line.finish();
  }

  /** As it was. */
  async heal(name: string): Promise<void> {
    const host = this.host(name);
    await execa('ip', ['netns', 'exec', host.namespace, 'nft', 'flush', 'ruleset']);
    if (host.line.exited) this.far.set(name, { ...host, line: await this.lay(host) });
  }

  async stop(): Promise<void> {
    for (const { line } of this.far.values()) await line.finish();
    for (const namespace of [this.middle, ...[...this.far.values()].map((f) => f.namespace)]) {
      await execa('ip', ['netns', 'del', namespace], { reject: false });
    }
    this.far.clear();
  }

  private host(name: string): FarHost {
    const host = this.far.get(name);
    if (!host) throw new Error(`there is no host ${name}`);
    return host;
  }

  private async join(name: string, i: number, settings: LineSettings): Promise<void> {
    const namespace = `aicdn-${i}-${process.pid}`;
    await addNamespace(namespace);
    const host = { ...{ name, namespace, settings }, net: `10.78.${i}`, seed: i + 1 };
    this.far.set(name, { ...host, line: await this.lay(host) });
  }

  private lay({ name, namespace, net, seed, settings }: Omit<FarHost, 'line'>): Promise<Running> {
    return this.go.start(
      ...['link', '-a', this.middle, '-b', namespace, '-device', deviceOf(name)],
      ...['-addr-a', `${net}.1/30`, '-addr-b', `${net}.2/30`],
      ...['-delay', `${settings.delayMs}ms`, '-loss', `${settings.loss}`, '-seed', `${seed}`],
    );
  }
}

/** At most 15 bytes. */
const deviceOf = (name: string): string => `l-${name}`.slice(0, 15);

async function addNamespace(name: string): Promise<void> {
  await execa('ip', ['netns', 'add', name]);
  await execa('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
}

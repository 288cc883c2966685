import { lookup } from 'node:dns/promises';
import { BlockList, connect, isIP } from 'node:net';
import type { Dialler, DialOutcome, DialTarget } from '../service/ports.ts';

export interface DiallerSettings {
  /** `127.0.0.0/8`, `::1/128`: may be dialled all the same. */
  readonly allow: readonly string[];
  readonly atOnce?: number;
  /** For the name and for the connection, each. */
  readonly withinMs?: number;
}

/** Where a master must not knock because a node says so: itself, its link, the provider's metadata, everybody. */
const NEVER = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '100.100.100.200/32', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', '::1/128', 'fe80::/10', 'fd00:ec2::254/128', 'ff00::/8'],
  // The same, told in the ways of an IPv6 that carries IPv4.
  ...['64:ff9b::/96', '2002::/16'],
];

/** Connects and hangs up. A name is resolved once, and the address that was checked is the one that is dialled. */
export function createDialler(settings: DiallerSettings): Dialler {
  const { atOnce = 16, withinMs = 3_000 } = settings;
  const never = listOf(NEVER);
  const allowed = listOf(settings.allow);
  const may = (address: string): boolean => holds(allowed, address) || !holds(never, address);

  async function one({ host, port }: DialTarget): Promise<DialOutcome> {
    const address = isIP(host) !== 0 ? host : await resolved(host, withinMs);
    if (address === null) return 'silent';
    return may(address) ? accepts(address, port, withinMs) : 'forbidden';
  }

  return {
    async dial(targets) {
      const found: DialOutcome[] = targets.map(() => 'silent');
      let next = 0;
      const work = async (): Promise<void> => {
        for (let i = next++; i < targets.length; i = next++) found[i] = await one(targets[i] as DialTarget);
      };
      await Promise.all(Array.from({ length: Math.min(atOnce, targets.length) }, work));
      return found;
    },
  };
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [net = '', bits] = range.split('/');
    list.addSubnet(net, Number(bits), isIP(net) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** Also an IPv4 address that is written as an IPv6 one. */
const holds = (list: BlockList, address: string): boolean =>
  list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

async function resolved(host: string, withinMs: number): Promise<string | null> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, withinMs, null).unref());
  const found = lookup(host).then(
    (a) => a.address,
    () => null,
  );
  return Promise.race([found, late]);
}

function accepts(host: string, port: number, withinMs: number): Promise<DialOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const over = (outcome: DialOutcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(over, withinMs, 'silent');
    socket.on('connect', () => over('answers'));
    socket.on('error', () => over('silent'));
  });
}

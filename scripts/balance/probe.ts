import { connect } from 'node:net';
import { endpoint, type Member, written } from './member.ts';

export interface Probed {
  readonly service: string;
  readonly address: string;
  readonly ms: number | null;
  /** `null`: it accepted. */
  readonly error: string | null;
}

const AT_ONCE = 32;
const WITHIN_MS = 2_000;

/** Connects to every listener of these nodes whose address is known, from here. */
export async function probe(
  members: readonly Member[],
  local: boolean,
): Promise<ReadonlyMap<string, readonly Probed[]>> {
  const found = new Map<string, Probed[]>(members.map((m) => [m.name, []]));
  const waiting = members.flatMap((m) =>
    m.listeners.flatMap((l) => {
      const at = endpoint(m, l, local);
      return typeof at === 'string' ? [] : [{ name: m.name, service: l.service, at }];
    }),
  );
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const { name, service, at } = one;
      const began = performance.now();
      const error = await dial(at.host, at.port);
      const ms = error === null ? Math.round(performance.now() - began) : null;
      found.get(name)?.push({ service, address: written(at), ms, error });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const list of found.values()) list.sort((a, b) => (a.address < b.address ? -1 : 1));
  return found;
}

function dial(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: WITHIN_MS });
    const over = (said: string | null): void => {
      socket.destroy();
      resolve(said);
    };
    socket.on('connect', () => over(null));
    socket.on('timeout', () => over(`no answer in ${WITHIN_MS / 1000} s`));
    socket.on('error', (e: NodeJS.ErrnoException) => over(e.code ?? e.message));
  });
}

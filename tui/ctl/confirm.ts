import type { CtlRun } from './ctl.ts';
import { NotConfirmed } from './io.ts';
import { count } from './output.ts';

/** Asks y or n; `--yes` answers. @throws NotConfirmed */
export async function confirm({ io, yes }: CtlRun, question: string): Promise<void> {
  if (yes) return;
  if (io.ask === null) {
    throw new NotConfirmed(`${question}: nobody is here to ask, nothing was done. --yes says yes`);
  }
  const answer = await io.ask(`${question}. Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new NotConfirmed('nothing was done');
}

export interface Reach {
  /** `publish v43 to` */
  readonly what: string;
  readonly nodes: number;
  readonly regions: readonly string[];
  readonly streams: number | null;
  /** `--confirm N` */
  readonly given: string | undefined;
}

/**
 * What reaches further than one region wants the number of nodes typed, or given: a y is too easily said. `--yes` does
 * not answer it.
 * @throws NotConfirmed
 */
export async function confirmReach({ io }: CtlRun, reach: Reach): Promise<void> {
  if (reach.regions.length < 2) return;
  const number = String(reach.nodes);
  const streams = reach.streams === null ? '' : `, ${count(reach.streams, 'live stream')}`;
  const said = `${reach.what} ${count(reach.nodes, 'node')} in ${reach.regions.length} regions (${reach.regions.join(', ')}${streams})`;
  if (reach.given !== undefined) {
    if (reach.given === number) return;
    throw new NotConfirmed(`${said}, not ${reach.given}: nothing was done`);
  }
  if (io.ask === null) {
    throw new NotConfirmed(
      `${said}: more than one region, and nobody is here to ask; nothing was done. --confirm ${number} confirms it`,
    );
  }
  const typed = await io.ask(`${said}. Type the number of nodes to go on: `);
  if (typed.trim() !== number) throw new NotConfirmed(`${number} was not typed: nothing was done`);
}

/** Regions of these nodes, in the order of their names. */
export async function regionsOf({ api }: CtlRun, names: readonly string[]): Promise<readonly string[]> {
  if (names.length < 2) return [];
  const { nodes } = await api.listNodes();
  const meant = new Set(names);
  return [...new Set(nodes.filter((n) => meant.has(n.name)).map((n) => n.region))].sort();
}

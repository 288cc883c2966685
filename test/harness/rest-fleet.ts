import { readFileSync } from 'node:fs';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';

/** A master as a process, without nodes, and its first admin. */
export interface RestFleet {
  readonly fleet: Fleet;
  readonly base: string;
  /** Access token of the first admin. */
  readonly token: string;
}

/** Starts a master and makes its first admin as an operator would: with the code that the first start logs. */
export async function startRestFleet(): Promise<RestFleet> {
  const fleet = await Fleet.start({ nodes: [], clients: 0 });
  try {
    const base = `http://${fleet.masterReady.http}`;
    const code = await bootstrapCode(fleet);
    const r = await fetch(`${base}/api/v1/auth/bootstrap`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, name: 'root-admin', password: 'a long enough password' }),
    });
    const session = (await r.json()) as { access_token?: string };
    if (!session.access_token) throw new Error(`bootstrap: ${r.status} ${JSON.stringify(session)}`);
    return { fleet, base, token: session.access_token };
  } catch (e) {
    await fleet.stop();
    throw e;
  }
}

/** What a first start says to whoever reads its log. */
export function bootstrapCode(fleet: Fleet): Promise<string> {
  return until('the one-time code in the log', 10_000, () => codeIn(fleet.master.logFile));
}

function codeIn(file: string): string | null {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (!line.includes('one-time code')) continue;
    const { code } = JSON.parse(line) as { code?: string };
    if (code) return code;
  }
  return null;
}

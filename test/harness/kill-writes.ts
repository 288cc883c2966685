import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';

const WRITERS = 8;

/**
 * Kills the master with SIGKILL under writers, `rounds` times, and starts it again each time.
 * @returns how many writes were acknowledged in all, the ids of those acknowledged but gone afterwards, those that the
 * audit log does not tell of, what is wrong with its chain, and how long the slowest start took until everything listened
 */
export async function killUnderWrites(
  fleet: Fleet,
  rounds: number,
): Promise<{
  acked: number;
  lost: string[];
  untold: string[];
  fault: string | null;
  slowestStartMs: number;
}> {
  const acked = new Map<string, string>();
  let slowestStartMs = 0;
  for (let round = 0; round < rounds; round++) {
    let stop = false;
    const writer = async (w: number): Promise<void> => {
      for (let n = 0; !stop; n++) {
        const comment = `round ${round} writer ${w} write ${n}`;
        try {
          const { silence } = await fleet.api.createSilence(
            { reason: 'durability' },
            {
              matchers: [{ name: 'node', value: `none-${round}-${w}-${n}`, isRegex: false, isEqual: true }],
              alert: null,
              startsAt: null,
              endsAt: Date.now() + 3_600_000,
              comment,
            },
          );
          acked.set(silence.id, comment);
        } catch {
          // Not acknowledged: it may be kept or lost, either is right.
          await sleep(5);
        }
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, w) => writer(w));
    await sleep(60 + Math.random() * 200);
    fleet.master.kill('SIGKILL');
    await fleet.master.ended;
    stop = true;
    await Promise.all(writers);
    const begun = performance.now();
    await fleet.startMaster();
    slowestStartMs = Math.max(slowestStartMs, Math.round(performance.now() - begun));
  }
  // The channel may still be waiting out its backoff from the last kill.
  const { silences } = await until('the master answers', 20_000, () => fleet.api.listAlerts());
  const kept = new Map(silences.map((s) => [`${s.id}`, s.comment]));
  const told = new Set<string>();
  for (let before: number | null = null; ; ) {
    const page: Awaited<ReturnType<typeof fleet.api.listAudit>> = await fleet.api.listAudit({
      limit: 1000,
      before,
      action: 'silence.create',
    });
    for (const r of page.records) if (r.outcome === 'ok') told.add(r.subject);
    before = page.next;
    if (before === null) break;
  }
  const untold = [...acked.keys()].filter((id) => !told.has(id));
  const { fault } = await fleet.api.verifyAudit();
  return {
    untold,
    fault,
    acked: acked.size,
    lost: [...acked].filter(([id, c]) => kept.get(id) !== c).map(([id]) => id),
    slowestStartMs,
  };
}

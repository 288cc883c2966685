import type { AgentSettings } from '../config/agent.ts';
import { formatDuration } from '../proto/vocab/duration.ts';
import { formatRefusal } from '../proto/vocab/errors.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { createEmbeddedEngine } from './engine/embedded/client.ts';
import { IdentitySpool } from './spool/identity.ts';
import { LastKnownGood } from './spool/last-known-good.ts';

const WAIT_MS = 1_000;

/** A node in a few lines, without its master and without its agent. `ok`: an engine answers. */
export async function describeNode(settings: AgentSettings): Promise<{ text: string; ok: boolean }> {
  const lines: string[] = [];
  const say = (name: string, value: string): void => {
    lines.push(`${`${name}:`.padEnd(14)}${safeText(value, { max: 500 })}`);
  };
  const report = (text: string): void => say('damaged', text);
  const { stateDir } = settings;
  const identity = await new IdentitySpool({ stateDir }, { report }).load();
  if (identity) {
    say('node', identity.node);
    say('certificate', `until ${new Date(identity.notAfter).toISOString()}`);
  } else say('node', `has not joined (${stateDir})`);
  const kept = await new LastKnownGood({ stateDir, configPath: settings.gost.configPath }, { report }).load();
  const good = kept?.effective;
  say('config', good ? `${good.version ?? 'found on this host'} ${good.hash.slice(0, 12)}` : 'none yet');
  if (kept?.rejected) {
    say('refused', `${kept.rejected.hash.slice(0, 12)}: ${formatRefusal(kept.rejected.failure.refusal)}`);
  }

  const engine = createEmbeddedEngine({ socket: settings.engine.socket });
  try {
    const up = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), WAIT_MS);
      engine.onLink((state) => {
        if (!state) return;
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!up) {
      say('engine', `none answers on ${settings.engine.socket}`);
      return { text: `${lines.join('\n')}\n`, ok: false };
    }
    const info = await engine.info();
    const { services } = await engine.stats();
    const age = formatDuration(Date.now() - info.startedAt);
    say('engine', `${info.kind} ${info.version}, pid ${info.pid}, up ${age}, generation ${info.generation}`);
    say('runs', info.documentHash === null ? 'no document' : info.documentHash.slice(0, 12));
    for (const l of info.listeners) {
      const streams = services.find((s) => s.service === l.service)?.streams ?? 0;
      say('  service', `${l.service} ${l.type} ${l.addr}, ${streams} streams`);
    }
    return { text: `${lines.join('\n')}\n`, ok: true };
  } finally {
    engine.close();
  }
}

import type { AgentHello, ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import type { CommandResult } from '../../proto/vocab/command.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { LogLine } from '../../proto/vocab/metrics.ts';
import type { EngineInfo, Standing } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';

// What agents say is made visible and bounded here, once, before anything keeps it.

const MOST_WARNINGS = 20;
const MOST_ADDRESSES = 8;
const MOST_LISTENERS = 256;

export function madeSafe(l: LogLine): LogLine {
  return { ...l, text: safeText(l.text, { max: 1000 }) };
}

export function logOf(tail: string, at: Millis): LogLine[] {
  return tail
    .split('\n')
    .filter((t) => t !== '')
    .map((text) => ({ at, level: 'warn', text: safeText(text, { max: 1000 }) }));
}

export function safeHello(h: AgentHello): AgentHello {
  const labels = Object.entries(h.labels).map(([k, v]) => [
    safeText(k, { max: 63 }),
    safeText(v, { max: 253 }),
  ]);
  return {
    ...h,
    agentVersion: safeText(h.agentVersion, { max: 64 }),
    engine: h.engine && safeEngine(h.engine),
    labels: Object.fromEntries(labels) as Record<string, string>,
    capabilities: h.capabilities.map((c) => safeText(c, { max: 64 })),
    // A host of many containers comes and goes in its list: the first ones are enough.
    publicAddresses: h.publicAddresses.slice(0, MOST_ADDRESSES).map((a) => safeText(a, { max: 64 })),
  };
}

export function safeEngine(e: EngineInfo): EngineInfo {
  const word = (s: string): string => safeText(s, { max: 256 });
  return {
    ...e,
    version: word(e.version),
    instance: word(e.instance),
    reason: word(e.reason),
    listeners: e.listeners
      .slice(0, MOST_LISTENERS)
      .map((l) => ({ service: word(l.service), addr: word(l.addr), type: word(l.type) })),
  };
}

export function safeResult(r: CommandResult): CommandResult {
  return {
    ...r,
    outputTail: safeText(r.outputTail, { max: 4096, newline: 'keep' }),
    before: r.before && safeEngine(r.before),
    after: r.after && safeEngine(r.after),
  };
}

export function safeStanding(s: Standing): Standing {
  return {
    stopped: s.stopped,
    drains: s.drains
      .slice(0, MOST_LISTENERS + 1)
      .map((d) => ({ ...d, service: d.service === null ? null : safeText(d.service, { max: 256 }) })),
  };
}

export function safeReport<R extends ConfigStatusReport>(r: R): R {
  const warnings = r.warnings.slice(0, MOST_WARNINGS).map((w) => safeText(w, { max: 500 }));
  const engine = r.engine && safeEngine(r.engine);
  if (r.status !== 'failed') return { ...r, warnings, engine };
  const { refusal } = r;
  return {
    ...r,
    warnings,
    engine,
    refusal: {
      ...refusal,
      message: safeText(refusal.message, { max: 1000 }),
      ...(refusal.path ? { path: safeText(refusal.path, { max: 256 }) } : {}),
      ...(refusal.hint ? { hint: safeText(refusal.hint, { max: 500 }) } : {}),
    },
    logTail: safeText(r.logTail, { max: 4096, newline: 'keep' }),
  };
}

import { formatRefusal } from '../../proto/vocab/errors.ts';
import { SKEW_WARN_MS } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { CtlIo } from './io.ts';
import { line, since } from './output.ts';

/** A node's page, as text. */
export function describeNode(io: CtlIo, d: NodeDetail): void {
  const n = d.node;
  const now = io.now();
  line(
    io,
    `${n.name}  ${n.nodeType} in ${n.region}  ${d.vitals.status}, seen ${since(now, d.vitals.lastSeen)} ago`,
  );
  line(
    io,
    `  config       ${n.configSync}  runs ${n.effective?.version ?? '-'}  wants ${n.target?.version ?? '-'}`,
  );
  if (n.failure !== null) {
    line(io, `  refused      ${n.failure.phase}: ${formatRefusal(n.failure.refusal)}`);
    for (const l of n.failure.logTail.split('\n').filter((t) => t !== '')) line(io, `               ${l}`);
  }
  line(io, `  eligibility  ${n.eligibility}   drain ${n.drain}   identity ${n.identity}`);
  const labels = Object.entries(n.labels).map(([k, v]) => `${k}=${v}`);
  if (labels.length > 0) line(io, `  labels       ${labels.join('  ')}`);
  if (n.engine !== null) {
    const e = n.engine;
    line(io, `  engine       ${e.kind} ${e.version}  pid ${e.pid}  generation ${e.generation}  ${e.reason}`);
    line(io, `  listens      ${e.listeners.map((l) => `${l.addr} ${l.type}`).join('  ') || '-'}`);
  }
  line(io, `  agent        ${n.agentVersion}`);
  const skew = d.vitals.clockSkewMs ?? 0;
  if (Math.abs(skew) >= SKEW_WARN_MS) {
    const by = `${(Math.abs(skew) / 1000).toFixed(1)} s ${skew > 0 ? 'ahead of' : 'behind'} the master's`;
    line(io, `  clock        ${by}: its times and its certificate's are off by that; set it (NTP)`);
  }
  if (n.certificate !== null) {
    line(
      io,
      `  certificate  ${n.certificate.serial}, until ${new Date(n.certificate.notAfter).toISOString()}`,
    );
  }
  line(io, `  revision     ${n.modRevision}`);
  for (const c of d.commands) {
    const r = Object.entries(c.results).find(([at]) => at === n.name)?.[1];
    line(
      io,
      `  command      ${new Date(c.createdAt).toISOString()}  ${c.type}  ${r?.state ?? c.state}  by ${c.createdBy}`,
    );
  }
  for (const l of d.log.slice(-20)) {
    io.out(`  ${new Date(l.at).toISOString()} ${l.level.padEnd(5)} ${safeText(l.text, { max: 500 })}\n`);
  }
}

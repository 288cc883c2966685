import type { BlastCheck, BlastRadius, ListenerBlast, RouteBlast } from '../../proto/vocab/blast.ts';
import { formatDuration } from '../../proto/vocab/duration.ts';
import { count } from './output.ts';

// What a publication would do, a line for each thing. What holds escapes is made safe where lines are printed.

const VERDICT: Readonly<Record<BlastCheck['verdict'], string>> = {
  pass: 'ok',
  warn: 'warning',
  fail: 'FAILED',
  unknown: 'not known',
};

/** `v3 to 2 nodes (hk 2), 40 live streams on them, 0 cut, 1 listener would close`, and what there is to say beside it. */
export function blastLines(b: BlastRadius): readonly string[] {
  const regions = b.regions.map((r) => `${r.region} ${r.nodes}`).join(', ');
  const unfit = b.nodes.filter((n) => n.change === 'unfit').length;
  const told = b.checks.length > 0;
  return [
    [
      `${b.toLabel} to ${count(b.nodes.length, 'node')}${regions === '' ? '' : ` (${regions})`}`,
      `${count(b.streams, 'live stream')} on them`,
      ...(told ? [`${b.streamsCut} cut`] : []),
      `${count(b.listenersClosed, 'listener')} would close`,
      ...(unfit > 0 ? [`${unfit} cannot run it`] : []),
    ].join(', '),
    ...b.listeners.map((l) => `  ${listenerLine(l)}`),
    ...b.routes.map((r) => `  ${routeLine(r)}`),
    ...(b.routesUnknown > 0
      ? [`  routes: ${b.routesUnknown} run what is no version here any more, so they are not compared`]
      : []),
    ...(b.more > 0 ? [`  and ${b.more} more listeners and routes`] : []),
  ];
}

/** What was looked at, and what a person should know. */
export function checkLines(b: BlastRadius): readonly string[] {
  return [
    ...b.checks.map((c) => `checked ${c.check}: ${checkLine(c)}`),
    ...b.warnings.map((w) => `warning: ${w.text}${w.nodes > 0 ? ` (${someOf(w.names, w.nodes)})` : ''}`),
  ];
}

/** `steps of standard: 1 node, then you promote it; 4; 9; 15 nodes in all; at least 22m00s; stops rollout 31 of v42` */
export function planLine({ plan }: BlastRadius): string {
  const steps = plan.steps.map(
    ({ step, targets }, i) =>
      `${i === 0 ? count(targets, 'node') : targets}${step.pause === 'manual' && i < plan.steps.length - 1 ? ', then you promote it' : ''}`,
  );
  const least = plan.atLeastMs >= 1000 ? `; at least ${formatDuration(plan.atLeastMs)}` : '';
  const stops = plan.supersedes.map((s) => `; stops rollout ${s.id} of ${s.version} where it is`).join('');
  return `steps of ${plan.strategy.name}: ${steps.join('; ')}${least}${stops}`;
}

function listenerLine(l: ListenerBlast): string {
  const what = `${l.service} ${l.addr} ${l.type} on ${count(l.nodes, 'node')}`;
  if (l.change !== 'closes') return `${l.change} ${what}`;
  if (l.streams === null) return `closes ${what}: its streams, how many is not known, finish where they are`;
  return `closes ${what}: its ${count(l.streams, 'stream')} finish where they are`;
}

function routeLine(r: RouteBlast): string {
  const of =
    r.of === 'service' ? `service ${r.name}` : `${r.of} ${r.name}${r.node === null ? '' : ` ${r.node}`}`;
  const at = r.addr === '' ? '' : ` ${r.addr}`;
  const live = r.streams === null ? '' : ` (${count(r.streams, 'stream')} on it)`;
  const fields = r.fields.map((f) => `${f.key} ${f.from || '-'} -> ${f.to || '-'}`).join(', ');
  const what = fields === '' ? '' : `: ${fields}`;
  const takers = r.takers === null || r.change === 'added' ? '' : `; ${r.takers} beside it take new streams`;
  return `route ${r.change} on ${count(r.nodes, 'node')}: ${of}${at}${live}${what}${takers}`;
}

function checkLine(c: BlastCheck): string {
  const about = c.about.length > 0 ? ` (${c.about.join(' ')})` : '';
  const why =
    c.check === 'ports' && c.verdict === 'unknown'
      ? 'each node tries before it switches'
      : c.bad > 0
        ? `${c.bad} of ${c.of}${c.why === '' ? '' : `, ${c.why}`}`
        : `${c.passed} of ${c.of}`;
  return `${VERDICT[c.verdict]}, ${why}${about}`;
}

function someOf(names: readonly string[], all: number): string {
  const told = names.slice(0, 3);
  const more = all - told.length;
  return more > 0 ? `${told.join(', ')} and ${more} more` : told.join(', ');
}

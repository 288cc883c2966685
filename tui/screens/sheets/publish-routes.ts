import type { BlastRadius, RouteBlast } from '../../../proto/vocab/blast.ts';
import { formatDuration } from '../../../proto/vocab/duration.ts';
import { count } from '../../views/format.ts';
import type { Pick2 } from './words.ts';

// Where new connections go otherwise, in words. Streams that are open stay where they are.

/** Fields that are told for one change. */
const MOST_FIELDS = 3;

/** `null`: nothing is known of it, or nobody runs anything yet. */
export function routesText(p: BlastRadius, say: Pick2): string | null {
  const parts = p.routes.map((r) => routeText(r, say));
  if (p.routesUnknown > 0) {
    parts.push(
      say(
        `${p.routesUnknown} run what is no version here any more: not compared`,
        `${p.routesUnknown} 台运行的已不是此处的版本：未比较`,
      ),
    );
  }
  if (parts.length > 0) return parts.join('   ');
  return p.nodes.some((n) => n.change === 'update') && p.checks.length > 0
    ? say('none changes', '不变')
    : null;
}

function routeText(r: RouteBlast, say: Pick2): string {
  if (r.of === 'service') return changedText(say(`service ${r.name}`, `服务 ${r.name}`), r, say);
  if (r.of === 'forwarder') {
    const what = say(`${r.name} origin ${r.node} ${r.addr}`, `${r.name} 源站 ${r.node} ${r.addr}`);
    return r.change === 'changed' ? changedText(what, r, say) : comesOrGoes(what, r, say);
  }
  if (r.node === null) {
    const what = say(`hop ${r.name}`, `跳 ${r.name}`);
    if (r.change === 'changed') return changedText(what, r, say);
    const nodes = r.fields[0]?.[r.change === 'added' ? 'to' : 'from'] ?? '';
    return r.change === 'added'
      ? say(`${what} (${nodes}) comes on ${r.nodes}`, `${r.nodes} 台新增${what}（${nodes}）`)
      : say(`${what} (${nodes}) goes on ${r.nodes}`, `${r.nodes} 台移除${what}（${nodes}）`);
  }
  return coreText(r, say);
}

/** `core cn-上海-03 (weight 2, 2,904 streams) becomes backup on 64: its streams stay, new ones spread over 59` */
function coreText(r: RouteBlast, say: Pick2): string {
  const weight = r.fields.find((f) => f.key === 'weight');
  const backup = r.fields.find((f) => f.key === 'backup');
  const about = [
    ...(weight !== undefined && backup !== undefined
      ? [say(`weight ${weight.from}`, `权重 ${weight.from}`)]
      : []),
    ...(r.streams === null ? [] : [say(`${count(r.streams)} streams`, `${count(r.streams)} 条流`)]),
  ];
  const of = about.length > 0 ? say(` (${about.join(', ')})`, `（${about.join('，')}）`) : '';
  const what = say(`core ${r.node}${of}`, `核心 ${r.node}${of || ' '}`);
  if (r.change !== 'changed') return comesOrGoes(what, r, say);
  const rest = { ...r, fields: r.fields.filter((f) => f !== weight && f !== backup) };
  const more = rest.fields.length > 0 ? `, ${fieldsText(rest, say)}` : '';
  if (backup?.to === 'true') {
    return say(
      `${what} becomes backup on ${r.nodes}${more}: ${left(r, say)}`,
      `${r.nodes} 台将${what}改为备用${more}：${left(r, say)}`,
    );
  }
  if (backup?.to === 'false') {
    return say(
      `${what} is no backup any more on ${r.nodes}${more}`,
      `${r.nodes} 台将${what}由备用改为常用${more}`,
    );
  }
  return changedText(what, r, say);
}

function comesOrGoes(what: string, r: RouteBlast, say: Pick2): string {
  if (r.change === 'removed') {
    return say(`${what} goes on ${r.nodes}: ${left(r, say)}`, `${r.nodes} 台移除${what}：${left(r, say)}`);
  }
  const backup = r.fields.some((f) => f.key === 'backup' && f.to === 'true');
  return say(
    `${what} comes${backup ? ' as backup' : ''} on ${r.nodes}, beside ${r.takers ?? 0}`,
    `${r.nodes} 台新增${what}${backup ? '（备用）' : ''}，另有 ${r.takers ?? 0} 台`,
  );
}

function left(r: RouteBlast, say: Pick2): string {
  const n = r.takers ?? 0;
  return n === 0
    ? say('its streams stay, nobody else takes new ones', '其流保留，没有其他节点接新流')
    : say(`its streams stay, new ones spread over ${n}`, `其流保留，新流分给 ${n} 台`);
}

function changedText(what: string, r: RouteBlast, say: Pick2): string {
  return say(`${what} ${fieldsText(r, say)} on ${r.nodes}`, `${r.nodes} 台 ${what} ${fieldsText(r, say)}`);
}

function fieldsText(r: RouteBlast, say: Pick2): string {
  const told = r.fields.slice(0, MOST_FIELDS).map(({ key, from, to }) => {
    const short = key.replace(/^(?:selector|handler|connector)\./, '');
    if (!short.endsWith('Ms')) return `${short} ${word(from, say)} → ${word(to, say)}`;
    return `${short.slice(0, -2)} ${time(from)} → ${time(to)}`;
  });
  const more = r.fields.length - told.length;
  return [...told, ...(more > 0 ? [say(`${more} more`, `另 ${more} 项`)] : [])].join(', ');
}

const word = (value: string, say: Pick2): string => (value === '' ? say('none', '无') : value);

function time(ms: string): string {
  const n = Number(ms);
  return ms === '' || !Number.isFinite(n) ? '-' : formatDuration(n);
}

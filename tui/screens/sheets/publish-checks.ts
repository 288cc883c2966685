import type { BlastCheck, BlastRadius, BlastWarning } from '../../../proto/vocab/blast.ts';
import type { Verdict } from '../../theme/symbols.ts';
import type { PublishPageProps } from '../../views/sheets/publish.ts';
import { type Pick2, someOf } from './words.ts';

// What was looked at before, and what a person should know that stops nothing.

const VERDICT: Readonly<Record<BlastCheck['verdict'], Verdict>> = {
  pass: 'well',
  warn: 'warning',
  fail: 'wrong',
  unknown: 'waiting',
};
/** Variables and addresses that are named. */
const MOST_NAMED = 3;

/** `schema ●   variables ● CORE_NODES region, 64 of 64 render   …`; what a node is, is among the facts. */
export function publishChecks(p: BlastRadius, say: Pick2): PublishPageProps['checks'] {
  const out = p.checks.flatMap((c) => (c.check === 'reach' ? [] : [itemOf(c, say)]));
  if (p.listeners.length > 0 && !p.checks.some((c) => c.check === 'ports')) {
    const ports = {
      verdict: 'well',
      name: say('ports', '端口'),
      text: say('none is opened', '不打开新端口'),
    } as const;
    const engines = p.checks.filter((c) => c.check === 'engines').length;
    out.splice(out.length - engines, 0, ports);
  }
  return out;
}

function itemOf(c: BlastCheck, say: Pick2): PublishPageProps['checks'][number] {
  return { verdict: VERDICT[c.verdict], name: nameOf(c.check, say), text: textOf(c, say) };
}

function nameOf(check: BlastCheck['check'], say: Pick2): string {
  return {
    schema: say('schema', '结构'),
    variables: say('variables', '变量'),
    sealed: say('secrets', '机密'),
    ports: say('ports', '端口'),
    engines: say('engines', '引擎'),
    reach: say('reach', '在线'),
  }[check];
}

function textOf(c: BlastCheck, say: Pick2): string {
  const named = namedOf(c.about);
  if (c.verdict === 'fail' || c.verdict === 'warn') {
    const many = say(`${c.bad} of ${c.of} not: ${c.why}`, `${c.of} 台中 ${c.bad} 台不行：${c.why}`);
    return c.check === 'ports' && c.verdict === 'warn' ? c.why : many;
  }
  switch (c.check) {
    case 'variables': {
      const render = say(`${c.passed} of ${c.of} render`, `${c.passed}/${c.of} 可渲染`);
      return named === '' ? render : say(`${named}, ${render}`, `${named}，${render}`);
    }
    case 'ports':
      return say(`${named}: each node tries before it switches`, `${named}：各节点切换前自行尝试`);
    case 'engines':
      return c.verdict === 'unknown'
        ? say(`${c.bad} have not said what they carry`, `${c.bad} 台尚未说明能力`)
        : // `embedded 64` -> `64 embedded`
          c.about.map((a) => a.replace(/^(.*) (\d+)$/, '$2 $1')).join(' ');
    case 'sealed':
      return named;
    default:
      return '';
  }
}

function namedOf(about: readonly string[]): string {
  const head = about.slice(0, MOST_NAMED).join(' ');
  return about.length > MOST_NAMED ? `${head} +${about.length - MOST_NAMED}` : head;
}

/** What is said of the rollouts that it stops comes first. */
export function publishWarns(p: BlastRadius, say: Pick2): PublishPageProps['warns'] {
  return [
    ...p.plan.supersedes.map((s) => say(`rollout ${s.id} has not finished`, `发布 ${s.id} 尚未结束`)),
    ...p.warnings.map((w) => warningText(w, say)),
    ...(p.more > 0
      ? [say(`${p.more} more listeners and routes than are told`, `另有 ${p.more} 项监听与路由未列出`)]
      : []),
  ].map((text) => ({ verdict: 'warning' as const, text }));
}

function warningText(w: BlastWarning, say: Pick2): string {
  const who = w.names.length === 0 ? '' : `${someOf(w.names.slice(0, 3), say)}${w.nodes > 3 ? ' …' : ''}`;
  const zh: Readonly<Record<BlastWarning['code'], string>> = {
    cuts_streams: `${w.nodes} 台的流会被切断，等其走完（${who}）`,
    refused_before: `${w.nodes} 台曾拒绝此文档，将再试一次（${who}）`,
    drifted: `${w.nodes} 台运行的不是所下发的（${who}）`,
    unwatched: '既无门限也无停顿：只有节点失败才会停下',
    no_revert: '中止时不撤回',
    nothing_changes: '所有节点已在运行此文档',
    others_stay: `另有 ${w.nodes} 台不受影响，仍发往被移出的核心：${w.text}`,
    document: w.text,
  };
  const tail = who === '' ? '' : ` (${who})`;
  const en = w.code === 'others_stay' || w.code === 'document' ? w.text : `${w.text}${tail}`;
  return say(en, zh[w.code]);
}

import type { BlastRadius } from '../../../proto/vocab/config-version.ts';
import { formatDuration } from '../../../proto/vocab/duration.ts';
import type { RolloutPlan } from '../../../proto/vocab/rollout.ts';
import { targetWords, unfit } from '../../store/configs-view.ts';
import { stepSize } from '../../store/rollout-words.ts';
import { type PublishSheet, STRATEGIES } from '../../store/sheets/publish.ts';
import { compareNames } from '../../store/sort.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { count } from '../../views/format.ts';
import { type PublishPageProps, publishPageRows } from '../../views/sheets/publish.ts';
import type { Ui } from '../../views/ui.ts';
import { clock, person, speak } from '../words.ts';
import { errorOf, type Pick2, picker, someOf } from './words.ts';

type Fact = PublishPageProps['facts'][number];

/** `64 hk edge   63 get it in steps   1 is down and gets it when it returns (hk-17)` */
function nodesFact(p: BlastRadius, state: State, say: Pick2): Fact {
  const label = say('nodes', '节点');
  const names = p.nodes.map((n) => n.name).sort(compareNames);
  if (names.length === 0)
    return { label, text: say('no node yet; those that join get it', '暂无节点；新加入者将获得') };
  const regions = p.regions.map((r) => `${r.region} ${count(r.nodes)}`).join('  ');
  const away = p.nodes.filter((n) => state.picture.vitals.get(n.name)?.status !== 'ready');
  const same = p.nodes.filter((n) => n.change === 'unchanged').length;
  const parts = [
    say(
      `${count(names.length)} ${names.length === 1 ? 'node' : 'nodes'}: ${regions}`,
      `${count(names.length)} 台：${regions}`,
    ),
    ...(names.length <= 6 ? [names.join(' ')] : []),
    ...(same > 0 ? [say(`${same} unchanged`, `${same} 台不变`)] : []),
    ...(away.length > 0
      ? [
          say(
            `${away.length} not here now: when they return (${someOf(
              away.map((n) => n.name),
              say,
            )})`,
            `${away.length} 台不在线，返回时获得（${someOf(
              away.map((n) => n.name),
              say,
            )}）`,
          ),
        ]
      : []),
  ];
  return { label, text: parts.join('   ') };
}

/** Listeners that close, by service and address: on how many nodes, with how many streams. */
function closing(p: BlastRadius): readonly { what: string; nodes: number; streams: number | null }[] {
  const by = new Map<string, { nodes: number; streams: number | null }>();
  for (const n of p.nodes) {
    for (const c of n.closes) {
      const what = `${c.service} ${c.addr}`;
      const was = by.get(what) ?? { nodes: 0, streams: 0 };
      const streams = was.streams === null || c.streams === null ? null : was.streams + c.streams;
      by.set(what, { nodes: was.nodes + 1, streams });
    }
  }
  return [...by].map(([what, x]) => ({ what, ...x })).sort((a, b) => b.nodes - a.nodes);
}

function listenersFact(p: BlastRadius, say: Pick2): Fact {
  const label = say('listeners', '监听');
  const closes = closing(p);
  if (closes.length === 0) return { label, text: say('none closes', '无监听关闭') };
  const text = closes
    .map((c) => {
      const n = c.streams === null ? '?' : count(c.streams);
      return say(
        `closes ${c.what} on ${c.nodes}: its ${n} streams finish where they are`,
        `${c.nodes} 台关闭 ${c.what}：其 ${n} 条流就地走完`,
      );
    })
    .join('   ');
  return { label, text, loud: true };
}

function supersedesFacts(plan: RolloutPlan, say: Pick2): readonly Fact[] {
  return plan.supersedes.map((s) => {
    const keep = s.regions
      .filter((r) => r.released > 0)
      .map((r) =>
        say(
          `${r.region} keeps ${s.version} on ${r.released} of ${r.targets}`,
          `${r.region} 在 ${r.released}/${r.targets} 台保留 ${s.version}`,
        ),
      )
      .join(', ');
    const head = say(
      `rollout ${s.id} (${s.version}, step ${s.step + 1} of ${s.steps}): it stops where it is`,
      `发布 ${s.id}（${s.version}，第 ${s.step + 1}/${s.steps} 步）：就地停止`,
    );
    return { label: say('supersedes', '取代'), text: keep === '' ? head : `${head}; ${keep}` };
  });
}

/** `1 a region = 3, you promote   10 % = 15   …   8 at once   about 22 min   auto_revert on, 120 s` */
function stepsFact(plan: RolloutPlan, ui: Ui, say: Pick2): Fact {
  const { strategy: s } = plan;
  const steps = plan.steps.map(({ step, targets }, i) => {
    const last = i === plan.steps.length - 1;
    const size = `${speak(stepSize(step), ui.theme)} = ${count(targets)}`;
    if (last || step.pause === null) return size;
    if (step.pause === 'manual') return say(`${size}, you promote`, `${size}，由您推进`);
    return say(`${size}, waits ${formatDuration(step.pause)}`, `${size}，等 ${formatDuration(step.pause)}`);
  });
  const gated = plan.steps.some((x) => x.step.analysis) && s.gates.readings > 0;
  const all = plan.steps.at(-1)?.targets ?? 0;
  const parts = [
    ...steps,
    ...(s.maxParallel < all ? [say(`${s.maxParallel} at once`, `同时 ${s.maxParallel} 台`)] : []),
    ...(plan.aboutMs > 0 ? [say(`about ${roughly(plan.aboutMs)}`, `约 ${roughly(plan.aboutMs)}`)] : []),
    gated ? say('gates on', '门限开') : say('no gates', '无门限'),
    s.autoRevert
      ? say(`auto_revert on, ${s.rollbackMs / 1000} s`, `自动撤回开，${s.rollbackMs / 1000} s`)
      : say('auto_revert off', '自动撤回关'),
  ];
  return { label: say('steps', '步骤'), text: parts.join('   ') };
}

/** `22 min`, `40 s` */
function roughly(ms: number): string {
  return ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

function facts(p: BlastRadius, state: State, ui: Ui): readonly Fact[] {
  const say = picker(ui);
  const bad = unfit(p);
  const first = bad[0];
  const closed = closing(p);
  const finish = closed.reduce<number | null>(
    (n, c) => (n === null || c.streams === null ? null : n + c.streams),
    0,
  );
  const on =
    finish === 0
      ? ''
      : say(
          `   ${finish === null ? '?' : count(finish)} of them on listeners that close`,
          `   其中 ${finish === null ? '?' : count(finish)} 条在将关闭的监听上`,
        );
  return [
    nodesFact(p, state, say),
    {
      label: say('streams', '流'),
      text: say(`${count(p.streams)} live on them${on}`, `现有 ${count(p.streams)} 条${on}`),
    },
    listenersFact(p, say),
    ...(first === undefined
      ? []
      : [
          {
            label: say('cannot', '无法运行'),
            text: `${someOf(
              bad.map((n) => n.name),
              say,
            )}: ${first.why}`,
            loud: true,
          },
        ]),
    ...supersedesFacts(p.plan, say),
    stepsFact(p.plan, ui, say),
  ];
}

function diffProps(sheet: PublishSheet, say: Pick2): PublishPageProps['diff'] {
  const { diff: d, preview } = sheet;
  if (d === null) {
    // Nothing to compare with: the nodes run nothing, or this very version.
    if (preview === null) return null;
    return {
      ...{ label: sheet.label, added: 0, removed: 0, bases: [], focused: false, scroll: 0 },
      lines: [],
    };
  }
  const of = preview?.nodes.length ?? 0;
  const bases = sheet.bases.map((b) => ({
    text:
      b.nodes === 0
        ? say(`${b.label}, its parent`, `${b.label}，父版本`)
        : say(`${b.label}, runs on ${b.nodes} of the ${of}`, `${b.label}，${b.nodes}/${of} 台在用`),
    chosen: b.label === d.from,
  }));
  return {
    label: sheet.label,
    added: d.added,
    removed: d.removed,
    bases,
    focused: sheet.focus === 'base',
    lines: d.lines,
    scroll: sheet.scroll,
  };
}

function warns(p: BlastRadius | null, say: Pick2): PublishPageProps['warns'] {
  if (p === null) return [];
  return p.plan.supersedes.map((s) => ({
    verdict: 'warning' as const,
    text: say(`rollout ${s.id} has not finished`, `发布 ${s.id} 尚未结束`),
  }));
}

export function publishRows(sheet: PublishSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const version = state.fleet.facts.version.get(sheet.label);
  const refused = p === null && sheet.error !== null;
  const asking = {
    label: say('nodes', '节点'),
    text: refused ? '-' : say('asking the master …', '正在询问主控 …'),
  };
  const to = targetWords(sheet.choices[sheet.chosen] ?? {});
  const by =
    version === undefined
      ? ''
      : `${say('by', '由')} ${person(version.createdBy)} ${clock(version.createdAt)}${version.description === '' ? '' : `: "${version.description}"`}   ${version.bodyHash.slice(0, 7)}`;
  const own = say("the master's", '主控默认');
  const names = STRATEGIES.map(
    (s) => s ?? (p !== null && sheet.pace === 0 ? `${own}: ${p.plan.strategy.name}` : own),
  );
  return publishPageRows(
    {
      title: say(`publish ${sheet.label} to ${to}`, `将 ${sheet.label} 发布到 ${to}`),
      aside: by,
      facts: p === null ? [asking] : facts(p, state, ui),
      diff: diffProps(sheet, say),
      warns: warns(p, say),
      choices: [
        {
          label: say('to', '目标'),
          options: sheet.choices.map(targetWords),
          chosen: sheet.chosen,
          focused: sheet.focus === 'to',
        },
        {
          label: say('steps', '步骤'),
          options: names,
          chosen: sheet.pace,
          focused: sheet.focus === 'strategy',
        },
      ],
      reason: { label: say('why', '原因'), typed: sheet.reason, focused: sheet.focus === 'reason' },
      type:
        p === null
          ? null
          : { want: String(p.nodes.length), typed: sheet.typed, focused: sheet.focus === 'type' },
      error: sheet.sending ? null : errorOf(sheet, ui),
      keys: [
        { key: 'Enter', label: say('publish', '发布') },
        { key: 'Tab', label: say('next field', '下一栏') },
        { key: 'Left Right', label: say('choose', '选择') },
        { key: 'Up Down PgUp PgDn', label: say('the diff', '差异'), short: say('diff', '差异'), spare: true },
        { key: 'Esc', label: say('cancel', '取消') },
      ],
      last: {
        key: '',
        label: sheet.sending
          ? say('sent, waiting for the master', '已发送，等待主控')
          : say('dry run again every 5 s', '每 5 s 再试运行'),
        short: sheet.sending ? say('sent', '已发送') : '',
      },
    },
    ui,
  );
}

import type { BlastRadius, ListenerBlast } from '../../../proto/vocab/blast.ts';
import { formatDuration } from '../../../proto/vocab/duration.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import type { NodeStatus } from '../../../proto/vocab/node.ts';
import type { RolloutPlan } from '../../../proto/vocab/rollout.ts';
import { unfit } from '../../store/configs-view.ts';
import { stepSize } from '../../store/rollout-words.ts';
import { compareNames } from '../../store/sort.ts';
import type { State } from '../../store/state.ts';
import { count } from '../../views/format.ts';
import type { PublishPageProps } from '../../views/sheets/publish.ts';
import type { Ui } from '../../views/ui.ts';
import { speak } from '../words.ts';
import { routesText } from './publish-routes.ts';
import { type Pick2, picker, someOf } from './words.ts';

// The blast radius in words: who is hit, what of theirs closes, opens and goes another way, what it stops, in which steps.

type Fact = PublishPageProps['facts'][number];

const BETWEEN = '   ';

/** `64 hk edge   63 get it in steps, 0 of them would refuse   1 is down and gets it when it returns (hk-17)` */
function nodesFact(p: BlastRadius, state: State, ui: Ui): Fact {
  const say = picker(ui);
  const label = say('nodes', '节点');
  const names = p.nodes.map((n) => n.name).sort(compareNames);
  if (names.length === 0)
    return { label, text: say('no node yet; those that join get it', '暂无节点；新加入者将获得') };
  const statusOf = (name: string) => state.picture.vitals.get(name)?.status ?? 'unknown';
  const away = p.nodes.filter((n) => !isHere(statusOf(n.name)));
  const refuse =
    unfit(p).length + (p.checks.find((c) => c.check === 'ports' && c.verdict === 'fail')?.bad ?? 0);
  const same = p.nodes.filter((n) => n.change === 'unchanged').length;
  const here = p.nodes.filter((n) => n.change !== 'unchanged' && isHere(statusOf(n.name))).length;
  const parts = [groupsOf(p), ...(names.length <= 6 && names.length > away.length ? [names.join(' ')] : [])];
  if (here > 0) {
    const get =
      here === 1
        ? say('1 gets it', '1 台获得')
        : say(`${count(here)} get it in steps`, `${count(here)} 台分步获得`);
    parts.push(say(`${get}, ${refuse} of them would refuse`, `${get}，其中 ${refuse} 台会拒绝`));
  }
  if (same > 0) parts.push(say(`${same} run it already`, `${same} 台已在运行`));
  if (away.length > 0)
    parts.push(
      awayText(
        away.map((n) => n.name),
        statusOf,
        ui,
      ),
    );
  return { label, text: parts.join(BETWEEN) };
}

const isHere = (s: NodeStatus): boolean => s === 'ready' || s === 'initializing';

/** `64 hk edge`, `140: hk edge 64  sg edge 40  us edge 36` */
function groupsOf(p: BlastRadius): string {
  const by = new Map<string, number>();
  for (const n of p.nodes) {
    const key = `${n.region} ${n.nodeType}`;
    by.set(key, (by.get(key) ?? 0) + 1);
  }
  const [only] = by.keys();
  if (by.size === 1) return `${count(p.nodes.length)} ${only}`;
  return `${count(p.nodes.length)}: ${[...by].map(([what, n]) => `${what} ${count(n)}`).join('  ')}`;
}

/** `1 is down and gets it when it returns (hk-17)` */
function awayText(names: readonly string[], statusOf: (name: string) => NodeStatus, ui: Ui): string {
  const say = picker(ui);
  const words = new Set(names.map(statusOf));
  const [only] = words;
  const is = words.size === 1 && only !== undefined ? ui.theme.say(`status.${only}`) : say('away', '离线');
  const who = someOf(names, say);
  return names.length === 1
    ? say(`1 is ${is} and gets it when it returns (${who})`, `1 台${is}，返回时获得（${who}）`)
    : say(
        `${names.length} are ${is} and get it when they return (${who})`,
        `${names.length} 台${is}，返回时获得（${who}）`,
      );
}

/** `40,344 live   0 cut   1,206 on edge-wss :8443 finish where they are before it closes` */
function streamsFact(p: BlastRadius, say: Pick2): Fact {
  const parts = [say(`${count(p.streams)} live`, `现有 ${count(p.streams)} 条`)];
  // A master of before says nothing of it.
  if (p.checks.length > 0) {
    parts.push(
      p.streamsCut === 0
        ? say('0 cut', '切断 0 条')
        : say(
            `${count(p.streamsCut)} would be cut: their nodes wait until they are over`,
            `${count(p.streamsCut)} 条会被切断：其节点等其走完`,
          ),
    );
  }
  const closing = closesOf(p).filter((c) => c.streams !== 0);
  const [only] = closing;
  if (only !== undefined) {
    const n = closing.reduce<number | null>(
      (sum, c) => (sum === null || c.streams === null ? null : sum + c.streams),
      0,
    );
    const many = n === null ? say('those', '其') : count(n);
    parts.push(
      closing.length === 1
        ? say(
            `${many} on ${only.service} ${only.addr} finish where they are before it closes`,
            `${many} 条在 ${only.service} ${only.addr} 上，走完后才关闭`,
          )
        : say(
            `${many} on listeners that close finish where they are first`,
            `${many} 条在将关闭的监听上，先就地走完`,
          ),
    );
  }
  return { label: say('streams', '流'), text: parts.join(BETWEEN), loud: p.streamsCut > 0 };
}

type Closing = Pick<ListenerBlast, 'service' | 'addr' | 'nodes' | 'streams'> & {
  /** What all of its nodes run; `null`: not all the same. */
  readonly from: string | null;
};

/** Listeners that close, by service and address, on most nodes first. */
function closesOf(p: BlastRadius): readonly Closing[] {
  const by = new Map<string, Closing>();
  for (const n of p.nodes) {
    for (const c of n.closes) {
      const key = `${c.service} ${c.addr}`;
      const was = by.get(key) ?? { ...c, nodes: 0, streams: 0, from: n.from };
      const streams = was.streams === null || c.streams === null ? null : was.streams + c.streams;
      by.set(key, { ...was, nodes: was.nodes + 1, streams, from: was.from === n.from ? n.from : null });
    }
  }
  return [...by.values()].sort((a, b) => b.nodes - a.nodes);
}

/** `closes edge-wss :8443 on 28 (those on v42)   opens edge-wss :9443 on 64   keeps :443 :8080` */
function listenersFact(p: BlastRadius, say: Pick2): Fact {
  const label = say('listeners', '监听');
  const closes = closesOf(p);
  const of = (change: ListenerBlast['change']) => p.listeners.filter((l) => l.change === change);
  // Where all run the same it need not be said of each.
  const alike = new Set(p.nodes.map((n) => n.from)).size < 2;
  const closing = closes.map((c) => {
    const those = c.from === null || alike ? '' : say(` (those on ${c.from})`, `（${c.from} 的）`);
    return say(
      `closes ${c.service} ${c.addr} on ${c.nodes}${those}`,
      `${c.nodes} 台关闭 ${c.service} ${c.addr}${those}`,
    );
  });
  const opening = of('opens').map((o) =>
    say(`opens ${o.service} ${o.addr} on ${o.nodes}`, `${o.nodes} 台打开 ${o.service} ${o.addr}`),
  );
  const changing = of('changes').map((c) =>
    say(
      `${c.service} ${c.addr} becomes ${c.type} on ${c.nodes}`,
      `${c.nodes} 台 ${c.service} ${c.addr} 改为 ${c.type}`,
    ),
  );
  const parts = [closing, opening, changing].flatMap((all) => firstOf(all, say));
  const keeps = [...new Set(of('keeps').map((k) => k.addr))];
  if (keeps.length > 0) {
    parts.push(say(`keeps ${firstOf(keeps, say).join(' ')}`, `保留 ${firstOf(keeps, say).join(' ')}`));
  }
  // Of nodes that cannot run it nothing is known.
  if (p.nodes.length > 0 && unfit(p).length === p.nodes.length) return { label, text: '-' };
  if (closes.length === 0 && of('opens').length === 0) {
    parts.unshift(say('none closes or opens', '无监听关闭或打开'));
  }
  return { label, text: parts.join(BETWEEN), loud: closes.length > 0 };
}

/** Where each node has a port of its own there are as many as nodes. */
const MOST_TOLD = 4;

function firstOf(all: readonly string[], say: Pick2): readonly string[] {
  const more = all.length - MOST_TOLD;
  return more > 1 ? [...all.slice(0, MOST_TOLD), say(`and ${more} more`, `另 ${more} 项`)] : all;
}

function supersedesFacts(plan: RolloutPlan, say: Pick2): readonly Fact[] {
  return plan.supersedes.map((s) => {
    const keep = s.regions
      .filter((r) => r.released > 0)
      .map((r, i) =>
        say(
          `${r.region}${i === 0 ? ` keeps ${s.version}` : ''} on ${r.released} of ${r.targets}`,
          `${r.region} ${i === 0 ? `保留 ${s.version}：` : ''}${r.released}/${r.targets} 台`,
        ),
      )
      .join(say(', ', '，'));
    const head = say(
      `rollout ${s.id} (${s.version}, step ${s.step + 1} of ${s.steps}): it stops where it is`,
      `发布 ${s.id}（${s.version}，第 ${s.step + 1}/${s.steps} 步）：就地停止`,
    );
    return {
      label: say('supersedes', '取代'),
      text: keep === '' ? head : say(`${head}; ${keep}`, `${head}；${keep}`),
    };
  });
}

/** `1 node, you promote   10 % = 7   50 % = 32   100 % = 64   8 at once   at least 17 min   auto_revert on, 120 s` */
function stepsFact(p: BlastRadius, ui: Ui, say: Pick2): Fact {
  const { plan } = p;
  const { strategy: s } = plan;
  const steps = plan.steps.map(({ step, targets }, i) => {
    const last = i === plan.steps.length - 1;
    const one = 'count' in step.size && (!step.perRegion || p.regions.length === 1);
    const size = one
      ? speak(stepSize({ ...step, perRegion: false }), ui.theme)
      : `${speak(stepSize(step), ui.theme)} = ${count(targets)}`;
    if (last || step.pause === null) return size;
    if (step.pause === 'manual') return say(`${size}, you promote`, `${size}，由您推进`);
    return say(`${size}, waits ${formatDuration(step.pause)}`, `${size}，等 ${formatDuration(step.pause)}`);
  });
  const all = plan.steps.at(-1)?.targets ?? 0;
  const parts = [
    ...steps,
    ...(s.maxParallel < all ? [say(`${s.maxParallel} at once`, `同时 ${s.maxParallel} 台`)] : []),
    ...(plan.atLeastMs >= 1000
      ? [say(`at least ${roughly(plan.atLeastMs)}`, `至少 ${roughly(plan.atLeastMs)}`)]
      : []),
    ...(plan.steps.some((x) => x.step.analysis) ? [] : [say('no gates', '无门限')]),
    s.autoRevert
      ? say(`auto_revert on, ${s.rollbackMs / 1000} s`, `自动撤回开，${s.rollbackMs / 1000} s`)
      : say('auto_revert off', '自动撤回关'),
  ];
  return { label: say('steps', '步骤'), text: parts.join(BETWEEN) };
}

/** Never more than it is: `22 min`, `4m30s`, `40 s`. */
export function roughly(ms: Millis): string {
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  return ms < 600_000 ? formatDuration(ms - (ms % 1000)) : `${Math.floor(ms / 60_000)} min`;
}

export function publishFacts(p: BlastRadius, state: State, ui: Ui): readonly Fact[] {
  const say = picker(ui);
  const bad = unfit(p);
  const [first] = bad;
  const names = someOf(
    bad.map((n) => n.name),
    say,
  );
  const cannot: Fact[] =
    first === undefined
      ? []
      : [
          {
            label: say('cannot', '无法运行'),
            text: say(
              `${names}: ${first.why}; while one cannot, nobody gets it`,
              `${names}: ${first.why}；只要有一台不行，就不会下发`,
            ),
            loud: true,
          },
        ];
  const routes = routesText(p, say);
  return [
    nodesFact(p, state, ui),
    ...cannot,
    streamsFact(p, say),
    listenersFact(p, say),
    ...(routes === null ? [] : [{ label: say('routes', '路由'), text: routes }]),
    ...supersedesFacts(p.plan, say),
    stepsFact(p, ui, say),
  ];
}

import { type Action, can } from '../../proto/vocab/can.ts';
import type { Rollout, RolloutVerb } from '../../proto/vocab/rollout.ts';
import { cursorAlert, cursorSilence } from '../store/alerts-view.ts';
import { lookedAt } from '../store/configs-view.ts';
import { hit } from '../store/hit.ts';
import { cursorRegion } from '../store/regions-view.ts';
import { cursorTarget, legalVerb, rolloutsOf, shownRollout } from '../store/rollouts-view.ts';
import { isStale } from '../store/select-header.ts';
import type { State } from '../store/state.ts';
import { asIs, type Words, words } from '../store/words.ts';

/** `null`: the key works. Otherwise why not, and what would make it work. */
export type Reason = (state: State) => Words | null;

export const always: Reason = () => null;

export function notHere(en: string, zh: string): Reason {
  return () => words(`not here yet: ${en}`, `尚未提供：${zh}`);
}

/** The first reason that holds. */
export function all(...reasons: readonly Reason[]): Reason {
  return (state) => {
    for (const r of reasons) {
      const why = r(state);
      if (why !== null) return why;
    }
    return null;
  };
}

/** What every act needs: a screen large enough to see it, a live picture, a master. */
export const mayAct: Reason = (state) => {
  if (state.room.tooSmall)
    return words('the terminal is too small to see what it would hit', '终端太小，看不清影响范围');
  if (state.frozenAt !== null) return words('the picture is frozen; f lets it run', '画面已冻结；按 f 恢复');
  if (isStale(state)) {
    return words('no master. Nodes and streams run on without it', '主控失联；节点与流照常运行');
  }
  return null;
};

export function allowed(action: Action): Reason {
  return (state) => {
    const role = state.fleet.begin?.caller.role;
    if (role === undefined || can(role, action)) return null;
    return words(`your role, ${role}, may not`, `您的角色 ${role} 无此权限`);
  };
}

export const onNode: Reason = (state) =>
  hit(state).length > 0 ? null : words('there is no node under the cursor', '光标处没有节点');

export const onRegion: Reason = (state) =>
  cursorRegion(state.regions) !== null ? null : words('there is no node yet', '还没有节点');

const oneNode: Reason = (state) =>
  hit(state).length > 1
    ? words('it takes one node; Esc unmarks', '只能作用于一个节点；Esc 取消标记')
    : onNode(state);

const published: Reason = (state) => {
  const name = hit(state)[0];
  const node = name === undefined ? undefined : state.picture.facts.node.get(name);
  return node?.target == null ? words('no version is published for this node', '该节点尚无已发布版本') : null;
};

/** Of the version under the cursor, or of the one that the node should run. */
export const takenBack: Reason = (state) => {
  if (state.place.kind === 'node' || state.place.screen !== 'rollouts') return all(oneNode, published)(state);
  const item = lookedAt(state.configs);
  if (item === null) return onVersion(state);
  return item.wanted > 0 ? null : words('it is on no node: nothing to take back', '没有节点使用它，无可回滚');
};

export const onVersion: Reason = (state) =>
  lookedAt(state.configs) !== null
    ? null
    : words('there is no version yet; aicdnctl config create FILE', '尚无版本；可用 aicdnctl config create');

/** There is a version to publish. */
export const anyVersion: Reason = (state) =>
  state.configs.items.length > 0
    ? null
    : words('there is no version yet; aicdnctl config create FILE', '尚无版本；可用 aicdnctl config create');

export const onRollout: Reason = (state) =>
  shownRollout(state.rollouts, state.picture.facts) !== null
    ? null
    : words('nothing was published by a rollout yet; P publishes', '尚无发布；按 P 发布');

/** There is something that a fleet revert could take back. */
export const revertable: Reason = (state) => {
  const [last] = rolloutsOf(state.picture.facts);
  if (last === undefined)
    return words('nothing was published by a rollout yet: nothing to take back', '尚无发布，无可回退');
  const back = ['aborting', 'reverting', 'rolled_back', 'revert_failed'].includes(last.state.kind);
  if (last.reverts === null && !back) return null;
  return words(
    `rollout ${last.id} has taken it back, or does: U is off until the next publish`,
    `发布 ${last.id} 已撤回或正在撤回：下次发布前 U 不可用`,
  );
};

export const onTarget: Reason = (state) => {
  const r = shownRollout(state.rollouts, state.picture.facts);
  if (r === null) return onRollout(state);
  return cursorTarget(state.rollouts, r) !== null
    ? null
    : words('the master has not named its targets yet', '主控尚未给出目标');
};

export const onScreen3: Reason = () =>
  words('3 shows the rollout, there it works', '按 3 查看发布，在那里可用');

/** What the master says of the verb for the rollout on screen, in its own words. */
export function legal(verbOf: (r: Rollout) => RolloutVerb): Reason {
  return (state) => {
    const r = shownRollout(state.rollouts, state.picture.facts);
    if (r === null) return onRollout(state);
    const said = legalVerb(state.rollouts, r, verbOf(r));
    if (said === null) return words('the master has not said yet whether it may', '主控尚未说明是否允许');
    return said.ok ? null : asIs(said.why);
  };
}

export const onAlert: Reason = (state) =>
  cursorAlert(state.alerts) !== null ? null : words('there is no alert under the cursor', '光标处没有告警');

export const onActiveSilence: Reason = (state) => {
  const item = cursorSilence(state.alerts);
  if (item === null)
    return words('there is no silence under the cursor; Tab moves there', '光标处没有静默；Tab 移到静默表');
  return item.state === 'expired' ? words('it has ended already', '已经结束') : null;
};

export const describable: Reason = (state) => {
  if (state.place.kind === 'node') return words('it is open', '已经打开');
  if (state.place.screen !== 'alerts')
    return onNode({ ...state, nodes: { ...state.nodes, marks: new Set() } });
  const alert = cursorAlert(state.alerts);
  if (alert === null) return onAlert(state);
  return state.picture.facts.node.has(alert.on)
    ? null
    : words('this alert is not about one node', '该告警不针对单个节点');
};

export const hasLast: Reason = (state) =>
  state.lastPlace === null ? words('there is no last screen yet', '还没有上一屏') : null;

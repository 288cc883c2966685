import { pauseVerb } from '../store/reduce-rollouts.ts';
import { shownRollout } from '../store/rollouts-view.ts';
import { backVerb } from '../store/sheets/verb.ts';
import type { State } from '../store/state.ts';
import { type Words, words } from '../store/words.ts';
import { all, allowed, anyVersion, legal, onRollout, onVersion, revertable } from './reasons.ts';
import { bar, elsewhere, fleet, type KeyRow, SCREENS } from './row.ts';

const PAUSE = { pause: words('pause', '暂停'), resume: words('resume', '继续') } as const;

function pauseWord(state: State): Words {
  const r = shownRollout(state.rollouts, state.picture.facts);
  return PAUSE[r === null ? 'pause' : pauseVerb(r)];
}

/** Keys that reach further than one node. */
export const FLEET_ROWS: readonly KeyRow[] = [
  // fleet
  ...fleet(
    ['n'],
    ['rollout', 'target'],
    { kind: 'rollout-verb', verb: 'promote', id: null },
    words('promote to the next step', '推进到下一步'),
    all(
      allowed('rollout.promote'),
      onRollout,
      legal(() => 'promote'),
    ),
    bar('promote', '推进', 3),
  ),
  ...fleet(
    ['p'],
    ['rollout', 'target'],
    { kind: 'pause' },
    words('pause, resume', '暂停、继续'),
    all(allowed('rollout.pause'), onRollout, legal(pauseVerb)),
    { ...bar('pause', '暂停', 4), label: pauseWord },
  ),
  ...fleet(
    ['u'],
    ['rollout', 'target'],
    { kind: 'roll-back' },
    words('roll back: abort it, or undo it', '回滚：中止或撤销'),
    all(allowed('rollout.abort'), onRollout, legal(backVerb)),
    bar('roll back', '回滚', 4.5),
  ),
  ...fleet(
    ['P'],
    ['versions', 'version'],
    { kind: 'publish' },
    words('publish the version', '发布该版本'),
    all(allowed('config.publish'), onVersion),
    bar('publish', '发布', 2),
  ),
  ...fleet(
    ['P'],
    ['rollout', 'target'],
    { kind: 'publish' },
    words('publish the newest version', '发布最新版本'),
    all(allowed('config.publish'), anyVersion),
    bar('publish', '发布', 7),
  ),
  ...fleet(
    ['P'],
    ['regions'],
    { kind: 'publish' },
    words('publish here the newest version', '在此发布最新版本'),
    all(allowed('config.publish'), anyVersion),
    bar('publish here', '在此发布', 4),
  ),
  ...fleet(
    ['P'],
    ['nodes', 'node'],
    { kind: 'publish' },
    words('publish the newest version', '发布最新版本'),
    all(allowed('config.publish'), anyVersion),
  ),
  ...elsewhere('n', { kind: 'rollout-verb', verb: 'promote', id: null }, words('promote', '推进发布')),
  ...elsewhere('p', { kind: 'pause' }, words('pause, resume', '暂停、继续')),
  ...fleet(
    ['U'],
    SCREENS,
    { kind: 'revert-last' },
    words('fleet revert, last publish', '全局回退上次发布'),
    all(allowed('rollout.revert_last'), revertable),
  ),
];

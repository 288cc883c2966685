import { describe, expect, it } from 'vitest';
import type { RolloutId } from '../../../proto/vocab/ids.ts';
import type { Strategy } from '../../../proto/vocab/rollout.ts';
import { NEW, OLD, RolloutFleet, type SimNode, simNode } from '../../../test/fakes/rollout-fleet.ts';
import { strategyNamed } from './strategies.ts';

const fleet = (perRegion: number, more: (i: number, region: string) => Partial<SimNode> = () => ({})) =>
  ['hk', 'sg', 'us'].flatMap((region) =>
    Array.from({ length: perRegion }, (_, i) => simNode(`${region}-${i + 1}`, region, more(i, region))),
  );
const standard = strategyNamed('standard');
const unattended = strategyNamed('unattended');
const first = ['hk-1', 'sg-1', 'us-1'];

describe('forward', () => {
  it('one a region, gates, a person, then 10, 50 and 100 % through their gates', () => {
    const f = new RolloutFleet(fleet(20), standard);
    expect(f.rollout.state.kind).toBe('pending');
    expect(f.advance().release).toEqual(first);
    f.untilState('paused');
    expect(f.rollout.state).toMatchObject({ reason: 'step', until: null });
    expect(f.rollout.readings.map((r) => r.verdict)).toEqual(['pass', 'pass', 'pass']);
    expect(f.released()).toEqual(first);
    for (let i = 0; i < 1000; i++) f.tick();
    expect(f.released()).toEqual(first);
    f.verb('promote');
    f.untilState('succeeded');
    expect(f.rollout.counts.healthy).toBe(60);
    expect(f.rollout.steps.map((s) => s.targets)).toEqual([3, 6, 30, 60]);
    expect(f.rollout.steps[0]?.note).toBe('lin promoted it');
    expect(f.rollout).toMatchObject({ waits: [], deadline: null, failuresLeft: null, nextReadingAt: null });
    expect(f.releases).toHaveLength(60);
  });

  it('regions take turns, and no more than max_parallel are on the way', () => {
    const f = new RolloutFleet(fleet(20), { ...strategyNamed('at-once'), maxParallel: 4 });
    let most = 0;
    f.watch = () => {
      const { offered, applying, soaking } = f.rollout.counts;
      most = Math.max(most, offered + applying + soaking);
    };
    expect([...f.advance().release].sort()).toEqual(['hk-1', 'hk-10', 'sg-1', 'us-1']);
    f.untilState('succeeded');
    expect(most).toBe(4);
  });

  it('a small fleet is one step: what rounds to the same nodes merges, and a pause after the last is moot', () => {
    const f = new RolloutFleet(fleet(1), standard);
    f.untilState('succeeded');
    expect(f.rollout.strategy.steps).toHaveLength(1);
    expect(f.rollout.readings).toHaveLength(3);
  });

  it('nobody is targeted: it has succeeded', () => {
    const f = new RolloutFleet([], standard);
    f.advance();
    expect(f.rollout.state.kind).toBe('succeeded');
  });

  it('the same call again changes nothing, and gives the very same objects', () => {
    const f = new RolloutFleet(fleet(3), unattended);
    for (let i = 0; i < 400; i++) {
      f.tick();
      const again = f.rollout;
      const a = f.advance();
      expect(a.rollout).toBe(again);
      expect(a.targets).toEqual([]);
    }
  });

  it('the soak begins anew when a node stops being healthy', () => {
    const f = new RolloutFleet(fleet(2), unattended);
    f.until(() => f.target('hk-1').state === 'soaking');
    const at = f.target('hk-1').since;
    for (let i = 0; i < 20; i++) f.tick();
    f.node('hk-1').status = 'disconnected';
    f.tick();
    expect(f.target('hk-1')).toMatchObject({ state: 'applying', released: true });
    f.node('hk-1').status = 'ready';
    f.until(() => f.target('hk-1').state === 'healthy');
    expect(f.target('hk-1').since - at).toBeGreaterThanOrEqual(20_000 + 30_000);
    expect(f.target('hk-1').since - f.target('sg-1').since).toBeGreaterThanOrEqual(20_000);
  });

  it('a pause for a time goes on by itself', () => {
    const steps = unattended.steps.map((s) => ({ ...s, pause: 60_000, analysis: false }));
    const f = new RolloutFleet(fleet(2), { ...unattended, steps });
    f.untilState('paused');
    expect(f.rollout.state).toMatchObject({ reason: 'step', until: f.now + 60_000 });
    f.untilState('succeeded');
  });

  it('says why it waits', () => {
    const f = new RolloutFleet(fleet(20), unattended);
    f.advance();
    expect(f.rollout.waits).toEqual(['hk-1, sg-1, us-1 to become healthy']);
    f.until(() => f.rollout.counts.soaking === 3);
    expect(f.rollout.waits).toEqual(['hk-1, sg-1, us-1 to stay healthy for 30s']);
    f.until(() => f.rollout.nextReadingAt !== null);
    expect(f.rollout.waits).toEqual(['gate reading 1 of 3']);
    f.until(() => f.rollout.step === 2 && f.rollout.counts.offered === 8);
    expect(f.rollout.waits).toContain('16 have their turn as others settle: max_parallel is 8');
  });
});

describe('failures', () => {
  it.each(['refuses', 'crashes-later', 'silent'] as const)(
    'a config that nodes answer with %s is taken back after the first step, and is offered to nobody else',
    (temper) => {
      const f = new RolloutFleet(
        fleet(20, () => ({ temper })),
        unattended,
      );
      f.untilState('rolled_back');
      expect(new Set(f.releases)).toEqual(new Set(first));
      expect(f.released()).toEqual([]);
      for (const n of f.nodes.values()) expect(n.effective).toBe(OLD);
      expect(f.events.map((e) => e.level)).toContain('error');
    },
  );

  it('one of three canaries refuses: the other two are put back', () => {
    const f = new RolloutFleet(
      fleet(20, (i, r) => (r === 'sg' && i === 0 ? { temper: 'refuses' } : {})),
      unattended,
    );
    f.untilState('rolled_back');
    expect(f.states()).toMatchObject({ 'hk-1': 'reverted', 'sg-1': 'failed', 'us-1': 'reverted' });
    expect(f.target('sg-1').why).toBe('PREPARE: port in use');
    expect(f.rollout.state).toMatchObject({
      why: '1 of 1 failed in the first step; sg-1: PREPARE: port in use',
    });
  });

  it('a node that cuts itself off and returns with its refusal has failed', () => {
    const f = new RolloutFleet(
      fleet(5, (i) => (i === 0 ? { temper: 'cut' } : {})),
      unattended,
    );
    f.until(() => f.node('hk-1').status === 'disconnected');
    for (let i = 0; i < 120; i++) f.tick();
    expect(f.rollout.state.kind).toBe('progressing');
    expect(f.released()).toEqual(first);
    f.returns('hk-1');
    f.untilState('rolled_back');
    expect(new Set(f.releases)).toEqual(new Set(first));
  });

  it('a refusal whose reason comes a moment later has failed for that reason, and without one for none', () => {
    for (const said of [true, false]) {
      const f = new RolloutFleet(
        fleet(5, (i) => (i === 0 ? { temper: 'cut' } : {})),
        unattended,
      );
      f.until(() => f.node('hk-1').status === 'disconnected');
      f.node('hk-1').mute = true;
      f.returns('hk-1');
      f.tick();
      expect(f.target('hk-1')).toMatchObject({
        state: 'applying',
        why: expect.stringContaining('not said why'),
      });
      f.node('hk-1').mute = !said;
      f.untilState('rolled_back');
      expect(f.target('hk-1').why).toBe(said ? 'PREPARE: port in use' : 'the reason is not known');
    }
  });

  it('one that stays away after its switch fails at its deadline, and blocks no revert', () => {
    const f = new RolloutFleet(
      fleet(5, (i) => (i === 0 ? { temper: 'cut' } : {})),
      unattended,
    );
    f.untilState('rolled_back');
    expect(f.target('hk-1').state).toBe('deferred_offline');
    expect(f.released()).toEqual([]);
  });

  it('a canary that goes down for good after it was healthy fails the first step', () => {
    const f = new RolloutFleet(fleet(5), standard);
    f.untilState('paused');
    f.node('hk-1').status = 'down';
    f.untilState('rolled_back');
    expect(f.target('sg-1').state).toBe('reverted');
  });

  it('later steps bear 2 %, and not more, of five at least', () => {
    const one = new RolloutFleet(
      fleet(40, (i, r) => (r === 'hk' && i === 29 ? { temper: 'refuses' } : {})),
      unattended,
    );
    one.untilState('succeeded');
    expect(one.rollout.counts).toMatchObject({ failed: 1, healthy: 119 });
    const early = new RolloutFleet(
      fleet(40, (i, r) => (r === 'hk' && i === 1 ? { temper: 'refuses' } : {})),
      unattended,
    );
    early.untilState('rolled_back');
    expect(early.rollout.step).toBe(1);
    expect(early.released()).toEqual([]);
  });

  it('says how many more failures abort', () => {
    const f = new RolloutFleet(fleet(100), { ...unattended, maxParallel: 300 });
    f.advance();
    expect(f.rollout.failuresLeft).toBe(1);
    f.until(() => f.rollout.counts.healthy >= 150);
    // 4 of 154 are 2.6 %, 3 of 153 are 1.96 %.
    expect(f.rollout.failuresLeft).toBe(4);
  });

  it('no progress within its deadline aborts', () => {
    const slow = { ...unattended, healthyDeadlineMs: 600_000, progressDeadlineMs: 600_000 };
    const f = new RolloutFleet(
      fleet(3, () => ({ temper: 'silent' })),
      slow,
    );
    f.untilState('rolled_back');
  });

  it('a revert that a node cannot follow is a failed revert, and the others are back', () => {
    const f = new RolloutFleet(
      fleet(3, (i, r) =>
        i > 0 ? {} : { temper: r === 'hk' ? 'refuses' : r === 'sg' ? 'cannot-go-back' : 'good' },
      ),
      { ...unattended, minHealthyMs: 1000 },
    );
    f.node('hk-1').temper = 'crashes-later';
    f.untilState('revert_failed');
    expect(f.states()).toMatchObject({ 'sg-1': 'failed', 'us-1': 'reverted' });
    expect(f.rollout.state).toMatchObject({ why: expect.stringContaining('sg-1: it could not go back') });
  });

  it('takes back in batches of max_parallel', () => {
    const f = new RolloutFleet(fleet(20), { ...unattended, maxParallel: 4 });
    f.until(() => f.rollout.counts.healthy >= 30);
    f.verb('abort', 'hk latency');
    const batches: number[] = [];
    f.watch = (a) => batches.push(a.takeBack.length);
    f.untilState('rolled_back');
    expect(Math.max(...batches)).toBe(4);
    expect(batches.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(30);
    for (const n of f.nodes.values()) expect(n.effective).toBe(OLD);
  });

  it('without auto_revert it stops where it is', () => {
    const f = new RolloutFleet(
      fleet(20, (i, r) => (r === 'hk' && i === 0 ? { temper: 'refuses' } : {})),
      { ...unattended, autoRevert: false },
    );
    f.untilState('cancelled');
    expect(f.released().length).toBeGreaterThan(0);
  });

  it('none of its nodes can take it: cancelled, and why', () => {
    const f = new RolloutFleet(
      fleet(2, () => ({ unfit: 'line 3: unknown variable ${X}' })),
      unattended,
    );
    f.advance();
    expect(f.rollout.state).toMatchObject({
      kind: 'cancelled',
      why: expect.stringContaining('unknown variable'),
    });
    expect(f.releases).toEqual([]);
  });

  it('what a node has refused before is not offered to it again', () => {
    const f = new RolloutFleet(
      fleet(4, (i) => (i === 1 ? { rejected: true } : {})),
      unattended,
    );
    f.untilState('succeeded');
    expect(f.rollout.counts).toMatchObject({ excluded: 3, healthy: 9 });
    expect(f.releases).not.toContain('hk-2');
  });

  it('at-once goes on whatever fails', () => {
    const f = new RolloutFleet(
      fleet(3, (i) => (i === 0 ? { temper: 'refuses' } : {})),
      strategyNamed('at-once'),
    );
    f.untilState('succeeded');
    expect(f.rollout.counts).toMatchObject({ failed: 3, healthy: 6 });
    expect(f.released()).toHaveLength(9);
  });
});

describe('nodes that come and go', () => {
  it('a tenth offline blocks nobody, and gets its turn when it returns', () => {
    const f = new RolloutFleet(
      fleet(20, (i) => (i === 0 || i === 7 ? { status: 'down' } : {})),
      unattended,
    );
    f.until(() => f.rollout.step === 2);
    expect(f.target('hk-1')).toMatchObject({ state: 'deferred_offline', released: false });
    f.node('hk-1').status = 'ready';
    f.until(() => f.target('hk-1').state === 'healthy');
    f.untilState('succeeded');
    expect(f.rollout.counts).toMatchObject({ deferred_offline: 5, healthy: 55 });
  });

  it('a canary that is away when its turn comes is replaced by another of its region', () => {
    const f = new RolloutFleet(fleet(5), unattended);
    f.node('hk-1').status = 'down';
    f.advance();
    expect(f.released()).toEqual(['hk-2', 'sg-1', 'us-1']);
    expect(f.target('hk-2').step).toBe(0);
    expect(f.target('hk-1').step).toBeGreaterThan(0);
  });

  it('one that went away after its offer is not replaced: no config walks through the fleet', () => {
    const f = new RolloutFleet(fleet(5), unattended);
    f.advance();
    f.node('hk-1').status = 'disconnected';
    f.advance();
    expect(f.target('hk-1')).toMatchObject({ state: 'deferred_offline', released: false });
    for (let i = 0; i < 20; i++) f.tick();
    expect(f.releases).toEqual(first);
  });

  it('all of them are away: it waits without a deadline, and goes on when one returns', () => {
    const f = new RolloutFleet(
      fleet(1, () => ({ status: 'down' })),
      unattended,
    );
    for (let i = 0; i < 2000; i++) f.tick(10_000);
    expect(f.rollout.state).toEqual({ kind: 'progressing', phase: 'offering' });
    expect(f.rollout.deadline).toBeNull();
    expect(f.rollout.waits[0]).toMatch(/hk-1, sg-1, us-1 to return/);
    f.node('sg-1').status = 'ready';
    f.untilState('succeeded');
  });

  it('2 % that flip between ready and disconnected neither abort it nor count as failed', () => {
    const f = new RolloutFleet(fleet(50), unattended);
    const flappers = ['hk-1', 'sg-20', 'us-49'];
    f.watch = () => {
      for (const [i, name] of flappers.entries()) {
        f.node(name).status = Math.floor(f.now / 1000 / (5 + i)) % 2 === 0 ? 'ready' : 'disconnected';
      }
    };
    f.untilState('succeeded', 8000);
    expect(f.rollout.counts.failed).toBe(0);
    expect(f.rollout.counts.healthy).toBeGreaterThanOrEqual(147);
  });

  it('streams that the change would cut hold a node until they are over, however long it takes', () => {
    const f = new RolloutFleet(
      fleet(2, (i) => (i === 1 ? { wouldCut: 212 } : {})),
      unattended,
    );
    f.until(() => f.rollout.counts.held_by_streams === 3);
    expect(f.target('hk-2').why).toMatch(/would cut 212 streams/);
    for (let i = 0; i < 2000; i++) f.tick(10_000);
    expect(f.rollout.state.kind).toBe('progressing');
    expect(f.rollout.waits.join()).toMatch(/hk-2, sg-2, us-2: the change would cut streams/);
    for (const n of f.nodes.values()) n.wouldCut = 0;
    f.untilState('succeeded');
  });

  it('too many of those that have it out of reach: nothing more is offered', () => {
    const f = new RolloutFleet(fleet(20), { ...unattended, maxUnavailable: 2 });
    f.until(() => f.rollout.step === 2);
    for (const n of first) f.node(n).status = 'down';
    f.until(() => f.rollout.counts.offered + f.rollout.counts.applying + f.rollout.counts.soaking === 0);
    expect(f.rollout.waits.join()).toMatch(/more than max_unavailable 2/);
    f.untilState('rolled_back');
  });

  it('an ineligible node is left out, and gets its turn when it is eligible again', () => {
    const f = new RolloutFleet(
      fleet(4, (i) => (i === 2 ? { eligible: false } : {})),
      unattended,
    );
    f.until(() => f.rollout.step === 1);
    expect(f.rollout.counts.excluded).toBe(3);
    f.node('hk-3').eligible = true;
    f.untilState('succeeded');
    expect(f.target('hk-3').state).toBe('healthy');
    expect(f.target('sg-3').state).toBe('excluded');
  });

  it('a node that leaves the fleet is left out', () => {
    const f = new RolloutFleet(fleet(3), unattended);
    f.advance();
    f.nodes.delete(f.target('hk-1').node);
    f.tick();
    expect(f.target('hk-1')).toMatchObject({ state: 'excluded', released: false });
    f.untilState('succeeded');
  });
});

describe('a master', () => {
  it('that doubts itself freezes, counts nobody late, and goes on', () => {
    const f = new RolloutFleet(fleet(20), unattended);
    f.until(() => f.rollout.step === 1 && f.rollout.counts.applying > 0);
    f.suspect = '40 of 60 nodes lost within 60 s';
    for (const n of f.nodes.values()) n.status = 'down';
    for (let i = 0; i < 1000; i++) f.tick();
    expect(f.rollout.state).toMatchObject({ kind: 'paused', reason: 'master_suspect', why: f.suspect });
    expect(f.legal()).toEqual(['abort', 'undo']);
    for (const n of f.nodes.values()) n.status = 'ready';
    f.suspect = null;
    f.untilState('succeeded');
    expect(f.rollout.counts.failed).toBe(0);
  });

  it('that was away for an hour in the middle counts nobody late', () => {
    const f = new RolloutFleet(
      fleet(20, () => ({ slow: 20 })),
      unattended,
    );
    f.until(() => f.rollout.step === 1 && f.rollout.counts.applying > 0);
    f.now += 3_600_000;
    f.since = f.now;
    for (const n of f.nodes.values()) n.status = 'unknown';
    for (let i = 0; i < 30; i++) f.tick();
    for (const n of f.nodes.values()) n.status = 'ready';
    f.untilState('succeeded');
    expect(f.rollout.counts.failed).toBe(0);
  });

  it('restarted between any two calls does what an unbroken one does', () => {
    const run = (restarts: boolean): string[] => {
      const f = new RolloutFleet(
        fleet(10, (i, r) =>
          r === 'us' && i === 9 ? { temper: 'refuses' } : i === 3 ? { status: 'down' } : {},
        ),
        unattended,
      );
      f.restarts = restarts;
      const seen: string[] = [];
      f.watch = (a) =>
        seen.push(JSON.stringify([a.rollout, a.targets, a.release, a.takeBack, a.wantsReading]));
      f.untilState('rolled_back');
      return seen;
    };
    expect(run(true)).toEqual(run(false));
  });
});

describe('gates', () => {
  it('one that fails takes the step back', () => {
    const f = new RolloutFleet(fleet(20), unattended);
    f.verdict = (r) => (r.number === 2 ? 'fail' : 'pass');
    f.untilState('rolled_back');
    expect(f.rollout.state).toMatchObject({ why: 'hk TTFT p95 is fail' });
    expect(new Set(f.releases)).toEqual(new Set(first));
  });

  it('too few to tell is read again until the window is full, then pauses: it is never promoted', () => {
    const f = new RolloutFleet(fleet(20), unattended);
    f.verdict = () => 'inconclusive';
    f.until(() => f.rollout.readings.length > 0);
    expect(f.rollout.waits).toEqual(['gate reading 1 of 3', 'so far: hk TTFT p95 is inconclusive']);
    f.untilState('paused');
    expect(f.rollout.state).toMatchObject({ reason: 'inconclusive', until: null });
    expect(f.now - f.target('hk-1').since).toBe(300_000);
    for (let i = 0; i < 3000; i++) f.tick();
    expect(f.released()).toEqual(first);
    f.verb('resume');
    f.untilState('progressing');
    f.untilState('paused');
    expect(f.released()).toEqual(first);
    f.verdict = () => 'pass';
    f.verb('resume');
    f.untilState('succeeded');
  });

  it('a reading in between that could not tell begins the row anew', () => {
    const f = new RolloutFleet(fleet(2), unattended);
    const said = ['pass', 'pass', 'inconclusive', 'pass', 'close', 'pass'] as const;
    let i = 0;
    f.verdict = () => said[i++] ?? 'pass';
    f.until(() => f.rollout.step === 1);
    expect(i).toBe(6);
  });

  it('asks for canaries and same-region peers since the soak; for their own past where there is no peer', () => {
    const f = new RolloutFleet([...fleet(3), simNode('eu-1', 'eu')], unattended);
    let asked = null as ReturnType<RolloutFleet['advance']>['wantsReading'];
    f.verdict = (r) => {
      asked ??= r;
      return 'pass';
    };
    f.until(() => asked !== null);
    const at = f.target('eu-1').since;
    expect(at - (f.target('eu-1').switchedAt ?? 0)).toBe(30_000);
    const of = (group: string) =>
      asked?.asks.filter((a) => a.group === group).map((a) => [a.side, a.node, a.since - at]);
    expect(of('hk')).toEqual([
      ['canary', 'hk-1', 0],
      ['stable', 'hk-2', 0],
      ['stable', 'hk-3', 0],
    ]);
    expect(of('eu')?.map(([side]) => side)).toEqual(['canary', 'past']);
    expect(asked?.asks.find((a) => a.side === 'past')?.until).toBe(f.target('eu-1').offeredAt);
  });

  it('nodes of another type or engine are no peers', () => {
    const f = new RolloutFleet(
      fleet(4, (i) => ({ nodeType: i > 1 ? 'core' : 'edge' })),
      unattended,
    );
    let groups = new Set<string>();
    f.verdict = (r) => {
      groups = new Set(r.asks.map((a) => a.group));
      return 'pass';
    };
    f.until(() => groups.size > 0);
    expect([...groups].sort()).toEqual(['hk edge', 'sg edge', 'us edge']);
  });

  it('a reading of another step, of before or of a number already read counts for nothing', () => {
    const f = new RolloutFleet(fleet(2), unattended);
    f.verdict = () => 'pass';
    f.until(() => f.rollout.readings.length === 1);
    const once = f.rollout;
    f.advance();
    expect(f.rollout).toBe(once);
  });
});

describe('taking back one that succeeded', () => {
  const revert: Strategy = strategyNamed('revert');
  it('1, 1, then the rest, without a gate or a person', () => {
    const f = new RolloutFleet(fleet(20), revert, { reverts: '30' as RolloutId });
    f.untilState('succeeded');
    expect(f.rollout.steps.map((s) => s.targets)).toEqual([1, 2, 60]);
    for (const n of f.nodes.values()) expect(n.effective).toBe(NEW);
  });

  it('a failure asks a person, each time; there is nothing to go back to', () => {
    const f = new RolloutFleet(
      fleet(5, (i, r) => (r !== 'us' && i === 0 ? { temper: 'refuses' } : {})),
      revert,
      {
        reverts: '30' as RolloutId,
      },
    );
    f.untilState('paused');
    expect(f.rollout.state).toMatchObject({ reason: 'manual', why: 'hk-1 failed: PREPARE: port in use' });
    f.verb('resume');
    f.until(() => f.rollout.state.kind === 'paused');
    expect(f.rollout.state).toMatchObject({ why: 'sg-1 failed: PREPARE: port in use' });
    f.node('sg-1').temper = 'good';
    f.verb('retry');
    f.untilState('paused');
    expect(f.rollout.state).toMatchObject({ why: 'hk-1 failed: PREPARE: port in use' });
    f.verb('resume');
    f.untilState('succeeded');
    expect(f.states()).toMatchObject({ 'hk-1': 'failed', 'sg-1': 'healthy' });
  });
});

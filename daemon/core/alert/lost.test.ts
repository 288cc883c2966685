import { describe, expect, it } from 'vitest';
import type { Fingerprint, NodeName } from '../../../proto/vocab/ids.ts';
import type { NodeStatus } from '../../../proto/vocab/node.ts';
import { inhibitors } from './inhibit.ts';
import { type Dialled, evaluateLost, type SeenNode, suspicion } from './lost.ts';
import { type AlertDraft, evaluateNodeDown } from './node-down.ts';

const SECOND = 1000;

/** A fleet under the three rules together, as the master evaluates them: NodeDown first, each second. */
class Fleet {
  now = 0;
  alerts = new Map<Fingerprint, AlertDraft>();
  calm: ReadonlyMap<Fingerprint, number> = new Map();
  dialled: Dialled | null = null;
  readonly said: string[] = [];
  private readonly status = new Map<string, NodeStatus>();

  constructor(regions: Readonly<Record<string, number>>) {
    for (const [region, n] of Object.entries(regions)) {
      for (let i = 1; i <= n; i++) this.status.set(`${region}-${i}`, 'ready');
    }
  }

  names(region: string, from: number, to: number): string[] {
    return Array.from({ length: to - from + 1 }, (_, i) => `${region}-${from + i}`);
  }

  are(names: readonly string[], status: NodeStatus): this {
    for (const n of names) this.status.set(n, status);
    return this;
  }

  all(status: NodeStatus): this {
    return this.are([...this.status.keys()], status);
  }

  remove(names: readonly string[]): this {
    for (const n of names) {
      this.status.delete(n);
      for (const [key, a] of this.alerts) if (a.labels['node'] === n) this.alerts.delete(key);
    }
    return this;
  }

  /** Seconds pass. */
  pass(seconds: number): this {
    for (let i = 0; i < seconds; i++) {
      this.now += SECOND;
      this.tick();
    }
    return this;
  }

  tick(): void {
    const seen: SeenNode[] = [];
    for (const [name, status] of this.status) {
      const region = name.split('-')[0] ?? '';
      const node = { name: name as NodeName, region, nodeType: 'edge' as const };
      const old = [...this.alerts.values()].find((a) => a.labels['node'] === name) ?? null;
      const next = evaluateNodeDown({ forMs: 60 * SECOND }, node, { status, lastSeen: 0 }, old, this.now);
      if (next === 'gone' && old) this.alerts.delete(old.fingerprint);
      else if (next !== null && next !== 'gone') this.alerts.set(next.fingerprint, next);
      const live = next === 'gone' ? null : (next ?? old);
      const downSince = live && live.state !== 'resolved' ? live.pendingAt : null;
      seen.push({ name: node.name, region, status, downSince });
    }
    const { put, calm } = evaluateLost(seen, this, this.now);
    // Asked again before anything is stored, as the master does, it says the same.
    expect(evaluateLost(seen, { ...this, calm }, this.now).put).toEqual(put);
    for (const a of put) {
      const before = this.alerts.get(a.fingerprint)?.state ?? 'inactive';
      if (before !== a.state)
        this.said.push(
          `${this.now / SECOND} ${a.rule}${a.labels['region'] ? ` ${a.labels['region']}` : ''} ${a.state}`,
        );
      this.alerts.set(a.fingerprint, a);
    }
    this.calm = calm;
    expect(
      evaluateLost(seen, { ...this, alerts: this.alerts, calm }, this.now).put,
      'the same again',
    ).toEqual([]);
  }

  value(rule: string): string {
    return [...this.alerts.values()].find((a) => a.rule === rule)?.value ?? '';
  }

  /** What pages: fires and nothing inhibits it. */
  pages(): string[] {
    const alerts = [...this.alerts.values()];
    const by = inhibitors(alerts, this.now);
    return alerts
      .filter((a) => a.state === 'firing' && by(a).length === 0)
      .map((a) => a.labels['node'] ?? a.labels['region'] ?? a.rule)
      .sort();
  }

  frozen(): boolean {
    return suspicion(this.alerts.values(), this.dialled, this.now) !== null;
  }
}

describe('thresholds', () => {
  it.each<[string, Record<string, number>, Record<string, number>, string[]]>([
    ['four of eight are NodeDown each', { hk: 8, sg: 8 }, { hk: 4 }, []],
    ['five of eight are the region', { hk: 8, sg: 8 }, { hk: 5 }, ['RegionDown hk']],
    ['five of fifty are exactly a tenth: not more', { hk: 50 }, { hk: 5 }, []],
    ['six of fifty are', { hk: 50 }, { hk: 6 }, ['RegionDown hk']],
    ['a region alone in the world that is gone whole', { hk: 6 }, { hk: 6 }, ['RegionDown hk']],
    ['three and three are the master', { hk: 10, sg: 10 }, { hk: 3, sg: 3 }, ['MasterSuspect']],
    ['two and two are too few', { hk: 10, sg: 10 }, { hk: 2, sg: 2 }, []],
    ['three and three of sixty are exactly a tenth: not more', { hk: 30, sg: 30 }, { hk: 3, sg: 3 }, []],
    ['four and three of sixty are', { hk: 30, sg: 30 }, { hk: 4, sg: 3 }, ['MasterSuspect']],
    [
      'six here and one elsewhere are the region: the one is chance',
      { hk: 10, sg: 10 },
      { hk: 6, sg: 1 },
      ['RegionDown hk'],
    ],
    [
      'two whole regions at a time are both',
      { hk: 6, sg: 6, us: 6 },
      { hk: 6, sg: 6 },
      ['RegionDown hk', 'RegionDown sg', 'MasterSuspect'],
    ],
    [
      'one in each of five regions',
      { a: 2, b: 2, c: 2, d: 2, e: 2 },
      { a: 1, b: 1, c: 1, d: 1, e: 1 },
      ['MasterSuspect'],
    ],
  ])('%s', (_, regions, lost, want) => {
    const f = new Fleet(regions).pass(1);
    for (const [region, n] of Object.entries(lost)) f.are(f.names(region, 1, n), 'down');
    f.pass(1);
    expect(f.said).toEqual(want.map((w) => `2 ${w} firing`));
  });

  it('within a minute, not within ten: one every twenty seconds is no region', () => {
    const f = new Fleet({ hk: 10 }).pass(1);
    for (let i = 1; i <= 8; i++) f.are([`hk-${i}`], 'down').pass(20);
    expect(f.said).toEqual([]);
    expect(
      new Fleet({ hk: 10 })
        .are(['hk-1', 'hk-2', 'hk-3'], 'down')
        .pass(50)
        .are(['hk-4', 'hk-5'], 'down')
        .pass(1).said,
    ).toEqual(['51 RegionDown hk firing']);
  });

  it('late nodes are not lost, and count as ready; those that never ran are neither', () => {
    const f = new Fleet({ hk: 60 }).are(['hk-1', 'hk-2', 'hk-3', 'hk-4', 'hk-5'], 'down');
    f.are(f.names('hk', 6, 60), 'disconnected').pass(1);
    expect(f.said).toEqual([]);
    f.are(f.names('hk', 30, 60), 'initializing').pass(1);
    expect(f.said).toEqual(['2 RegionDown hk firing']);
  });
});

describe('RegionDown', () => {
  it('fires at once, is one notice, and takes the nodes of its region along', () => {
    const f = new Fleet({ hk: 8, sg: 4 }).are(['sg-1'], 'down').pass(100);
    f.are(f.names('hk', 1, 6), 'down').pass(1);
    expect(f.said).toEqual(['101 RegionDown hk firing']);
    expect(f.value('RegionDown')).toBe('6 of 8 nodes lost');
    f.are(['hk-7'], 'down').pass(120);
    expect(f.pages()).toEqual(['hk', 'sg-1']);
    expect(f.value('RegionDown')).toBe('7 of 8 nodes lost');
    expect(f.frozen()).toBe(false);
  });

  it('one that was down long before stays its own', () => {
    const f = new Fleet({ hk: 10 }).are(['hk-10'], 'down').pass(300);
    f.are(f.names('hk', 1, 6), 'down').pass(90);
    expect(f.pages()).toEqual(['hk', 'hk-10']);
  });

  it('ends a minute after few are left; those that are left then speak for themselves', () => {
    const f = new Fleet({ hk: 8 }).are(['hk-1', 'hk-2', 'hk-3', 'hk-4', 'hk-5', 'hk-6'], 'down').pass(100);
    f.are(f.names('hk', 2, 6), 'ready').pass(60);
    expect(f.said).toEqual(['1 RegionDown hk firing']);
    expect(f.pages()).toEqual(['hk']);
    f.pass(1);
    expect(f.said).toEqual(['1 RegionDown hk firing', '161 RegionDown hk resolved']);
    expect(f.pages()).toEqual(['hk-1']);
    f.are(f.names('hk', 2, 7), 'down').pass(1);
    expect(f.said.at(-1)).toBe('162 RegionDown hk firing');
  });

  it('a region that flaps rings once', () => {
    const f = new Fleet({ hk: 8, sg: 8 });
    for (let i = 0; i < 20; i++) {
      f.are(f.names('hk', 1, 6), 'down').pass(30);
      f.are(f.names('hk', 1, 6), 'ready').pass(30);
    }
    expect(f.said).toEqual(['1 RegionDown hk firing']);
    f.pass(40);
    expect(f.said).toEqual(['1 RegionDown hk firing', '1231 RegionDown hk resolved']);
  });

  it('ends when its nodes are removed, the last one too', () => {
    const f = new Fleet({ hk: 5, sg: 20 });
    f.are(f.names('hk', 1, 5), 'down')
      .pass(10)
      .remove(f.names('hk', 1, 5))
      .pass(62);
    expect(f.said).toEqual(['1 RegionDown hk firing', '71 RegionDown hk resolved']);
  });
});

describe('MasterSuspect', () => {
  const lost = (): Fleet => {
    const f = new Fleet({ hk: 10, sg: 10, us: 10 }).pass(1);
    return f
      .are(f.names('hk', 1, 6), 'down')
      .are(f.names('sg', 1, 6), 'down')
      .pass(1);
  };

  it('pages by itself for three minutes, then what is still down does', () => {
    const f = lost().pass(179);
    expect(f.said).toEqual(['2 RegionDown hk firing', '2 RegionDown sg firing', '2 MasterSuspect firing']);
    expect(f.pages()).toEqual(['MasterSuspect']);
    expect(f.value('MasterSuspect')).toBe('12 of 30 nodes lost, in hk and sg; NodeDown held back');
    f.pass(1);
    expect(f.pages()).toEqual(['MasterSuspect', 'hk', 'sg']);
    expect(f.value('MasterSuspect')).toBe('12 of 30 nodes lost, in hk and sg');
  });

  it('where no region is whole, NodeDown is what was held back', () => {
    const f = new Fleet({ hk: 10, sg: 10 }).pass(1);
    f.are(['hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2', 'sg-3'], 'down').pass(180);
    expect(f.pages()).toEqual(['MasterSuspect']);
    f.pass(1);
    expect(f.pages()).toEqual(['MasterSuspect', 'hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2', 'sg-3']);
  });

  it.each<[string, Dialled | null, boolean, boolean, string]>([
    ['nobody has dialled yet', null, true, false, ''],
    ['none tells an address', { nodes: 0, answer: 0 }, true, false, '; none tells an address to dial'],
    ['none answers', { nodes: 8, answer: 0 }, true, false, '; dialled 8, 0 answer'],
    ['few answer', { nodes: 8, answer: 1 }, true, false, '; dialled 8, 1 answers'],
    [
      'they answer',
      { nodes: 8, answer: 7 },
      true,
      true,
      "; dialled 8, 7 answer: look at this master's network first",
    ],
  ])(
    'freezes while it is fresh, and on as long as the lost nodes carry: %s',
    (_, dialled, fresh, later, words) => {
      const f = lost();
      f.dialled = dialled;
      f.pass(10);
      expect(f.frozen()).toBe(fresh);
      expect(f.value('MasterSuspect')).toBe(`12 of 30 nodes lost, in hk and sg${words}; NodeDown held back`);
      f.pass(400);
      expect(f.frozen()).toBe(later);
    },
  );

  it('ends with the nodes back, and thaws', () => {
    const f = lost().pass(20);
    f.all('ready').pass(61);
    expect(f.said.slice(3)).toEqual([
      '83 RegionDown hk resolved',
      '83 RegionDown sg resolved',
      '83 MasterSuspect resolved',
    ]);
    expect([f.frozen(), f.pages()]).toEqual([false, []]);
  });

  it('a region behind another by seconds makes it the master after all', () => {
    const f = new Fleet({ hk: 10, sg: 10 });
    f.are(f.names('hk', 1, 8), 'down').pass(8);
    expect(f.said).toEqual(['1 RegionDown hk firing']);
    f.are(f.names('sg', 1, 8), 'down').pass(1);
    expect(f.said.slice(1)).toEqual(['9 RegionDown sg firing', '9 MasterSuspect firing']);
    expect(f.pages()).toEqual(['MasterSuspect']);
  });
});

describe('a master that begins anew', () => {
  /** Its memory is gone, its store is not. */
  const restart = (f: Fleet): Fleet => {
    f.calm = new Map();
    f.dialled = null;
    return f.all('unknown');
  };

  it('ends nothing and begins nothing while it knows nobody', () => {
    const f = new Fleet({ hk: 8, sg: 8 });
    f.are(f.names('hk', 1, 6), 'down').pass(10);
    const value = f.value('RegionDown');
    restart(f).pass(39);
    expect(f.said).toEqual(['1 RegionDown hk firing']);
    expect(f.value('RegionDown')).toBe(value);
    // All but those that were lost come back.
    f.all('ready')
      .are(f.names('hk', 1, 6), 'down')
      .pass(100);
    expect(f.said).toEqual(['1 RegionDown hk firing']);
    expect(f.pages()).toEqual(['hk']);
    f.all('ready').pass(61);
    expect(f.said.at(-1)).toBe('210 RegionDown hk resolved');
  });

  it('holds it against the master when many do not find back to it', () => {
    const f = new Fleet({ hk: 10, sg: 10 }).pass(100);
    restart(f).pass(39);
    f.all('ready')
      .are(f.names('hk', 1, 4), 'down')
      .are(f.names('sg', 1, 4), 'down')
      .pass(1);
    expect(f.said).toEqual(['140 MasterSuspect firing']);
  });

  it('those that were down before it began are no new loss', () => {
    const f = new Fleet({ hk: 10, sg: 10 });
    for (const n of ['hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2', 'sg-3']) f.are([n], 'down').pass(120);
    expect(f.said).toEqual([]);
    const down = ['hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2', 'sg-3'];
    restart(f).pass(39);
    f.all('ready').are(down, 'down').pass(100);
    expect(f.said).toEqual([]);
    expect(f.pages()).toEqual(down);
  });

  it('is still in doubt, as long as it would have been', () => {
    const f = new Fleet({ hk: 10, sg: 10 });
    f.are(f.names('hk', 1, 4), 'down')
      .are(f.names('sg', 1, 4), 'down')
      .pass(60);
    restart(f).pass(39);
    expect([f.frozen(), f.pages()]).toEqual([true, ['MasterSuspect']]);
    f.pass(82);
    expect(f.frozen()).toBe(false);
  });
});

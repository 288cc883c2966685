import { describe, expect, it } from 'vitest';
import type { ConfigHash, VersionLabel } from '../../proto/vocab/ids.ts';
import { type Observed, plan, planFailure, planStuck, type Sighting, sighted } from './plan.ts';
import { type Body, type Failure, type Kept, NOTHING_KEPT, type Offer, type Step } from './steps.ts';

const NOW = 1_000_000;
const hash = (letter: string): ConfigHash => letter.repeat(64) as ConfigHash;
const body = (letter: string, revision = 1): Body => ({
  hash: hash(letter),
  version: `v${revision}` as VersionLabel,
  revision,
  text: `text of ${letter}`,
});
const offer = (letter: string, revision: number, more: Partial<Offer> = {}): Offer => ({
  ...body(letter, revision),
  nonce: `n${revision}`,
  storeId: 's1',
  commit: { id: `c${revision}`, rollbackMs: 5000 },
  ...more,
});
const kept = (more: Partial<Kept> = {}): Kept => ({
  ...NOTHING_KEPT,
  storeId: 's1',
  revision: 1,
  effective: body('a'),
  ...more,
});
const failure = (phase: Failure['phase'], more: Partial<Failure> = {}): Failure => ({
  phase,
  refusal: { code: 'x', message: 'because' },
  transient: false,
  logTail: '',
  ...more,
});
const up = (letter: string | null, instance = 'i1'): Observed['engine'] => ({
  state: 'up',
  instance,
  hash: letter === null ? null : hash(letter),
});
const observed = (more: Partial<Observed> = {}): Observed => ({
  engine: up('a'),
  kept: kept(),
  sightings: [{ instance: 'i1', at: 1 }],
  adoptTried: false,
  retryAt: 0,
  ...more,
});
const does = (steps: readonly Step[]): string => steps.map((s) => s.do).join(' ');
const keptBy = (steps: readonly Step[]): Kept => {
  const step = steps.find((s) => s.do === 'keep-lkg' || s.do === 'remember');
  if (step?.do !== 'keep-lkg' && step?.do !== 'remember') throw new Error('keeps nothing');
  return step.kept;
};

const CHANGE = 'report validate prepare switch report confirm keep-lkg ack';
const lost = { state: 'lost' } as const;
const rejected = { hash: hash('b'), failure: failure('prepare'), reverted: true };
const due = { kind: 'waiting', id: 'c1', deadline: NOW } as const;
const crashes: readonly Sighting[] = ['i2', 'i3', 'i4'].map((instance, n) => ({ instance, at: 1000 + n }));

const TABLE: readonly [
  what: string,
  offer: Offer | null,
  observed: Partial<Observed>,
  steps: string,
  why: RegExp,
][] = [
  ['in sync', null, {}, '', /in sync/],
  ['a new config', offer('b', 2), {}, CHANGE, /put into force/],
  ['the first config', offer('b', 2), { engine: up(null), kept: NOTHING_KEPT }, CHANGE, /put into force/],
  ['the config that runs already', offer('a', 2), {}, 'keep-lkg ack', /already/],
  [
    'one that runs but is not what was applied',
    offer('b', 2),
    { engine: up('b') },
    'keep-lkg ack',
    /already/,
  ],
  [
    'one that was refused, asked again by a person',
    offer('b', 3, { retry: 3 }),
    { kept: kept({ rejected: { ...rejected, revision: 2 } }) },
    CHANGE,
    /revision 3/,
  ],
  [
    'the same try told twice',
    offer('b', 4, { retry: 3 }),
    { kept: kept({ revision: 3, rejected: { ...rejected, revision: 3 } }) },
    'nack',
    /refused before/,
  ],
  ['one that was refused', offer('b', 2), { kept: kept({ rejected }) }, 'nack', /refused before/],
  [
    'one that was refused, the engine lost',
    offer('b', 2),
    { kept: kept({ rejected }), engine: lost },
    'nack',
    /refused/,
  ],
  ['a stale one', offer('b', 2), { kept: kept({ revision: 3 }) }, '', /older than 3/],
  [
    'a low revision of another store',
    offer('b', 2, { storeId: 's2' }),
    { kept: kept({ revision: 3 }) },
    CHANGE,
    /force/,
  ],
  ['the same revision with other content', offer('b', 1), {}, CHANGE, /force/],
  ['an offer, the engine lost', offer('b', 2), { engine: lost }, 'find-engine', /lost/],
  ['the engine lost', null, { engine: lost }, 'find-engine', /lost/],
  ['the engine lost and just looked for', null, { engine: lost, retryAt: NOW + 1 }, '', /soon/],
  ['a new engine with nothing', null, { engine: up(null, 'i2') }, 'put-back note', /runs nothing/],
  ['drift', null, { engine: up('c') }, 'put-back note', /drifted/],
  ['drift that could not be put right yet', null, { engine: up('c'), retryAt: NOW + 1 }, '', /soon/],
  ['an offer while the engine has drifted', offer('b', 2), { engine: up('c') }, CHANGE, /force/],
  ['nothing ever', null, { engine: up(null), kept: NOTHING_KEPT }, '', /no document yet/],
  ['a document found by the engine', null, { kept: NOTHING_KEPT }, 'adopt', /found/],
  ['one that could not be adopted', null, { kept: NOTHING_KEPT, adoptTried: true }, '', /not remembered/],
  [
    'a commit still in time',
    null,
    { kept: kept({ previous: body('p'), commit: { ...due, deadline: NOW + 1 } }) },
    '',
    /sync/,
  ],
  [
    'a commit due',
    null,
    { kept: kept({ previous: body('p'), commit: due }) },
    'put-back keep-lkg nack note',
    /confirm/,
  ],
  [
    'a commit due with nothing before it',
    null,
    { kept: kept({ commit: due }) },
    'remember note',
    /nothing to go back/,
  ],
  [
    'a commit due, the engine lost',
    null,
    { kept: kept({ commit: due }), engine: lost },
    'find-engine',
    /lost/,
  ],
  [
    'a crash loop',
    null,
    { kept: kept({ previous: body('p'), switchedAt: 900 }), sightings: crashes, engine: lost },
    'keep-lkg nack note',
    /crashes/,
  ],
  [
    'crashes long after the switch',
    null,
    {
      kept: kept({ previous: body('p'), switchedAt: 900 }),
      sightings: crashes.map((c) => ({ ...c, at: c.at + 61_000 })),
    },
    '',
    /in sync/,
  ],
  [
    'two crashes',
    null,
    { kept: kept({ previous: body('p'), switchedAt: 900 }), sightings: crashes.slice(1) },
    '',
    /sync/,
  ],
  [
    'a crash loop with nothing before',
    null,
    { kept: kept({ switchedAt: 900 }), sightings: crashes },
    '',
    /in sync/,
  ],
];

describe('the plan', () => {
  it.each(TABLE)('%s', (_what, offered, seen, steps, why) => {
    const p = plan(offered, observed(seen), NOW);
    expect(does(p.steps)).toBe(steps);
    expect(p.why).toMatch(why);
  });

  it('of a new config arms the commit and keeps what ran', () => {
    const next = keptBy(plan(offer('b', 2), observed(), NOW).steps);
    expect(next).toEqual({
      storeId: 's1',
      revision: 2,
      effective: body('b', 2),
      previous: body('a'),
      switchedAt: NOW,
      commit: { kind: 'waiting', id: 'c2', deadline: NOW + 5000 },
      rejected: null,
    });
  });

  it('of the config that runs already keeps its new revision, and what ran before it', () => {
    const before = kept({ previous: body('p'), rejected });
    const next = keptBy(plan(offer('a', 7), observed({ kept: before }), NOW).steps);
    expect(next).toMatchObject({ revision: 7, effective: body('a', 7), previous: body('p'), rejected: null });
  });

  it('of a crash loop and of a commit that is due goes back and refuses the bad one from then on', () => {
    const bad = kept({ previous: body('p'), switchedAt: 900, commit: due });
    for (const sightings of [crashes, []]) {
      const p = plan(null, observed({ kept: bad, sightings }), NOW);
      expect(keptBy(p.steps)).toMatchObject({
        effective: body('p'),
        previous: null,
        commit: { kind: 'none' },
      });
      const nack = p.steps.find((s) => s.do === 'nack');
      expect(nack).toMatchObject({ nonce: '', hash: hash('a'), reverted: true });
      const again = plan(offer('a', 1), observed({ kept: keptBy(p.steps), engine: up('p') }), NOW);
      expect(does(again.steps)).toBe('nack');
    }
  });
});

describe('a failed step', () => {
  it.each([
    ['validate', 'remember nack', false],
    ['prepare', 'remember nack', false],
    ['switch', 'put-back remember nack', true],
    ['confirm', 'put-back remember nack', true],
  ] as const)('in %s: %s', (phase, steps, reverted) => {
    const f = failure(phase);
    const after = planFailure(f, offer('b', 2), kept());
    expect(does(after)).toBe(steps);
    expect(after.at(-1)).toEqual({ do: 'nack', nonce: 'n2', hash: hash('b'), failure: f, reverted });
    expect(keptBy(after)).toMatchObject({
      revision: 2,
      effective: body('a'),
      rejected: { hash: hash('b'), reverted },
    });
    if (reverted) expect(after[0]).toEqual({ do: 'put-back', to: body('a') });
  });

  it('with nothing before it puts back whatever ran', () => {
    expect(planFailure(failure('confirm'), offer('b', 2), NOTHING_KEPT)[0]).toEqual({
      do: 'put-back',
      to: null,
    });
  });

  it('that could not be put back says so', () => {
    const after = planStuck(failure('switch'), offer('b', 2), kept());
    expect(does(after)).toBe('remember nack');
    expect(after.at(-1)).toMatchObject({ reverted: false });
  });
});

describe('sightings', () => {
  it('count new processes, in a list that stays short', () => {
    let seen: readonly Sighting[] = [];
    for (let n = 0; n < 40; n++) {
      seen = sighted(seen, `i${n}`, n);
      seen = sighted(seen, `i${n}`, n + 0.5);
    }
    expect(seen).toHaveLength(16);
    expect(seen.at(-1)).toEqual({ instance: 'i39', at: 39 });
  });
});

it('a refusal remembers which offer it was about', () => {
  const next = keptBy(planFailure(failure('prepare'), offer('b', 5), kept()));
  expect(next.rejected).toMatchObject({ hash: hash('b'), revision: 5 });
});

it('what is sealed is kept before the engine is asked for it', () => {
  const content = new Uint8Array([1]);
  const sealed = [{ kind: 'secret', name: 'pw', version: 2, content }] as const;
  const { steps } = plan(offer('b', 2, { sealed }), observed(), NOW);
  expect(does(steps)).toBe(CHANGE.replace('prepare', 'keep-sealed prepare'));
  expect(does(plan(offer('a', 2, { sealed }), observed(), NOW).steps)).toBe('keep-sealed keep-lkg ack');
});

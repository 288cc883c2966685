import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import type { ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { VersionLabel } from '../../proto/vocab/ids.ts';
import { type SealedItem, type SealedRef, sealedFile } from '../../proto/vocab/secret.ts';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import type { Log } from '../core/log.ts';
import { type Kept, NOTHING_KEPT, type Offer } from '../core/steps.ts';
import { createExecutors } from './executors.ts';
import { Keeper } from './keeper.ts';

// The keeper and every executor, against an engine twin and a disk twin.

const AT_ONCE = { linked: 0, started: 0 };
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const text = (name: string, port = 1): string =>
  `services: [{name: ${name}, addr: "127.0.0.1:${port}", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}}]\n`;
const documentOf = (t: string) => {
  const read = readDocument(t);
  if (!read.ok) throw new Error(read.refusals[0]?.message);
  return read.document;
};
const hashOf = (t: string) => configHash(documentOf(t));
const offer = (t: string, revision: number, more: Partial<Offer> = {}): Offer => ({
  hash: hashOf(t),
  version: `v${revision}` as VersionLabel,
  revision,
  text: t,
  nonce: `n${revision}`,
  storeId: 's1',
  commit: null,
  ...more,
});

let engine: EngineTwin;
let disk: { kept: Kept | null; document: string | null; fails: boolean };
let memory: { kept: Kept };
let told: ConfigStatusReport[];
let notes: string[];
let files: Map<string, string>;
let now: number;
let keeper: Keeper;
let looked: number;

beforeEach(() => {
  engine = new EngineTwin();
  disk = { kept: null, document: null, fails: false };
  memory = { kept: NOTHING_KEPT };
  told = [];
  notes = [];
  files = new Map();
  now = 1_000_000;
  looked = 0;
  const spool = {
    async keep(kept: Kept) {
      if (disk.fails) throw new Error('ENOSPC');
      disk.kept = kept;
      disk.document = kept.effective?.text ?? disk.document;
    },
    async remember(kept: Kept) {
      if (disk.fails) throw new Error('ENOSPC');
      disk.kept = kept;
    },
    document: async () => disk.document,
  };
  const sealed = {
    async put(items: readonly SealedItem[]) {
      if (disk.fails) throw new Error('ENOSPC');
      for (const i of items) files.set(sealedFile(i), Buffer.from(i.content).toString());
    },
    async keepOnly(refs: readonly SealedRef[]) {
      const wanted = refs.map(sealedFile);
      for (const name of files.keys()) if (!wanted.includes(name)) files.delete(name);
    },
  };
  const executors = createExecutors({
    engine,
    identity: { certFile: 'c', keyFile: 'k', caFile: 'a' },
    spool,
    sealed,
    memory,
    findEngine: async () => {
      looked += 1;
      return {
        phase: 'prepare',
        refusal: { code: 'engine_lost', message: 'not there' },
        transient: true,
        logTail: '',
      };
    },
    report: (r) => told.push(r),
    note: (kind, t) => notes.push(`${kind}: ${t}`),
    now: () => now,
    sleep: async () => {},
    log: quiet,
  });
  keeper = new Keeper({ engine, executors, memory, spool, sealed, now: () => now, log: quiet });
});
afterEach(() => keeper.stop());

const last = (): ConfigStatusReport => {
  const report = told.filter((r) => r.status !== 'applying').at(-1);
  if (!report) throw new Error('nothing was told');
  return report;
};
/** Time passes, and the keeper looks again. */
const later = async (ms: number): Promise<void> => {
  now += ms;
  await keeper.wake();
};

describe('an offer', () => {
  it('is put into force, kept, and only then acknowledged', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    expect(last()).toMatchObject({ status: 'applied', nonce: 'n1', effectiveHash: hashOf(text('a')) });
    expect(last().engine?.generation).toBe(1);
    expect(disk.document).toBe(text('a'));
    expect(disk.kept).toEqual(memory.kept);
    expect(keeper.trouble).toBeNull();
  });

  it.each<[string, (t: string) => Offer, () => void, string, string]>([
    ['that does not read', (t) => ({ ...offer(t, 2), text: 'services: [' }), () => {}, 'validate', ''],
    ['of another hash', (t) => ({ ...offer(t, 2), text: text('x') }), () => {}, 'validate', 'hash_mismatch'],
    [
      'the engine cannot carry',
      (t) => offer(t, 2),
      () => {
        engine.can = ['listener.tcp'];
      },
      'validate',
      'unsupported',
    ],
    [
      'whose port is taken',
      (t) => offer(t, 2),
      () => {
        engine.problems = [{ code: 'in_use', message: 'taken', path: 'services[0].addr' }];
      },
      'prepare',
      'in_use',
    ],
  ])('%s is refused and nothing is touched', async (_what, make, arrange, phase, code) => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    arrange();
    await keeper.offer(make(text('b')));
    const report = last();
    expect(report).toMatchObject({
      status: 'failed',
      phase,
      reverted: false,
      effectiveHash: hashOf(text('a')),
    });
    if (code) expect(report).toMatchObject({ refusal: { code } });
    expect(engine.generation).toBe(1);
    expect(disk.document).toBe(text('a'));
    expect(disk.kept?.rejected?.hash).toBe(hashOf(text('b')));
    // Refused again without asking the engine.
    engine.calls.length = 0;
    await keeper.offer({ ...make(text('b')), revision: 3, nonce: 'n3' });
    expect(last()).toMatchObject({ status: 'failed', nonce: 'n3', phase });
    expect(engine.calls).not.toContain('validate');
  });

  it('that fails at the switch or after it is taken back', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    engine.before = (call) => {
      if (call === 'apply') {
        engine.before = () => {};
        throw new AppError('invalid', 'no', { refusals: [{ code: 'tls', message: 'bad key' }] });
      }
    };
    await keeper.offer(offer(text('b'), 2));
    expect(last()).toMatchObject({
      phase: 'switch',
      reverted: true,
      refusal: { code: 'tls' },
      effectiveHash: hashOf(text('a')),
    });
    // It never left: nothing was applied again.
    expect(engine.generation).toBe(1);
    engine.deaf.add('c');
    await keeper.offer(offer(text('c'), 3));
    expect(last()).toMatchObject({ phase: 'confirm', reverted: true, effectiveHash: hashOf(text('a')) });
    expect(last()).toMatchObject({ refusal: { code: 'not_accepting' }, logTail: '' });
    expect(engine.document).toEqual(documentOf(text('a')));
    expect(disk.kept).toMatchObject({ effective: { hash: hashOf(text('a')) }, revision: 3 });
  });

  it('the first ever that does not accept leaves the engine with nothing', async () => {
    engine.deaf.add('a');
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    expect(last()).toMatchObject({ status: 'failed', reverted: true });
    expect(engine.document?.services).toEqual([]);
    expect(disk.document).toBeNull();
  });

  it('is tried again where the engine is at fault, and refused when that does not end', async () => {
    await keeper.start(AT_ONCE);
    let refusals = 2;
    engine.before = (call) => {
      if (call === 'validate' && refusals-- > 0) throw new AppError('timeout', 'slow');
    };
    await keeper.offer(offer(text('a'), 1));
    expect(told.filter((r) => r.status !== 'applying')).toEqual([]);
    await later(1000);
    await later(5000);
    expect(last().status).toBe('applied');
    refusals = 1000;
    await keeper.offer(offer(text('b'), 2));
    for (let n = 0; n < 4; n++) await later(10_000);
    expect(last()).toMatchObject({ status: 'failed', phase: 'prepare', refusal: { code: 'timeout' } });
  });

  it('that cannot be kept on the disk is not acknowledged and does not stay in force', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    disk.fails = true;
    await keeper.offer(offer(text('b'), 2));
    expect(last()).toMatchObject({
      status: 'failed',
      phase: 'confirm',
      reverted: true,
      refusal: { code: 'disk' },
    });
    expect(engine.document).toEqual(documentOf(text('a')));
    expect(memory.kept.effective?.hash).toBe(hashOf(text('a')));
  });

  it('newer than one that waits for the engine is the one that counts', async () => {
    engine.up = false;
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    await keeper.offer(offer(text('b'), 2));
    expect(looked).toBeGreaterThan(0);
    engine.restart('i1');
    await keeper.wake();
    expect(told.filter((r) => r.status === 'applied').map((r) => r.nonce)).toEqual(['n2']);
  });

  it('older than what was answered is passed over', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 5));
    const before = told.length;
    await keeper.offer(offer(text('b'), 4));
    expect(told).toHaveLength(before);
    expect(engine.document).toEqual(documentOf(text('a')));
  });
});

describe('without an offer', () => {
  it('drift is put right and noted', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    engine.document = documentOf(text('z'));
    await keeper.wake();
    expect(engine.document).toEqual(documentOf(text('a')));
    expect(notes.join()).toMatch(/^drift: /);
  });

  it('a new engine gets the last-known-good; while it is refused the node is in trouble, not in a loop', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    engine.before = (call) => {
      if (call === 'apply') throw new AppError('invalid', 'port taken');
    };
    engine.restart('i2');
    await keeper.wake();
    expect(keeper.trouble).toMatch(/port taken/);
    expect(engine.calls.filter((c) => c === 'apply').length).toBeLessThan(5);
    engine.before = () => {};
    await later(20_000);
    expect(engine.document).toEqual(documentOf(text('a')));
    expect(keeper.trouble).toBeNull();
    expect(notes[0]).toMatch(/^engine: a new engine process .* cut/);
  });

  it('what the engine found by itself is adopted with its text', async () => {
    disk.document = text('found');
    engine.restart('i1', documentOf(text('found')));
    await keeper.start(AT_ONCE);
    expect(memory.kept.effective).toMatchObject({
      hash: hashOf(text('found')),
      version: null,
      text: text('found'),
    });
    expect(engine.generation).toBe(1);
  });

  it('what it runs without a text here is left alone', async () => {
    engine.restart('i1', documentOf(text('mystery')));
    await keeper.start(AT_ONCE);
    expect(memory.kept.effective).toBeNull();
    expect(engine.generation).toBe(1);
    expect(keeper.effectiveHash).toBe(hashOf(text('mystery')));
  });

  it('an engine that crashes three times after a switch goes back to what ran before', async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    now += 1000;
    await keeper.offer(offer(text('b'), 2));
    for (const n of [2, 3, 4]) {
      now += 1000;
      engine.restart(`i${n}`, documentOf(disk.document ?? ''));
      await keeper.wake();
    }
    expect(last()).toMatchObject({
      status: 'failed',
      nonce: '',
      reverted: true,
      refusal: { code: 'crash_loop' },
    });
    expect(disk.document).toBe(text('a'));
    expect(engine.document).toEqual(documentOf(text('a')));
  });
});

describe('commit confirmed', () => {
  const commit = { id: 'c2', rollbackMs: 5000 };
  beforeEach(async () => {
    await keeper.start(AT_ONCE);
    await keeper.offer(offer(text('a'), 1));
    await keeper.offer(offer(text('b'), 2, { commit }));
  });

  it('stays with the master’s word, however late one looks', async () => {
    await keeper.commitConfirmed('c1');
    await keeper.commitConfirmed('c2');
    await later(60_000);
    expect(engine.document).toEqual(documentOf(text('b')));
    expect(disk.kept?.commit).toEqual({ kind: 'none' });
  });

  it('is taken back without it, or when the master takes it back', async () => {
    await later(4999);
    expect(engine.document).toEqual(documentOf(text('b')));
    await later(1);
    expect(engine.document).toEqual(documentOf(text('a')));
    expect(disk.document).toBe(text('a'));
    expect(last()).toMatchObject({ nonce: '', reverted: true, refusal: { code: 'not_confirmed' } });
    await keeper.offer(offer(text('c'), 3, { commit: { id: 'c3', rollbackMs: 5000 } }));
    await keeper.commitCancelled('c3');
    expect(engine.document).toEqual(documentOf(text('a')));
  });

  it('stays when a new conversation shows that the master is in reach', async () => {
    await keeper.masterReached();
    await later(60_000);
    expect(engine.document).toEqual(documentOf(text('b')));
  });
});

describe('what a document names as sealed', () => {
  const text = (version: number, addr = ':1') =>
    `services: [{name: a, addr: "${addr}", handler: {type: tcp}, listener: {type: tls, tls: {certFile: sealed:cert/web@${version}}}, forwarder: {nodes: [{name: o, addr: "h:9"}]}}]\n`;
  const item = (version: number): SealedItem => ({
    ...{ kind: 'certificate', name: 'web', version },
    content: Buffer.from(`pem ${version}`),
  });
  const sealedOffer = (version: number, revision: number) =>
    offer(text(version), revision, { sealed: [item(version)] });

  beforeEach(async () => {
    engine.can = [...engine.can, 'sealed-files', 'listener.tls'];
    await keeper.start(AT_ONCE);
  });

  it('lies on the disk before the engine is asked, and nowhere in what is kept or told', async () => {
    await keeper.offer(sealedOffer(1, 1));
    expect(last()).toMatchObject({ status: 'applied', effectiveHash: hashOf(text(1)) });
    expect([...files]).toEqual([['cert.web@1', 'pem 1']]);
    expect(JSON.stringify([told, notes, disk, memory])).not.toContain('pem 1');
  });

  it('the one before stays while it may be gone back to, then goes', async () => {
    await keeper.offer(sealedOffer(1, 1));
    await keeper.offer(sealedOffer(2, 2));
    expect([...files.keys()]).toEqual(['cert.web@1', 'cert.web@2']);
    await later(61_000);
    expect([...files.keys()]).toEqual(['cert.web@2']);
    await keeper.offer(
      offer(
        'services: [{name: a, addr: ":1", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "h:9"}]}}]\n',
        3,
      ),
    );
    await later(61_000);
    expect([...files.keys()]).toEqual([]);
  });

  it('a disk that refuses it is a refusal before anything has changed', async () => {
    disk.fails = true;
    await keeper.offer(sealedOffer(1, 1));
    expect(last()).toMatchObject({ status: 'failed', phase: 'prepare', refusal: { code: 'disk' } });
    expect((await engine.info()).documentHash).toBeNull();
  });

  it('an engine of an older release says that it cannot', async () => {
    engine.can = engine.can.filter((c) => c !== 'sealed-files');
    await keeper.offer(sealedOffer(1, 1));
    expect(last()).toMatchObject({ status: 'failed', refusal: { code: 'unsupported' } });
    expect(JSON.stringify(last())).toContain('sealed');
  });
});

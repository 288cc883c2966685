import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandResult } from '../../proto/vocab/command.ts';
import type { CommandId, ConfigHash, VersionLabel } from '../../proto/vocab/ids.ts';
import { createTestCa } from '../../test/harness/test-ca.ts';
import { type Kept, NOTHING_KEPT } from '../core/steps.ts';
import { EventSpool } from './events.ts';
import { IdentitySpool } from './identity.ts';
import { LastKnownGood } from './last-known-good.ts';
import { Ledger } from './ledger.ts';
import { SealedSpool } from './sealed.ts';

let stateDir: string;
let said: string[];
const report = (text: string): void => void said.push(text);

beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'aicdn-spool-'));
  said = [];
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(stateDir, ...parts);
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

const KEPT: Kept = {
  storeId: 's1',
  revision: 7,
  effective: {
    hash: 'a'.repeat(64) as ConfigHash,
    version: 'v7' as VersionLabel,
    revision: 7,
    text: 'services: [] # ü\n',
  },
  previous: { hash: 'b'.repeat(64) as ConfigHash, version: null, revision: 0, text: 'older' },
  switchedAt: 1000,
  commit: { kind: 'waiting', id: 'c1', deadline: 2000 },
  rejected: {
    hash: 'c'.repeat(64) as ConfigHash,
    failure: {
      phase: 'prepare',
      refusal: { code: 'in_use', message: 'port 80 is taken', line: 3, column: 9 },
      transient: false,
      logTail: 'tail',
    },
    reverted: false,
  },
};

describe('last-known-good', () => {
  const open = (): LastKnownGood =>
    new LastKnownGood({ stateDir, configPath: at('etc', 'gost.yml') }, { report });

  it('outlives the process as it was, beside the document as received', async () => {
    await open().keep(KEPT);
    expect(await open().load()).toEqual(KEPT);
    expect(await open().document()).toBe(KEPT.effective?.text);
    expect(await modeOf(at('last-known-good'))).toBe(0o600);
    expect(await modeOf(at('etc'))).toBe(0o700);
    await open().remember(NOTHING_KEPT);
    expect(await open().load()).toEqual(NOTHING_KEPT);
    expect(await open().document()).toBe(KEPT.effective?.text);
  });

  it('of a node that has none is none', async () => {
    expect(await open().load()).toBeNull();
    expect(await open().document()).toBeNull();
    expect(said).toEqual([]);
  });

  it('is the old one while a new one was being written', async () => {
    await open().keep(KEPT);
    await writeFile(at('last-known-good.tmp'), '5d41402a half a reco');
    await writeFile(at('etc', 'gost.yml.tmp'), 'servi');
    expect(await open().load()).toEqual(KEPT);
    await open().keep({ ...KEPT, revision: 8 });
    expect((await open().load())?.revision).toBe(8);
  });

  it('damaged at any length is said and set aside, never half read', async () => {
    await open().keep(KEPT);
    const whole = await readFile(at('last-known-good'));
    for (const length of [0, 1, 63, 64, 65, 66, 200, whole.length - 1]) {
      said = [];
      await writeFile(at('last-known-good'), whole);
      await truncate(at('last-known-good'), length);
      expect(await open().load()).toBeNull();
      expect(said.join()).toMatch(/last-known-good is damaged .*set aside/);
      expect(await readFile(at('last-known-good.damaged'))).toEqual(whole.subarray(0, length));
    }
    const flipped = Buffer.from(whole);
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    await writeFile(at('last-known-good'), flipped);
    expect(await open().load()).toBeNull();
  });

  it('a disk that refuses is told to the caller, and the old one stays', async () => {
    await open().keep(KEPT);
    await mkdir(at('last-known-good.tmp'));
    await expect(open().keep({ ...KEPT, revision: 9 })).rejects.toThrow();
    await rm(at('last-known-good.tmp'), { recursive: true });
    expect((await open().load())?.revision).toBe(7);
  });
});

describe('the ledger', () => {
  const DAY = 86_400_000;
  let now = 10 * DAY;
  const open = async (): Promise<Ledger> => {
    const ledger = new Ledger({ stateDir }, { now: () => now, report });
    await ledger.load();
    return ledger;
  };
  const result = (id: string, state: CommandResult['state']): CommandResult => ({
    commandId: id as CommandId,
    state,
    exitCode: 0,
    outputTail: 'fine',
    before: null,
    after: null,
    unchanged: true,
    tookMs: 3,
    streamsKept: 2,
  });

  it('knows after a restart what was done, and what the master has not heard', async () => {
    const one = await open();
    await one.put(result('c1', 'running'));
    await one.put(result('c1', 'succeeded'));
    await one.put(result('../../c2', 'failed'));
    await one.told('c1' as CommandId);
    const two = await open();
    expect(two.get('c1' as CommandId)?.result).toEqual(result('c1', 'succeeded'));
    expect(two.untold().map((r) => r.commandId)).toEqual(['../../c2']);
    expect(await readdir(at('ledger'))).toHaveLength(2);
    expect(said).toEqual([]);
  });

  it('settles as failed what a killed agent had begun: it is not begun again', async () => {
    await (await open()).put(result('c1', 'running'));
    const again = await open();
    expect(again.untold()).toMatchObject([{ commandId: 'c1', state: 'failed', exitCode: 1 }]);
    expect(again.get('c1' as CommandId)?.result.outputTail).toMatch(/restarted/);
  });

  it('holds so many: the oldest whose result the master has give way, no other', async () => {
    const ledger = new Ledger({ stateDir, most: 3 }, { now: () => now, report });
    await ledger.load();
    for (const id of ['c1', 'c2', 'c3', 'c4']) {
      await ledger.put(result(id, 'running'));
      await ledger.put(result(id, 'succeeded'));
      if (id !== 'c1') await ledger.told(id as CommandId);
    }
    await ledger.put(result('c5', 'running'));
    expect(['c1', 'c2', 'c3', 'c4', 'c5'].map((id) => ledger.get(id as CommandId) !== null)).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
    expect(await readdir(at('ledger'))).toHaveLength(3);
  });

  it('forgets after a week, drops half-written files, sets damaged ones aside', async () => {
    const one = await open();
    await one.put(result('old', 'succeeded'));
    now += 6 * DAY;
    await one.put(result('young', 'succeeded'));
    await one.put(result('hurt', 'succeeded'));
    const names = await readdir(at('ledger'));
    const hurt = (
      await Promise.all(names.map(async (n) => [n, await readFile(at('ledger', n), 'utf8')] as const))
    ).find(([, text]) => text.includes('"hurt"'))?.[0];
    await truncate(at('ledger', hurt ?? ''), 80);
    await writeFile(at('ledger', 'ab.tmp'), 'half');
    now += 2 * DAY;
    const two = await open();
    expect(two.untold().map((r) => r.commandId)).toEqual(['young']);
    expect(said).toHaveLength(1);
    expect((await readdir(at('ledger'))).filter((n) => n.endsWith('.tmp'))).toEqual([]);
    expect((await readdir(at('ledger'))).filter((n) => n.endsWith('.damaged'))).toHaveLength(1);
  });
});

describe('events', () => {
  const open = async (): Promise<EventSpool> => {
    const events = new EventSpool({ stateDir }, { report });
    await events.load();
    return events;
  };
  const event = (n: number) => ({ at: n, kind: 'drift', text: `number ${n}` });

  it('wait on the disk until they were told, the newest 256', async () => {
    const one = await open();
    for (let n = 0; n < 260; n++) void one.add(event(n));
    await one.add(event(260));
    const two = await open();
    expect(two.all()).toHaveLength(256);
    expect(two.all().at(-1)).toEqual(event(260));
    await two.drop(two.all().slice(0, 250));
    expect((await open()).all().map((e) => e.at)).toEqual([255, 256, 257, 258, 259, 260]);
  });

  it('of a damaged spool are none, and it is said', async () => {
    await (await open()).add(event(1));
    await writeFile(at('events'), 'nonsense');
    expect((await open()).all()).toEqual([]);
    expect(said.join()).toMatch(/events is damaged/);
  });
});

describe('the identity', () => {
  const open = (): IdentitySpool => new IdentitySpool({ stateDir }, { report });

  it('is key, certificate and CA; a renewal replaces all three at once and leaves nothing of the old', async () => {
    const ca = await createTestCa();
    const [one, two] = await Promise.all([ca.issueNode('hk-1'), ca.issueNode('hk-1')]);
    expect(await open().load()).toBeNull();
    const first = await open().store({ keyPem: one.key, certificatePem: one.cert, caPem: ca.ca });
    expect(first.node).toBe('hk-1');
    const { files } = open();
    expect(await readFile(files.keyFile, 'utf8')).toBe(one.key);
    await open().store({ keyPem: two.key, certificatePem: two.cert, caPem: ca.ca });
    expect(await readFile(files.keyFile, 'utf8')).toBe(two.key);
    expect(await open().load()).toMatchObject({ node: 'hk-1', certificatePem: two.cert });
    for (const file of Object.values(files)) expect(await modeOf(file)).toBe(0o600);
    expect(await modeOf(at('identity'))).toBe(0o700);
    expect(await readdir(at('identity'))).toHaveLength(2);
  });

  it('that does not fit together is not stored, and what was stays', async () => {
    const [ca, other] = await Promise.all([createTestCa(), createTestCa()]);
    const [one, two] = await Promise.all([ca.issueNode('hk-1'), ca.issueNode('hk-1')]);
    const nobody = await ca.issue('x', { dns: 'hk-1' });
    await open().store({ keyPem: one.key, certificatePem: one.cert, caPem: ca.ca });
    for (const [bad, why] of [
      [{ keyPem: one.key, certificatePem: two.cert, caPem: ca.ca }, /key is of another/],
      [{ keyPem: two.key, certificatePem: two.cert, caPem: other.ca }, /another CA/],
      [{ keyPem: nobody.key, certificatePem: nobody.cert, caPem: ca.ca }, /names no node/],
    ] as const) {
      await expect(open().store(bad)).rejects.toThrow(why);
    }
    expect(await open().load()).toMatchObject({ certificatePem: one.cert });
  });

  it('damaged is set aside and said; a crash between files and link leaves the old one', async () => {
    const ca = await createTestCa();
    const one = await ca.issueNode('hk-1');
    await open().store({ keyPem: one.key, certificatePem: one.cert, caPem: ca.ca });
    await mkdir(at('identity', '0123456789abcdef'));
    await writeFile(at('identity', '0123456789abcdef', 'key.pem'), 'half');
    expect(await open().load()).toMatchObject({ node: 'hk-1' });
    await truncate(open().files.certFile, 100);
    expect(await open().load()).toBeNull();
    expect(said.join()).toMatch(/damaged/);
    expect(await readdir(at('identity'))).toContain('current.damaged');
    // And the node can join again.
    await open().store({ keyPem: one.key, certificatePem: one.cert, caPem: ca.ca });
    expect(await open().load()).toMatchObject({ node: 'hk-1' });
  });
});

describe('what is sealed', () => {
  const item = (name: string, version: number, content = `${name} ${version}`) => ({
    ...{ kind: 'secret' as const, name, version },
    content: Buffer.from(content),
  });

  it('lies in files of its own that nobody else reads, and goes when it is not named any more', async () => {
    const spool = new SealedSpool({ stateDir });
    await spool.keepOnly([]);
    await spool.put([item('pw', 1), item('pw', 2)]);
    expect((await readdir(spool.dir)).toSorted()).toEqual(['secret.pw@1', 'secret.pw@2']);
    expect(await readFile(path.join(spool.dir, 'secret.pw@2'), 'utf8')).toBe('pw 2');
    expect([await modeOf(spool.dir), await modeOf(path.join(spool.dir, 'secret.pw@2'))]).toEqual([
      0o700, 0o600,
    ]);
    await writeFile(path.join(spool.dir, 'secret.pw@3.tmp'), 'torn');
    await spool.keepOnly([item('pw', 2)]);
    expect(await readdir(spool.dir)).toEqual(['secret.pw@2']);
    await spool.put([item('pw', 2, 'damaged once')]);
    expect(await readFile(path.join(spool.dir, 'secret.pw@2'), 'utf8')).toBe('damaged once');
    await spool.keepOnly([]);
    expect(await readdir(spool.dir)).toEqual([]);
  });
});

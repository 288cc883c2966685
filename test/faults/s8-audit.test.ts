import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from '../../agent/session/join.ts';
import { lineOf, readRecord, seal } from '../../daemon/service/audit-chain.ts';
import { ConsoleServiceService } from '../../proto/gen/aicdn/v1/console.ts';
import type { AuditRecord } from '../../proto/vocab/audit.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { end } from '../../scripts/demo/process.ts';
import { edgeDocument } from '../harness/memory-master.ts';
import { RawGrpc } from '../harness/raw-grpc.ts';
import { testCertificate } from '../harness/rest-fixtures.ts';
import { type RestFleet, startRestFleet } from '../harness/rest-fleet.ts';
import { run } from '../harness/run.ts';

// S8: every call that changes something, over REST and gRPC, is on the record, done or refused; and a record that is
// changed, taken out, moved or cut off afterwards is found by the real program, with its seq. AICDN_FAULTS_LONG=1:
// every line of the log is tampered with in turn.

const LONG = process.env['AICDN_FAULTS_LONG'] === '1';
const M = { reason: 'test' };
const FROM = '127.0.0.7';

let rest: RestFleet;
let grpc: RawGrpc;
let viewer: string;
beforeAll(async () => {
  rest = await startRestFleet();
  const { api } = rest.fleet;
  const { token } = await api.createToken(M, {
    ...{ nodeType: 'edge', region: 'hk', name: null, ttlMs: null, replace: false },
  });
  await join({
    ...{ addresses: [rest.fleet.masterReady.grpc], token, name: 'hk-1' as NodeName },
    ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
  });
  const key = await api.createApiKey(M, { name: 'looks', role: 'viewer', scopes: null, ttlMs: null });
  viewer = key.secret;
  grpc = await RawGrpc.connect({ address: rest.fleet.masterReady.grpc, from: FROM });
});
afterAll(async () => {
  grpc?.close();
  await rest?.fleet.stop();
});

interface Asked {
  readonly status: number;
  readonly text: string;
  readonly body: Record<string, unknown>;
}
let asked = 0;
/** @returns the answer, and the id by which the record is found */
async function ask(
  method: string,
  to: string,
  body: unknown = {},
  token = rest.token,
): Promise<Asked & { id: string }> {
  asked += 1;
  const id = `s8-rest-${asked}`;
  const r = await fetch(`${rest.base}/api/v1${to}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': id,
      'x-reason': 'because',
    },
    body: JSON.stringify(body),
  });
  const text = await r.text();
  return { id, status: r.status, text, body: text === '' ? {} : (JSON.parse(text) as Asked['body']) };
}

/** The whole log, by what a call was known by. */
async function records(): Promise<ReadonlyMap<string, AuditRecord>> {
  const found = new Map<string, AuditRecord>();
  for (let before: number | null = null; ; ) {
    const page: Awaited<ReturnType<typeof rest.fleet.api.listAudit>> = await rest.fleet.api.listAudit({
      limit: 1000,
      before,
    });
    for (const r of page.records) found.set(r.requestId === '' ? `seq ${r.seq}` : r.requestId, r);
    before = page.next;
    if (before === null) return found;
  }
}

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly may: readonly string[];
}
/** What REST documents as a change: it can be repeated under a key. */
async function mutating(): Promise<readonly Operation[]> {
  const { paths } = (await (await fetch(`${rest.base}/openapi.json`)).json()) as {
    paths: Record<
      string,
      Record<string, { operationId: string; 'x-may': string[]; parameters?: { name: string }[] }>
    >;
  };
  return Object.entries(paths).flatMap(([where, methods]) =>
    Object.entries(methods)
      .filter(([, o]) => o.parameters?.some((p) => p.name === 'idempotency-key'))
      .map(([method, o]) => ({
        id: o.operationId,
        method: method.toUpperCase(),
        path: where.replace(/^\/api\/v1/, ''),
        may: o['x-may'],
      })),
  );
}

interface Rpc {
  readonly path: string;
  requestSerialize(value: unknown): Buffer;
  requestDeserialize(bytes: Buffer): { requestId?: string };
  responseDeserialize(bytes: Buffer): Record<string, unknown>;
}
const RPCS = Object.entries(ConsoleServiceService) as unknown as [string, Rpc][];
const CHANGES = RPCS.filter(([, r]) => r.requestDeserialize(Buffer.alloc(0)).requestId !== undefined);

const ok = async (p: ReturnType<typeof ask>) => {
  const r = await p;
  expect(r.status, r.text).toBeLessThan(300);
  return r;
};
const command = async (): Promise<string> => {
  const r = await ok(ask('POST', '/nodes/hk-1/reload'));
  return `${r.body['task_id']}`;
};
const silence = async (): Promise<string> => {
  const body = { matchers: [{ name: 'node', value: 'hk-9' }], duration_ms: 3_600_000, comment: 'quiet' };
  return `${(await ok(ask('POST', '/silences', body))).body['id']}`;
};
const version = (label: string, port: number) =>
  ask('POST', '/configs', { version: label, config: edgeDocument(port) });
const user = (name: string) =>
  ask('POST', '/users', { name, role: 'viewer', password: 'a long enough password' });
const tokenId = async (): Promise<string> => {
  await ok(ask('POST', '/tokens', { node_type: 'edge', region: 'hk' }));
  const tokens = await rest.fleet.api.listTokens();
  return tokens.find((t) => t.usedAt === null && t.revokedAt === null)?.id ?? '';
};
const verb = (word: string) => () => ask('POST', `/nodes/hk-1/${word}`);
/** A rollout that waits for hk-1, which is not here. */
const rollout = async (): Promise<string> => {
  await ok(ask('PUT', '/nodes/hk-1/eligibility', { eligibility: 'eligible' }));
  const r = await ok(ask('POST', '/configs/v1/publish', { target: { nodes: ['hk-1'] } }));
  return `/rollouts/${(r.body['rollout'] as { id: string }).id}`;
};
const onRollout = (word: string) => async () => ask('POST', `${await rollout()}/${word}`);

/** Each change of REST, as one that is done; some have nothing here to be done on, and are refused. */
const REST: Readonly<Record<string, () => ReturnType<typeof ask>>> = {
  postAuthPassword: async () => {
    const password = 'a long enough password';
    await ok(user('changes'));
    const login = await ask('POST', '/auth/login', { name: 'changes', password });
    const body = { old_password: password, new_password: 'another long password' };
    return ask('POST', '/auth/password', body, `${login.body['access_token']}`);
  },
  putNodesById: () => ask('PUT', '/nodes/hk-1', { labels: { a: 'b' } }),
  putNodesByIdTags: () => ask('PUT', '/nodes/hk-1/tags', { tags: { a: 'c' } }),
  patchNodesByIdTags: () => ask('PATCH', '/nodes/hk-1/tags', { tags: { d: 'e' } }),
  putNodesByIdEligibility: () => ask('PUT', '/nodes/hk-1/eligibility', { eligibility: 'ineligible' }),
  postNodesByIdRestart: verb('restart'),
  postNodesByIdReload: verb('reload'),
  postNodesByIdStart: verb('start'),
  postNodesByIdStop: verb('stop'),
  postNodesByIdDrain: verb('drain'),
  postNodesByIdUndrain: verb('undrain'),
  postConfigs: () => version('v1', 8401),
  postConfigsByVersionPublish: () => ask('POST', '/configs/v1/publish', { target: { nodes: ['hk-1'] } }),
  postConfigsByVersionRollback: () => ask('POST', '/configs/v1/rollback'),
  postRolloutsByIdPause: onRollout('pause'),
  postRolloutsByIdResume: async () => {
    const paused = await rollout();
    await ok(ask('POST', `${paused}/pause`));
    return ask('POST', `${paused}/resume`);
  },
  postRolloutsByIdPromote: onRollout('promote'),
  postRolloutsByIdPromoteFull: onRollout('promote-full'),
  postRolloutsByIdAbort: onRollout('abort'),
  postRolloutsByIdRetry: onRollout('retry'),
  postRolloutsByIdUndo: onRollout('undo'),
  postRolloutsRevertLast: async () => {
    await rollout();
    return ask('POST', '/rollouts/revert-last');
  },
  postCommands: () =>
    ask('POST', '/commands', { command: 'reload', target_type: 'region', target_ids: ['hk'] }),
  postCommandsByTaskIdCancel: async () => ask('POST', `/commands/${await command()}/cancel`),
  postAlertsByIdSilence: () => ask('POST', `/alerts/${'ab'.repeat(8)}/silence`),
  postSilences: () =>
    ask('POST', '/silences', {
      ...{ matchers: [{ name: 'node', value: 'hk-8' }], duration_ms: 60_000, comment: 'quiet' },
    }),
  deleteSilencesById: async () => ask('DELETE', `/silences/${await silence()}`),
  postTokens: () => ask('POST', '/tokens', { node_type: 'edge', region: 'hk' }),
  deleteTokensById: async () => ask('DELETE', `/tokens/${await tokenId()}`),
  patchRegionsByRegionVariables: () => ask('PATCH', '/regions/hk/variables', { variables: { a: 'b' } }),
  putSecretsByName: () => ask('PUT', '/secrets/one', { value: 'hush-hush' }),
  deleteSecretsByName: () => ask('DELETE', '/secrets/one'),
  putCertificatesByName: async () => ask('PUT', '/certificates/web', await testCertificate('web.test')),
  deleteCertificatesByName: () => ask('DELETE', '/certificates/web'),
  postUsers: () => user('ann'),
  patchUsersByName: () => ask('PATCH', '/users/ann', { disabled: true }),
  deleteUsersByName: () => ask('DELETE', '/users/ann'),
  postApiKeys: () => ask('POST', '/api-keys', { name: 'ci', role: 'viewer' }),
  deleteApiKeysById: async () => {
    const made = await ok(ask('POST', '/api-keys', { name: 'ci-2', role: 'viewer' }));
    const { id } = (made.body['api_key'] ?? made.body['key'] ?? made.body) as { id: string };
    return ask('DELETE', `/api-keys/${id}`);
  },
  deleteNodesById: () => ask('DELETE', '/nodes/hk-1?keep'),
};
const NOTHING_TO_DO_IT_ON = [
  'postConfigsByVersionRollback',
  'postRolloutsByIdPromote',
  'postRolloutsByIdRetry',
  'postAlertsByIdSilence',
];

/** Something that each call can read; much of it is of things that are not there. */
const SENSIBLE = {
  ...{ label: 'nothing-here', name: 'nothing-here', id: 'ab'.repeat(8), region: 'hk', nodeType: 'edge' },
  ...{
    type: 'reload',
    verb: 'abort',
    role: 'viewer',
    password: 'a long enough password',
    value: 'hush-hush',
    comment: 'why',
  },
  ...{ oldPassword: 'not the old password', newPassword: 'a long enough password', set: { a: 'b' } },
  labels: { a: { value: 'b' } },
  body: Buffer.from(edgeDocument(8402)),
  target: { nodes: ['hk-1'], labels: {}, nodeType: '', regions: [] },
  matchers: [{ name: 'node', value: 'hk-7', isRegex: false, isEqual: true }],
  endsAt: { seconds: 4_000_000_000n, nanos: 0 },
  ...{ certPem: 'no certificate', keyPem: 'no key' },
};

/** One call of the service as it is generated, with only the fields that are given. */
async function call(rpc: Rpc, id: string, token: string, fields: Record<string, unknown> = {}) {
  const request = {
    ...rpc.requestDeserialize(Buffer.alloc(0)),
    ...{ requestId: id, reason: 'because' },
    ...fields,
  };
  if (!grpc.alive) grpc = await RawGrpc.connect({ address: rest.fleet.masterReady.grpc, from: FROM });
  return grpc.call(rpc.path, rpc.requestSerialize(request), { token });
}

describe('every change is on the record', () => {
  it('of REST, refused to who may not', async () => {
    const operations = (await mutating()).filter((o) => o.id !== 'postAuthPassword');
    expect(operations.length).toBeGreaterThan(25);
    const ids = new Map<string, Operation>();
    for (const o of operations) {
      const r = await ask(o.method, o.path.replace(/\{\w+\}/g, 'hk-1'), {}, viewer);
      expect([o.id, r.status]).toEqual([o.id, 403]);
      // Denied before it is read: it is known by the id of the answer.
      ids.set(`${r.body['request_id']}`, o);
    }
    const told = await records();
    for (const [id, o] of ids) {
      const r = told.get(id);
      expect(r, `${o.id} is not on the record`).toBeDefined();
      expect(r).toMatchObject({
        actor: 'key:looks',
        role: 'viewer',
        source: '127.0.0.1',
        outcome: 'forbidden',
      });
      expect(o.may).toContain(r?.action);
    }
  });

  it('of gRPC, refused to who may not', async () => {
    expect(CHANGES.length).toBeGreaterThan(18);
    for (const [name, rpc] of CHANGES) {
      const a = await call(rpc, `s8-grpc-${name}`, viewer, SENSIBLE);
      expect([name, a.code === status.OK]).toEqual([name, false]);
    }
    const told = await records();
    for (const [name] of CHANGES) {
      const r = told.get(`s8-grpc-${name}`);
      expect(r, `${name} is not on the record`).toBeDefined();
      expect(r).toMatchObject({ actor: 'key:looks', role: 'viewer', source: FROM });
      expect(r?.outcome, name).not.toBe('ok');
    }
  });

  it('of REST, done', async () => {
    const operations = await mutating();
    expect(Object.keys(REST).sort()).toEqual(operations.map((o) => o.id).sort());
    const done = new Map<string, string>();
    for (const [name, change] of Object.entries(REST)) {
      const r = await change();
      expect([name, r.status < 300, r.text]).toEqual([name, !NOTHING_TO_DO_IT_ON.includes(name), r.text]);
      done.set(name, r.id);
    }
    const told = await records();
    for (const [name, id] of done) {
      const r = told.get(id);
      expect(r, `${name} is not on the record`).toBeDefined();
      expect(r).toMatchObject({ source: '127.0.0.1', reason: 'because' });
      expect(r?.actor).toBe(name === 'postAuthPassword' ? 'changes' : 'root-admin');
      if (NOTHING_TO_DO_IT_ON.includes(name)) expect(r?.outcome, name).not.toBe('ok');
      else
        expect([name, r?.outcome, r?.subject !== '', (r?.revision ?? 0) > 0]).toEqual([
          name,
          'ok',
          true,
          true,
        ]);
    }
  });

  it('of gRPC, done or refused for what it says', async () => {
    const answers = new Map<string, { code: number; message: string }>();
    for (const [name, rpc] of CHANGES) {
      answers.set(name, await call(rpc, `s8-admin-${name}`, rest.token, SENSIBLE));
    }
    const told = await records();
    const wrong: string[] = [];
    for (const [name, { code, message }] of answers) {
      const r = told.get(`s8-admin-${name}`);
      if (!r) wrong.push(`${name}: ${code} ${message}, not on the record`);
      else if ((r.outcome === 'ok') !== (code === status.OK))
        wrong.push(`${name}: ${code}, told as ${r.outcome}`);
      else if (r.actor !== 'root-admin' || r.source !== FROM || (r.outcome === 'ok' && r.subject === '')) {
        wrong.push(`${name}: ${r.actor} ${r.source} ${r.subject}`);
      }
    }
    expect(wrong).toEqual([]);
    const done = [...answers].filter(([, a]) => a.code === status.OK).map(([name]) => name);
    console.log(`S8: done over gRPC ${done.join(', ')}; the others refused`);
    expect(done.length).toBeGreaterThan(4);
  });

  it('logging in, failing to, and out', async () => {
    const login = { name: 'root-admin', password: 'a long enough password' };
    const before = Math.max(...[...(await records()).values()].map((r) => r.seq));
    await ask('POST', '/auth/login', { ...login, password: 'not it at all' });
    const r = await ok(ask('POST', '/auth/login', login));
    await ok(ask('POST', '/auth/logout', undefined, `${r.body['access_token']}`));
    const told = [...(await records()).values()].filter((x) => x.seq > before).sort((a, b) => a.seq - b.seq);
    expect(told.map((x) => [x.action, x.actor, x.source, x.outcome])).toEqual([
      ['login', 'root-admin', '127.0.0.1', 'unauthenticated'],
      ['login', 'root-admin', '127.0.0.1', 'ok'],
      ['logout', 'root-admin', '127.0.0.1', 'ok'],
    ]);
  });
});

describe('the log, tampered with', () => {
  const state = (): string => path.join(rest.fleet.dir, 'master');
  const audit = (dir: string): string => {
    const [first = '', ...more] = readdirSync(path.join(dir, 'audit')).sort();
    expect(more).toEqual([]);
    return path.join(dir, 'audit', first);
  };
  const verify = (dir: string) =>
    run('master', [
      'audit',
      'verify',
      ...['--config', '/dev/null', '--set', `state_dir=${dir}`],
      ...['--set', `database.uri=file://${path.join(dir, 'db')}`],
    ]);
  const edited = (line: string, change: Partial<AuditRecord>): string => {
    const r = readRecord(line);
    if (!r) throw new Error(`no record: ${line}`);
    return JSON.stringify({ ...r, ...change });
  };
  /** As somebody would who knows how it is made: with a hash that holds. */
  const forged = (line: string, change: Partial<AuditRecord>, prev?: string): string => {
    const { hash: _, ...r } = readRecord(line) as AuditRecord;
    const next = { ...r, ...change };
    return lineOf(seal(next, { seq: next.seq - 1, hash: prev ?? next.prev })).trimEnd();
  };
  type Tamper = readonly [what: string, (lines: string[], k: number) => string[], (k: number) => RegExp];
  /** `k`: the index of a line, its seq is one more. */
  const ON_A_LINE: readonly Tamper[] = [
    [
      'another actor',
      (l, k) => l.with(k, edited(l[k] as string, { actor: 'mallory' })),
      (k) => new RegExp(`\\bseq ${k + 1} was changed`),
    ],
    [
      'another outcome, with a hash that holds',
      (l, k) => l.with(k, forged(l[k] as string, { outcome: 'internal' })),
      (k) => new RegExp(`\\bseq ${k + 2} does not follow`),
    ],
    ['taken out', (l, k) => l.toSpliced(k, 1), (k) => new RegExp(`\\bseq ${k + 1} is missing`)],
    [
      'swapped with the next',
      (l, k) => l.with(k, l[k + 1] as string).with(k + 1, l[k] as string),
      (k) => new RegExp(`\\bseq ${k + 1} is missing: ${k + 2} follows`),
    ],
    [
      'no JSON any more',
      (l, k) => l.with(k, (l[k] as string).slice(0, -9)),
      (k) => new RegExp(`after seq ${k}: a line is no record`),
    ],
    [
      'twice',
      (l, k) => l.toSpliced(k, 0, l[k] as string),
      (k) => new RegExp(`\\bseq ${k + 1} stands behind ${k + 1}`),
    ],
  ];

  it('is found by audit verify with the seq, and the untouched log is whole', {
    timeout: LONG ? 1_800_000 : 300_000,
  }, async () => {
    grpc.close();
    await end(rest.fleet.master.pid, 10_000);
    const whole = readFileSync(audit(state()), 'utf8').trimEnd().split('\n');
    const count = whole.length;
    const { text, code } = await verified((l) => l);
    expect([code, text]).toEqual([0, expect.stringMatching(new RegExp(`is whole: ${count} records`))]);

    const missed: string[] = [];
    let tampers = 0;
    const tampered = async (what: string, to: (l: string[]) => string[], say: RegExp): Promise<void> => {
      tampers += 1;
      const v = await verified(to);
      if (v.code !== 1 || !say.test(v.text)) missed.push(`${what}: exit ${v.code}, ${v.text}`);
    };
    // The last one has no next: it is done by itself below.
    const chosen = LONG ? Array.from({ length: count - 1 }, (_, k) => k) : [0, Math.floor(count / 2)];
    for (const k of chosen) {
      for (const [what, to, say] of ON_A_LINE) {
        await tampered(`seq ${k + 1} ${what}`, (l) => to(l, k), say(k));
      }
    }
    const last = count - 1;
    await tampered(
      'the last edited',
      (l) => l.with(last, edited(l[last] as string, { at: 1 })),
      new RegExp(`\\bseq ${count} was changed`),
    );
    await tampered(
      'the last forged',
      (l) => l.with(last, forged(l[last] as string, { at: 1 })),
      new RegExp(`\\bseq ${count} is not the one that the store knows`),
    );
    await tampered(
      'the last cut',
      (l) => l.slice(0, -1),
      new RegExp(`\\bseq ${count} is missing: the log ends at ${last}`),
    );
    await tampered(
      'the last five cut',
      (l) => l.slice(0, -5),
      new RegExp(`\\bseq ${count - 4} to ${count} are missing`),
    );
    await tampered('all cut', () => [], new RegExp(`\\bseq 1 to ${count} are missing`));
    await tampered(
      'written anew from the third on',
      anew,
      new RegExp(`\\bseq ${count} is not the one that the store knows`),
    );
    console.log(`S8: ${count} records, ${tampers} ways to tamper with them, ${missed.length} not found`);
    expect(missed).toEqual([]);
    // The log itself was never touched.
    expect((await verify(state())).code).toBe(0);

    function anew(lines: string[]): string[] {
      const out = lines.slice(0, 2);
      for (const line of lines.slice(2)) {
        const prev = (readRecord(out.at(-1) as string) as AuditRecord).hash;
        out.push(forged(line, out.length === 2 ? { actor: 'nobody' } : {}, prev));
      }
      return out;
    }
    /** On a copy. */
    async function verified(to: (l: string[]) => string[]): Promise<{ code: number; text: string }> {
      const copy = path.join(rest.fleet.dir, 'tampered');
      cpSync(state(), copy, { recursive: true });
      try {
        const lines = to([...whole]);
        writeFileSync(audit(copy), lines.map((l) => `${l}\n`).join(''));
        const r = await verify(copy);
        return { code: r.code, text: `${r.stdout} ${r.stderr}` };
      } finally {
        rmSync(copy, { recursive: true });
      }
    }
  });
});

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { type Ran, run } from '../harness/run.ts';

// What a person sees who brings the wrong token: the real agent against the real master.

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ nodes: [] });
});
afterAll(() => fleet?.stop());

const token = async (ttlMs: number | null = null): Promise<string> => {
  const args = { nodeType: 'edge', region: 'hk', name: null, ttlMs, replace: false } as const;
  return (await fleet.api.createToken({ reason: 'test' }, args)).token;
};

function join(name: string, token: string, more: readonly string[] = []): Promise<Ran> {
  const dir = path.join(fleet.dir, name);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const at = ['--master', `127.0.0.1:${fleet.ports.grpc}`, '--token', token, '--name', name];
  const where = ['--set', `state_dir=${path.join(dir, 'state')}`];
  return run('agent', ['join', ...at, '--type', 'edge', '--region', 'hk', ...where, ...more]);
}

describe('joining', () => {
  it('works once: the same token is refused the second time, and says so', async () => {
    const t = await token();
    const first = await join('hk-first', t);
    expect(first.stderr + first.stdout).toContain('hk-first');
    expect(first.code).toBe(0);
    const second = await join('hk-second', t);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/used/);
    const { nodes } = await fleet.api.listNodes();
    expect(nodes.map((n) => n.name)).toEqual(['hk-first']);
  });

  it('a secret that is wrong is refused, and says so', async () => {
    const t = await token();
    const r = await join('hk-wrong', `${t.slice(0, -4)}${t.endsWith('aaaa') ? 'bbbb' : 'aaaa'}`);
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(/token/);
    expect(r.stderr).toMatch(/wrong|not known|does not match/);
  });

  it('a token past its time is refused, and says so', async () => {
    const t = await token(1000);
    await sleep(1200);
    const r = await join('hk-late', t);
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(/expired/);
  });

  it('another CA than the token’s is refused before anything secret is sent', async () => {
    const t = await token();
    const [prefix, pin = '', ...rest] = t.split('.');
    const other = (pin[0] === '0' ? '1' : '0') + pin.slice(1);
    const r = await join('hk-pin', [prefix, other, ...rest].join('.'));
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(/CA/);
    // Not sent: the token still works for the one who has the right pin.
    expect((await join('hk-pin', t)).code).toBe(0);
  });

  it('a token for an edge in hk makes no core', async () => {
    const r = await join('cn-9', await token(), ['--type', 'core', '--region', 'cn']);
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(/edge|hk/);
  });

  it('what is no token, and a master that is not there, are said plainly', async () => {
    const bad = await join('hk-bad', 'your-node-token');
    expect(bad.code).not.toBe(0);
    expect(bad.stderr).toMatch(/token/);
    const t = await token();
    const gone = await run('agent', [
      'join',
      '--master',
      '127.0.0.1:1',
      '--token',
      t,
      '--name',
      'hk-gone',
      '--type',
      'edge',
      '--region',
      'hk',
      '--set',
      `state_dir=${path.join(fleet.dir, 'hk-gone')}`,
    ]);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toMatch(/127\.0\.0\.1:1/);
  });

  it('a refused host keeps no identity', () => {
    for (const name of ['hk-second', 'hk-wrong', 'hk-late']) {
      const state = path.join(fleet.dir, name, 'state');
      const files = existsSync(state) ? readdirSync(state, { recursive: true }).map(String) : [];
      expect(files.filter((f) => /\.(pem|crt|cert)$/.test(f) && /cert|chain/.test(f))).toEqual([]);
    }
  });
});

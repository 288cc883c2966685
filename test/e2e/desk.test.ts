import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program, until } from '../../scripts/demo/process.ts';
import { type Ran, run } from '../harness/run.ts';
import { Running } from '../harness/running.ts';

// aicdnctl as people and machines have it away from the master's host: contexts, logins, keys, backups. One master for
// the file; each test goes on where the one before left off.

const PASSWORD = 'correct horse battery staple';
const PASSPHRASE = 'what nobody guesses in a year';
const SECRET = 'sk-live-0123456789abcdef';

let dir: string;
let home: string;
let master: Running;
let ready: { readonly grpc: string; readonly socket: string; readonly ca: string };
let code: string;

async function begin(state: string, more: readonly string[] = []): Promise<Running> {
  const file = path.join(dir, `${path.basename(state)}.ready`);
  rmSync(file, { force: true });
  const running = new Running(process.execPath, [
    program('master'),
    'run',
    ...['--set', `state_dir=${state}`, '--set', `socket=${path.join(dir, 'm.sock')}`],
    ...['--set', 'http.addr=127.0.0.1:0', '--ready-file', file, ...more],
  ]);
  await until('the master', 20_000, () => (readdirSync(dir).includes(path.basename(file)) ? true : null));
  ready = JSON.parse(readFileSync(file, 'utf8'));
  return running;
}

const ctl = (
  args: readonly string[],
  more: { input?: string; env?: Record<string, string> } = {},
): Promise<Ran> =>
  run('ctl', args, { ...more, env: { HOME: home, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '', ...more.env } });

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'ai-cdn-desk-'));
  home = path.join(dir, 'home');
  mkdirSync(home);
  master = await begin(path.join(dir, 'state'), ['--set', 'grpc.addr=127.0.0.1:0']);
  code = await master.wrote(/"code":"([^"]+)"/);
});
afterAll(async () => {
  await master?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('over TCP', () => {
  it('a context is added, used, and refused where it is wrong, with file, line and field', async () => {
    const pin = createHash('sha256')
      .update(new X509Certificate(readFileSync(ready.ca)).raw)
      .digest('hex');
    expect((await ctl(['context', 'add', 'lab', ready.grpc, '--pin', pin, '--user', 'lin'])).code).toBe(0);
    expect((await ctl(['context', 'add', 'off', ready.grpc, '--pin', 'ab'.repeat(32)])).code).toBe(0);
    expect((await ctl(['context', 'use', 'lab'])).stdout).toBe('lab from now on');
    expect((await ctl(['context', 'list', '-o', 'name'])).stdout).toBe('lab\noff');
    expect((await ctl(['context', 'add', 'lab', '/run/x.sock'])).code).toBe(6);
    const file = path.join(home, '.config/ai-cdn/console.yml');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, `contexts:\n  - name: lab\n    addr: ${ready.grpc}\n    ca_pin: abc\n`);
    const bad = await ctl(['nodes', 'list']);
    expect(bad.code).toBe(2);
    expect(bad.stderr).toMatch(
      /line 4, column 13: \S+console\.yml: contexts\[0\]\.ca_pin: "abc" is not the pin/,
    );
    writeFileSync(file, good);
  });

  it('another CA than the pinned one is told so, and gets nothing', async () => {
    const r = await ctl(['--context', 'off', 'login', '--user', 'lin', '--password-stdin'], {
      input: PASSWORD,
    });
    expect(r.code).toBe(4);
    expect(r.stderr).toMatch(/shows another CA .* nothing was sent/);
  });

  it('nobody, then the first admin by the one-time code, which works once', async () => {
    expect((await ctl(['whoami'])).code).toBe(4);
    const first = ['bootstrap', '--code', code, '--password-stdin'];
    expect((await ctl(first, { input: PASSWORD })).stdout).toBe('lin is the first admin, and logged in');
    expect((await ctl([...first, '--user', 'eve'], { input: PASSWORD })).code).not.toBe(0);
    expect((await ctl(['whoami', '-o', 'json'])).stdout).toMatch(/"actor": "lin"/);
  });

  it('a login lies 0600 in a folder 0700, without the password; logout takes it away', async () => {
    const logins = path.join(home, '.local/state/ai-cdn/logins');
    expect((await ctl(['logout'])).code).toBe(0);
    expect(readdirSync(logins)).toEqual([]);
    expect((await ctl(['login', '--password-stdin'], { input: 'not it at all' })).code).toBe(4);
    const again = await ctl(['login', '--password-stdin'], { input: `${PASSWORD}\n` });
    expect([again.code, again.stdout.slice(0, 10)]).toEqual([0, 'lin, admin']);
    const [name = ''] = readdirSync(logins);
    expect(statSync(logins).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(logins, name)).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.join(logins, name), 'utf8')).not.toContain(PASSWORD);
  });

  it('two shells whose token is over refresh at once: both go on, and so does the login', async () => {
    const logins = path.join(home, '.local/state/ai-cdn/logins');
    const file = path.join(logins, readdirSync(logins)[0] ?? '');
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    // Of a form that the master reads and refuses, as one whose time is over.
    writeFileSync(file, JSON.stringify({ ...kept, accessToken: `${kept.accessToken.slice(0, -6)}AAAAAA` }));
    const both = await Promise.all([ctl(['whoami']), ctl(['nodes', 'list']), ctl(['users', 'list'])]);
    expect(both.map((r) => r.code)).toEqual([0, 0, 0]);
    const after = JSON.parse(readFileSync(file, 'utf8'));
    expect(after.refreshToken).not.toBe(kept.refreshToken);
    expect((await ctl(['whoami'])).code).toBe(0);
    expect(readdirSync(logins)).toHaveLength(1);
  });

  it('people: made, listed, changed, held to their role', async () => {
    const made = await ctl(['users', 'create', 'wei', '--role', 'viewer', '--password-stdin'], {
      input: PASSWORD,
    });
    expect(made.stdout).toBe('wei may log in, as viewer');
    const wei = { env: { XDG_STATE_HOME: path.join(dir, 'wei') } };
    expect(
      (await ctl(['login', '--user', 'wei', '--password-stdin'], { ...wei, input: PASSWORD })).code,
    ).toBe(0);
    expect((await ctl(['users', 'list'], wei)).code).toBe(4);
    expect((await ctl(['users', 'update', 'wei', '--disable'])).stdout).toBe('wei is viewer, disabled');
    expect((await ctl(['nodes', 'list'], wei)).code).toBe(4);
    expect((await ctl(['users', 'remove', 'wei'])).code).toBe(7);
    expect((await ctl(['users', 'remove', 'wei', '--yes'])).code).toBe(0);
  });

  it('a key of a machine: its scopes and no more, and over when it is revoked', async () => {
    const made = JSON.parse(
      (await ctl(['api-keys', 'create', 'ci', '--role', 'viewer', '--scope', 'watch', '-o', 'json'])).stdout,
    );
    const env = { AICDN_API_KEY: made.secret, XDG_STATE_HOME: path.join(dir, 'none') };
    expect((await ctl(['nodes', 'list', '-o', 'json'], { env })).code).toBe(0);
    expect((await ctl(['secrets', 'list'], { env })).code).toBe(4);
    expect((await ctl(['api-keys', 'revoke', made.key.id, '--yes'])).code).toBe(0);
    expect((await ctl(['nodes', 'list'], { env })).code).toBe(4);
  });

  it('secrets are set and listed, never shown; a request repeated does nothing; an old revision is refused', async () => {
    const set = ['secrets', 'set', 'upstream', '--from-file', '-', '-o', 'json'];
    const once = await ctl([...set, '--request-id', 'r-1'], { input: SECRET });
    expect(once.code, once.stderr).toBe(0);
    const twice = await ctl([...set, '--request-id', 'r-1'], { input: SECRET });
    expect(JSON.parse(twice.stdout).secret.version).toBe(1);
    expect((await ctl([...set, '--if-revision', '1'], { input: SECRET })).code).toBe(6);
    const listed = await ctl(['secrets', 'list', '-o', 'yaml']);
    expect(listed.stdout).toMatch(/name: "upstream"/);
    expect(listed.stdout + once.stdout).not.toContain(SECRET);
  });

  it('tokens: for a place, listed without their secret, revoked', async () => {
    const token = (await ctl(['tokens', 'create', '--type', 'core', '--region', 'cn', '-o', 'name'])).stdout;
    const id = token.split('.')[2] ?? '';
    const listed = await ctl(['tokens', 'list', '-o', 'json']);
    expect(JSON.parse(listed.stdout).tokens).toMatchObject([{ id, region: 'cn' }]);
    expect(listed.stdout).not.toContain(token.split('.')[3]);
    expect((await ctl(['tokens', 'revoke', id])).code).toBe(0);
    expect((await ctl(['tokens', 'list'])).stdout).toBe('');
  });

  it('a document is validated, compared, and followed through its history', async () => {
    const body = (port: number) =>
      `services:\n- name: chat\n  addr: "127.0.0.1:${port}"\n  handler: {type: tcp}\n  listener: {type: tcp}\n  forwarder: {nodes: [{name: o, addr: "127.0.0.1:8000"}]}\n`;
    expect((await ctl(['config', 'validate', '-'], { input: body(1) })).stdout).toBe(
      'nothing is wrong with it',
    );
    const bad = await ctl(['config', 'validate', '-'], { input: body(1).replace('listener', 'listner') });
    expect([bad.code, bad.stdout]).toEqual([1, '']);
    expect(bad.stderr).toMatch(/<stdin>:5:3: services\[0\].*listner/);
    for (const port of [8090, 8091]) await ctl(['configs', 'create', '-'], { input: body(port) });
    const diff = await ctl(['config', 'diff', 'v1', 'v2']);
    expect(diff.stdout).toMatch(/^-.*8090.*\n\+.*8091/m);
    expect((await ctl(['config', 'publish', 'v2', '--type', 'edge', '--reason', 'why not'])).code).toBe(0);
    expect((await ctl(['config', 'history', '-o', 'name'])).stdout).toBe('v2');
    expect((await ctl(['config', 'diff', 'v1', 'v9'])).code).toBe(5);
  });

  it('every change has its record, and the chain holds', async () => {
    const page = JSON.parse((await ctl(['audit', 'list', '--actor', 'lin', '-o', 'json'])).stdout);
    const actions = new Set(page.records.map((r: { action: string }) => r.action));
    for (const action of ['bootstrap', 'login', 'secret.write', 'token.revoke', 'config.publish']) {
      expect([...actions]).toContain(action);
    }
    expect((await ctl(['audit', 'verify'])).stdout).toMatch(/^whole: \d+ records/);
  });
});

describe('backup', () => {
  const backup = (): string => path.join(dir, 'fleet.backup');
  const pass = (text = PASSPHRASE): string => {
    const file = path.join(dir, `pass-${text.length}`);
    writeFileSync(file, `${text}\n`);
    return file;
  };
  const restore = (file: string, state: string, passphrase = PASSPHRASE): Promise<Ran> =>
    run('master', ['restore', file, '--set', `state_dir=${state}`, '--passphrase-file', pass(passphrase)]);

  const check = (file: string, passphrase = PASSPHRASE): Promise<Ran> =>
    run('master', ['check-backup', file, '--passphrase-file', pass(passphrase)]);

  it('is made while others write, 0600, never over something, and nothing in it can be read', async () => {
    const writes = Array.from({ length: 6 }, (_, i) =>
      ctl(['silence', 'create', `node=hk-${i}`, '--comment', `during the backup ${i}`]),
    );
    const made = await ctl(['backup', 'create', backup(), '--passphrase-file', pass()]);
    expect(made.code, made.stderr).toBe(0);
    for (const w of await Promise.all(writes)) expect(w.code, w.stderr).toBe(0);
    expect(statSync(backup()).mode & 0o777).toBe(0o600);
    expect((await ctl(['backup', 'create', backup(), '--passphrase-file', pass()])).code).toBe(6);
    const bytes = readFileSync(backup());
    const state = path.join(dir, 'state');
    const secrets = [
      SECRET,
      PASSWORD,
      PASSPHRASE,
      // Long enough not to stand in random bytes by chance.
      'during the backup',
      'upstream',
      'BEGIN',
      readFileSync(path.join(state, 'jwt.secret'), 'utf8').trim(),
      readFileSync(path.join(state, 'sealing.key'), 'utf8').trim(),
    ];
    for (const secret of secrets) {
      expect(secret).not.toBe('');
      expect(bytes.includes(secret)).toBe(false);
    }
    expect(
      (await ctl(['backup', 'create', path.join(dir, 'x'), '--passphrase-file', pass('short')])).code,
    ).toBe(1);
    expect(readdirSync(dir).filter((n) => n.startsWith('x'))).toEqual([]);
  });

  it.each([
    ['another passphrase', (b: Buffer) => b, 'some other passphrase', /passphrase is not the one/],
    ['a cut end', (b: Buffer) => b.subarray(0, b.length - 100), PASSPHRASE, /damaged: it was cut/],
    [
      'one changed bit',
      (b: Buffer) => b.with(b.length - 200, (b.at(-200) ?? 0) ^ 1),
      PASSPHRASE,
      /damaged: frame/,
    ],
    [
      'a changed header',
      (b: Buffer) => Buffer.from(b.toString('latin1').replace('"p":1', '"p":2'), 'latin1'),
      PASSPHRASE,
      /passphrase is not|damaged/,
    ],
    ['something else', () => Buffer.from('hello\n'), PASSPHRASE, /no backup/],
  ])('%s: said, and nothing is written', async (what, change, passphrase, why) => {
    const file = path.join(dir, 'wrong.backup');
    writeFileSync(file, change(readFileSync(backup())));
    const state = path.join(dir, `not-${what.replaceAll(' ', '-')}`);
    for (const r of [await restore(file, state, passphrase), await check(file, passphrase)]) {
      expect(r.code).toBe(2);
      expect(r.stderr).toMatch(why);
    }
    expect(readdirSync(dir)).not.toContain(path.basename(state));
  });

  it('comes back elsewhere: who was who, the same CA, secrets, versions and audit log', async () => {
    const before = JSON.parse((await ctl(['configs', 'list', '-o', 'json'])).stdout);
    await master.stop();
    const state = path.join(dir, 'again');
    const whole = await check(backup());
    expect(whole.code, whole.stderr).toBe(0);
    const back = await restore(backup(), state);
    expect(back.code, back.stderr).toBe(0);
    const figures = (r: Ran) => r.stdout.match(/\d+ files|\d+ bytes|revision \d+/g);
    expect(figures(back)).toEqual(figures(whole));
    expect((await restore(backup(), state)).code).toBe(1);
    expect((await run('master', ['audit', 'verify', '--set', `state_dir=${state}`])).code).toBe(0);
    master = await begin(state, ['--set', `grpc.addr=${ready.grpc}`]);
    // The pin of the context still holds, and so does the login.
    expect((await ctl(['whoami'])).code).toBe(0);
    expect(JSON.parse((await ctl(['configs', 'list', '-o', 'json'])).stdout)).toEqual(before);
    expect((await ctl(['secrets', 'list', '-o', 'name'])).stdout).toBe('upstream');
    expect((await ctl(['audit', 'verify'])).stdout).toMatch(/^whole/);
  });
});

import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { ROOT, until } from '../../scripts/demo/process.ts';
import { layOut } from '../../scripts/release/layout.ts';
import { SteppedOrigin } from '../harness/origin.ts';
import { bootstrapCode } from '../harness/rest-fleet.ts';
import { Running } from '../harness/running.ts';
import { createTestCa, type TestCa } from '../harness/test-ca.ts';

// load-balance.sh against a living fleet, and the two programs it writes for.

let fleet: Fleet;
let origin: SteppedOrigin;
let ca: TestCa;
let both: string;
let tls: readonly [number, number];

beforeAll(async () => {
  origin = await SteppedOrigin.start();
  fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port } });
  ca = await createTestCa();
  const { cert, key } = await ca.issue('chat.test', { dns: 'chat.test' });
  const files = { cert: path.join(fleet.dir, 'edge.pem'), key: path.join(fleet.dir, 'edge.key') };
  both = `${cert}\n${key}\n`;
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  // Both edges get a service of their own that ends TLS on the node.
  const [one = 0, two = 0] = await freePorts(2);
  tls = [one, two];
  for (const [name, port] of [
    ['hk-1', one],
    ['hk-2', two],
  ] as const) {
    await fleet.api.updateNode({ reason: 'test' }, { name, labels: { tls_port: `${port}` } });
  }
  const body = `\
services:
- name: chat
  addr: "127.0.0.1:\${label.chat_port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}
- name: chat-tls
  addr: "127.0.0.1:\${label.tls_port}"
  handler: {type: tcp}
  listener: {type: tls, tls: {certFile: ${files.cert}, keyFile: ${files.key}}}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}
`;
  await fleet.api.createConfig(
    { reason: 'test' },
    { label: 'tls', description: '', body: Buffer.from(body), parent: null },
  );
  await fleet.api.publish({ reason: 'test' }, { label: 'tls', target: { nodeType: 'edge' }, dryRun: false });
  await until('both edges run it', 20_000, async () => {
    const { nodes } = await fleet.api.listNodes();
    const edges = nodes.filter((n) => n.nodeType === 'edge');
    return edges.every((n) => n.effective?.version === 'tls' && n.engine?.listeners.length === 2) || null;
  });
  await fleet.inSync();
});
afterAll(async () => {
  await fleet?.stop();
  await origin?.stop();
});

const balance = (args: readonly string[], env: Record<string, string> = { AICDN_SOCKET: fleet.socket }) =>
  execa(path.join(ROOT, 'scripts/load-balance.sh'), args, {
    reject: false,
    env,
    cwd: '/',
    stripFinalNewline: false,
  });

describe('the registry', () => {
  it('health: every edge, and by exit status', async () => {
    const r = await balance(['health', '--probe', '--local', '-o', 'json']);
    expect(r.exitCode, r.stderr).toBe(0);
    const { nodes, regions } = JSON.parse(r.stdout);
    expect(nodes).toMatchObject([
      { name: 'hk-1', status: 'ready', serves: true, why: null },
      { name: 'hk-2', status: 'ready', serves: true, why: null },
    ]);
    expect(nodes[0].probes.map((p: { error: unknown }) => p.error)).toEqual([null, null]);
    expect(regions).toEqual([{ region: 'hk', nodes: 2, serving: 2 }]);
    expect((await balance(['health', '--region', 'nowhere'])).exitCode).toBe(8);
    expect((await balance(['health'], { AICDN_SOCKET: '/nowhere.sock' })).exitCode).toBe(3);
  });

  it('a node that is drained is no more chosen, and its health says so', async () => {
    const all = await balance(['select', '--count', '5', '--local', '--service', 'chat']);
    expect(
      all.stdout
        .trimEnd()
        .split('\n')
        .map((l) => l.split('\t')[0])
        .sort(),
    ).toEqual(['hk-1', 'hk-2']);
    await fleet.api.updateNode({ reason: 'test' }, { name: 'hk-1', eligibility: 'ineligible' });
    const left = await balance(['select', '--count', '5', '--local', '-o', 'json']);
    const { nodes } = JSON.parse(left.stdout);
    expect(nodes.map((n: { name: string }) => n.name)).toEqual(['hk-2']);
    expect(nodes[0].endpoints).toEqual([
      { service: 'chat', type: 'tcp', address: `127.0.0.1:${fleet.ports.chat2}` },
      { service: 'chat-tls', type: 'tls', address: `127.0.0.1:${tls[1]}` },
    ]);
    const health = await balance(['health']);
    expect(health.exitCode).toBe(1);
    expect(health.stdout).toMatch(/hk-1 .* no .*ineligible/);
    await fleet.api.updateNode({ reason: 'test' }, { name: 'hk-1', eligibility: 'eligible' });
  });

  it('the same over REST with an API key that may only look, through a link and from elsewhere', async () => {
    const base = `http://${fleet.masterReady.http}`;
    await fetch(`${base}/api/v1/auth/bootstrap`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        code: await bootstrapCode(fleet),
        name: 'lin',
        password: 'a long enough password',
      }),
    });
    const { secret } = await fleet.api.createApiKey(
      { reason: 'test' },
      { name: 'balance', role: 'viewer', scopes: ['watch'], ttlMs: null },
    );
    const bin = path.join(fleet.dir, 'bin');
    mkdirSync(bin);
    symlinkSync(path.join(ROOT, 'scripts/load-balance.sh'), path.join(bin, 'lb'));
    const args = ['select', '--count', '2', '--local', '-o', 'json'];
    const env = { AICDN_URL: base, AICDN_API_KEY: secret, AICDN_SOCKET: '/nowhere' };
    const rest = await execa(path.join(bin, 'lb'), args, { env, cwd: '/tmp' });
    const addresses = (text: string) =>
      JSON.parse(text)
        .nodes.map((n: { name: string; endpoints: unknown }) => [n.name, n.endpoints])
        .sort();
    expect(addresses(rest.stdout)).toEqual(addresses((await balance(args)).stdout));
    const wrong = await balance(['health'], { AICDN_URL: base, AICDN_API_KEY: `${secret}x` });
    expect([wrong.exitCode, wrong.stdout]).toEqual([4, '']);
  });

  it('from a release as well: its own bundles, runtime and templates, with nothing of this tree', async () => {
    const release = path.join(fleet.dir, 'release');
    await layOut({ root: ROOT, into: release, version: '9.9.9' });
    symlinkSync(process.execPath, path.join(release, 'lib/node'));
    const run = (script: string, ...args: string[]) =>
      execa(path.join(release, 'scripts', script), args, {
        env: { PATH: '/usr/bin:/bin', AICDN_SOCKET: fleet.socket },
        extendEnv: false,
        cwd: '/',
        reject: false,
      });
    const selected = await run('load-balance.sh', 'select', '--local', '--service', 'chat');
    expect([selected.exitCode, selected.stdout], selected.stderr).toEqual([
      0,
      expect.stringMatching(/^hk-\d\thk\t\d+\tchat=127/),
    ]);
    for (const kind of ['nginx', 'haproxy']) {
      const { stdout, exitCode } = await run('load-balance.sh', kind, '--local');
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining('aicdn_chat_tls')]);
    }
    expect((await run('benchmark.sh', '--help')).stdout).toContain('Usage: benchmark.sh');
    expect((await run('optimize.sh', 'dry-run')).stdout).toContain('net.core.somaxconn');
  });

  it.each([
    ['select', '--count', '0'],
    ['select', '--region', '$(touch /tmp/x)'],
    ['nginx', '--listen', '1;2'],
    ['nginx', '--tls-cert', '/a b', '--tls-key', '/c'],
    ['nginx', '--tls-cert', '/a'],
    ['nginx', '--template', '/nowhere'],
    ['monitor', '--interval', '5'],
    ['health', '-o', 'xml'],
    ['--url', 'file:///etc/passwd', 'health'],
    ['frobnicate'],
    [],
  ])('%s %s %s is refused with 2, and nothing is printed', async (...args) => {
    const env = { AICDN_SOCKET: fleet.socket, AICDN_API_KEY: 'k' };
    const r = await balance(args, args[0] === '--url' ? env : { AICDN_SOCKET: fleet.socket });
    expect([r.exitCode, r.stdout], r.stderr).toEqual([2, '']);
    expect(r.stderr).toMatch(/error|Usage/);
  });

  it('monitor says what changes', async () => {
    const running = new Running(
      path.join(ROOT, 'scripts/load-balance.sh'),
      ['monitor', '--interval', '200ms'],
      {
        AICDN_SOCKET: fleet.socket,
      },
    );
    try {
      await running.wrote(/hk 2\/2/);
      await fleet.api.updateNode({ reason: 'test' }, { name: 'hk-2', eligibility: 'ineligible' });
      await running.wrote(/hk-2: ready -> ready, ineligible/);
      await fleet.api.updateNode({ reason: 'test' }, { name: 'hk-2', eligibility: 'eligible' });
      await running.wrote(/hk-2: ready, ineligible -> ready/);
    } finally {
      await running.stop();
    }
  });
});

/** The config as printed, in a file of the fleet's folder. */
async function printed(kind: 'nginx' | 'haproxy', file: string, args: readonly string[]): Promise<string> {
  const r = await balance([kind, '--local', ...args]);
  expect([r.exitCode, r.stderr]).toEqual([0, '']);
  const at = path.join(fleet.dir, file);
  writeFileSync(at, r.stdout);
  return at;
}

/** Tokens that leave one at a time: the next only after this one is here. A proxy that holds any back ends in a deadlock. */
async function tokenByToken(send: () => ReturnType<typeof plain>): Promise<void> {
  const arrived = origin.next();
  const req = send();
  req.end('{"stream":true}');
  const answer = await arrived;
  answer.begin();
  const [res] = await once(req, 'response');
  res.setEncoding('utf8');
  let text = '';
  const got = async (what: string): Promise<void> => {
    while (!text.includes(what)) text += (await once(res, 'data'))[0];
  };
  for (const word of ['one', 'two', 'three']) {
    answer.token(word);
    await got(word);
  }
  answer.end();
  if (!res.readableEnded) await once(res.resume(), 'end');
}

const through = (port: number) =>
  plain({ host: '127.0.0.1', port, method: 'POST', path: '/v1/chat/completions', agent: false });
const throughTls = (port: number) =>
  secure({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/v1/chat/completions',
    agent: false,
    ca: ca.ca,
    servername: 'chat.test',
  });

describe('nginx', () => {
  it('accepts what is printed, and holds back no token, in clear and handed through', async () => {
    const [clear = 0, passed = 0] = await freePorts(2);
    const listen = ['--listen', `chat=127.0.0.1:${clear}`, '--listen', `chat-tls=127.0.0.1:${passed}`];
    const conf = await printed('nginx', 'nginx.conf', [
      ...listen,
      '--access-log',
      path.join(fleet.dir, 'access.log'),
    ]);
    const flags = ['-e', 'stderr', '-c', conf, '-g', `daemon off; pid ${path.join(fleet.dir, 'nginx.pid')};`];
    const check = await execa('nginx', ['-t', ...flags]);
    expect(check.stderr).toMatch(/syntax is ok[\s\S]*test is successful/);
    expect(check.stderr).not.toMatch(/\[(warn|emerg)\]/);
    const nginx = new Running('nginx', flags);
    try {
      await until(
        'nginx listens',
        10_000,
        async () => ((await answers(clear)) ? true : null),
        () => nginx.text,
      );
      await tokenByToken(() => through(clear));
      await tokenByToken(() => throughTls(passed));
    } finally {
      await nginx.stop();
    }
  });

  it('accepts backups of another region, an end of TLS, the PROXY protocol, and all handed through', async () => {
    for (const args of [
      ['--tls-cert', path.join(fleet.dir, 'edge.pem'), '--tls-key', path.join(fleet.dir, 'edge.key')],
      ['--passthrough', '--proxy-protocol'],
      ['--region', 'nowhere', '--backup', 'hk'],
    ]) {
      const conf = await printed('nginx', 'nginx-other.conf', [
        ...args,
        '--listen',
        'chat=127.0.0.1:18080',
        '--listen',
        'chat-tls=127.0.0.1:18443',
        '--access-log',
        'off',
      ]);
      const check = await execa('nginx', [
        '-t',
        '-e',
        'stderr',
        '-c',
        conf,
        '-g',
        `pid ${path.join(fleet.dir, 'other.pid')};`,
      ]);
      expect(check.stderr).toMatch(/test is successful/);
    }
  });
});

describe('haproxy', () => {
  it('accepts what is printed, and holds back no token, in clear and handed through', async () => {
    const [clear = 0, passed = 0] = await freePorts(2);
    const listen = ['--listen', `chat=127.0.0.1:${clear}`, '--listen', `chat-tls=127.0.0.1:${passed}`];
    const conf = await printed('haproxy', 'haproxy.cfg', listen);
    const check = await execa('haproxy', ['-c', '-f', conf], { all: true });
    expect(check.all).toMatch(/Configuration file is valid/);
    expect(check.all).not.toMatch(/WARNING|ALERT/);
    const haproxy = new Running('haproxy', ['-db', '-f', conf]);
    try {
      await until(
        'haproxy listens',
        10_000,
        async () => ((await answers(clear)) ? true : null),
        () => haproxy.text,
      );
      await tokenByToken(() => through(clear));
      await tokenByToken(() => throughTls(passed));
    } finally {
      await haproxy.stop();
    }
  });

  it('accepts an end of TLS, the PROXY protocol, and backups', async () => {
    const pem = path.join(fleet.dir, 'both.pem');
    writeFileSync(pem, both, { mode: 0o600 });
    for (const args of [
      ['--tls-cert', pem],
      ['--proxy-protocol'],
      ['--region', 'nowhere', '--backup', 'hk'],
    ]) {
      const conf = await printed('haproxy', 'haproxy-other.cfg', [
        ...args,
        '--listen',
        'chat=127.0.0.1:18080',
        '--listen',
        'chat-tls=127.0.0.1:18443',
      ]);
      const check = await execa('haproxy', ['-c', '-f', conf], { all: true });
      expect(check.all).toMatch(/Configuration file is valid/);
    }
  });
});

/** Something accepts there. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

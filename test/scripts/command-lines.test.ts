import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { script } from './shell.ts';

// What operators' scripts make of a command line. Nothing here needs root, systemd or a release: whatever is wrong is
// said before anything is looked at, and a dry run does nothing.

const TOKEN = `ct1.${'ab'.repeat(32)}.abcd1234.${'s3cret'.repeat(5)}`;
const NODE = ['master.example.org:50051', 'edge', 'hk', 'hk-node-1'];
const MASTERS = ['deploy-master.sh', 'deploy-master-full.sh'];
const ALL = [...MASTERS, 'deploy-agent.sh', 'manage.sh'];
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-scripts-'));
  writeFileSync(path.join(dir, 'ai-cdn-1.2.3-linux-x64.tar.gz'), 'no archive');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const release = () => ['--release', path.join(dir, 'ai-cdn-1.2.3-linux-x64.tar.gz')];

describe('help', () => {
  it.each(ALL)('%s --help has examples and exit statuses', async (name) => {
    const { code, stdout, stderr } = await script(name, ['--help'], { cwd: dir });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^ {2}(sudo )?(scripts/)?${name.replace('.', '\\.')} `, 'm'));
    expect(stdout).toMatch(/Exit status/);
  });

  it.each(['deploy-agent.sh', ...MASTERS])('%s names each flag that it takes', async (name) => {
    const { stdout } = await script(name, ['--help']);
    for (const flag of ['--release', '--sha256', '--uninstall', '--purge', '--yes', '--dry-run', '--help'])
      expect(stdout).toContain(flag);
    const more = name === 'deploy-agent.sh' ? ['--token', '--engine', '--port'] : ['--http-port', '--port'];
    for (const flag of more) expect(stdout).toContain(flag);
  });
});

describe('the flags of the original', () => {
  const dead = ['--web-port', '80', '--mongo-port', '27017', '--mongo-user', 'admin'];
  it.each(MASTERS)('%s goes on and says what replaced them', async (name) => {
    const flags = [
      '--http-port',
      '8080',
      ...dead,
      '--mongo-pass',
      'hunter2-secret',
      '--skip-mongo',
      '--skip-web',
    ];
    const { code, stdout, stderr } = await script(name, [...flags, '--dry-run', ...release()]);
    expect(code, stderr).toBe(0);
    expect(stderr.match(/^--(web-port|skip-web): there is no web console/gm)).toHaveLength(2);
    expect(stderr.match(/^--(mongo-\w+|skip-mongo): there is no MongoDB/gm)).toHaveLength(4);
    expect(stdout + stderr).not.toContain('hunter2-secret');
    expect(stdout).toMatch(/would .*master\.yml/);
    expect(stdout).toContain(':8080');
  });

  it('deploy-agent.sh takes its arguments with and without a name', async () => {
    for (const words of [NODE, NODE.slice(0, 3)]) {
      const { code, stdout, stderr } = await script('deploy-agent.sh', [...words, '--dry-run', ...release()]);
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('node.type edge node.region hk');
      expect(stdout).toContain('master.addr master.example.org:50051');
    }
  });
});

describe('a dry run', () => {
  it.each([
    ['deploy-master.sh', []],
    ['deploy-agent.sh', NODE],
  ] as const)('of %s prints its acts and does none', async (name, words) => {
    const places = [
      '/opt/ai-cdn',
      '/etc/ai-cdn',
      '/var/lib/ai-cdn',
      '/etc/systemd/system/ai-cdn-master.service',
    ];
    const before = places.map((p) => existsSync(p));
    const { code, stdout } = await script(name, [...words, '--dry-run', ...release()], { cwd: dir });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^would unpack release 1\.2\.3/m);
    expect(stdout).toMatch(/^dry run: \d+ acts, none done$/m);
    expect(places.map((p) => existsSync(p))).toEqual(before);
  });

  it('of a checkout without a release would build one', async () => {
    const { code, stdout } = await script('deploy-master.sh', ['--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^would (build a release of this checkout: npm|unpack release)/m);
  });
});

describe('a token', () => {
  it('that is missing ends with 2 and the command that makes one', async () => {
    const { code, stderr } = await script('deploy-agent.sh', NODE);
    expect(code).toBe(2);
    expect(stderr).toContain('aicdnctl tokens create --type edge --region hk --name hk-node-1');
    expect(stderr).toContain('AICDN_MASTER_TOKEN=ct1.');
    expect(stderr).toContain(NODE.join(' '));
  });

  it.each([
    ['--token', ['--token', `${TOKEN}!`], {}],
    ['the environment', [], { AICDN_MASTER_TOKEN: `${TOKEN}!` }],
  ] as const)('that is wrong in %s is refused and never repeated', async (_, flags, env) => {
    const { code, stdout, stderr } = await script('deploy-agent.sh', [...NODE, ...flags], {
      env: { ...env },
    });
    expect(code).toBe(2);
    expect(stderr).toContain('no join token');
    expect(stdout + stderr).not.toContain('s3crets3cret');
  });

  it('is read from stdin, and shown by no dry run', async () => {
    const words = [...NODE, '--token-file', '-', '--dry-run', ...release()];
    const { code, stdout, stderr } = await script('deploy-agent.sh', words, { input: `${TOKEN}\n` });
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).not.toContain('s3crets3cret');
    expect(stderr).not.toContain('a join token is needed');
  });
});

describe('what is not known', () => {
  it.each([
    ['deploy-master.sh', ['--http-prot', '1'], '--http-port'],
    ['deploy-master-full.sh', ['--skip-mango'], '--skip-mongo'],
    ['deploy-agent.sh', [...NODE, '--tokn', 'x'], '--token'],
    ['manage.sh', ['status', '--flolow'], '--follow'],
    ['manage.sh', ['stauts'], 'status'],
    ['manage.sh', ['rolback'], 'rollback'],
  ] as const)('%s %s ends with 2 and the nearest spelling', async (name, words, near) => {
    const { code, stderr } = await script(name, words);
    expect(code).toBe(2);
    expect(stderr).toContain(`did you mean ${near}?`);
  });

  it.each([
    ['deploy-master.sh', ['--http-port']],
    ['deploy-master.sh', ['--http-port', '--dry-run']],
    ['deploy-master.sh', ['--dry-run=yes']],
    ['deploy-master.sh', ['here']],
    ['deploy-master.sh', ['--purge']],
    ['deploy-master.sh', ['--port', '9000', '--http-port', '9000']],
    ['deploy-agent.sh', []],
    ['deploy-agent.sh', NODE.slice(0, 2)],
    ['deploy-agent.sh', [...NODE, 'more']],
    ['deploy-agent.sh', ['--uninstall', 'hk-1']],
    ['deploy-agent.sh', [...NODE, '--engine', 'gost']],
    ['manage.sh', []],
    ['manage.sh', ['upgrade']],
    ['manage.sh', ['restore']],
  ] as const)('%s %s ends with 2', async (name, words) => {
    const { code } = await script(name, words, { env: { AICDN_MASTER_TOKEN: TOKEN } });
    expect(code).toBe(2);
  });
});

describe('hostile arguments', () => {
  const canary = () => path.join(dir, 'canary');
  const texts = (): readonly string[] => [
    `$(touch ${canary()})\`touch ${canary()}\``,
    `'"; touch ${canary()} && touch ${canary()} #`,
    `a[$(touch ${canary()})]`,
    `x\ntouch ${canary()}\n`,
    '../../../../etc/passwd',
    '-rf',
    '*',
    '',
    '\u001b[2J\u001b]0;gone\u0007\u202e\u00ad東京',
    'x'.repeat(100_000),
    '%n%s$PATH',
  ];
  type Place = readonly [what: string, name: string, words: (text: string) => readonly string[]];
  const places: readonly Place[] = [
    ['MASTER', 'deploy-agent.sh', (t) => [t, 'edge', 'hk', 'hk-1']],
    ['the host of MASTER', 'deploy-agent.sh', (t) => [`${t}:50051`, 'edge', 'hk', 'hk-1']],
    ['the port of MASTER', 'deploy-agent.sh', (t) => [`m.example.org:${t}`, 'edge', 'hk', 'hk-1']],
    ['the type', 'deploy-agent.sh', (t) => ['m.example.org:50051', t, 'hk', 'hk-1']],
    ['REGION', 'deploy-agent.sh', (t) => ['m.example.org:50051', 'edge', t, 'hk-1']],
    ['--token', 'deploy-agent.sh', (t) => [...NODE, `--token=${t || 'x'}`]],
    ['--token-file', 'deploy-agent.sh', (t) => [...NODE, '--token-file', t]],
    ['--engine', 'deploy-agent.sh', (t) => [...NODE, '--engine', t]],
    ['--port of a node', 'deploy-agent.sh', (t) => [...NODE, '--port', t]],
    ['--release', 'deploy-master.sh', (t) => ['--release', `${t}x`, '--dry-run']],
    ['--sha256', 'deploy-master.sh', (t) => ['--sha256', t]],
    ['--port', 'deploy-master.sh', (t) => ['--port', t]],
    ['--http-port', 'deploy-master.sh', (t) => ['--http-port', t]],
    ['--advertise', 'deploy-master.sh', (t) => ['--advertise', t]],
    ['--name', 'deploy-master.sh', (t) => ['--name', t]],
    ['--web-port', 'deploy-master.sh', (t) => ['--web-port', t]],
    ['a flag', 'deploy-master.sh', (t) => [`--${t}`]],
    ['a command', 'manage.sh', (t) => [t || 'x']],
    ['a part', 'manage.sh', (t) => ['logs', t]],
    ['--since', 'manage.sh', (t) => ['logs', '--since', t]],
    ['-n', 'manage.sh', (t) => ['logs', '-n', t]],
    ['the release of an upgrade', 'manage.sh', (t) => ['upgrade', `${t}x`]],
    ['--type', 'manage.sh', (t) => ['config-check', 'x', '--type', t]],
  ];

  it.each(places)('in %s of %s are refused, and nothing of them runs', async (_what, name, words) => {
    for (const text of texts()) {
      const { code, stdout, stderr } = await script(name, words(text), { cwd: dir });
      expect(code, `${text.slice(0, 60)}: ${stdout}${stderr}`).toBe(2);
      expect(stderr).toMatch(/^error: /m);
      expect(stdout + stderr).not.toMatch(/[^\n\x20-\x7e\u2026]/);
      expect(stderr.length).toBeLessThan(2_000);
      expect(existsSync(canary()), text.slice(0, 60)).toBe(false);
    }
  });
});

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { AppError } from '../proto/vocab/errors.ts';
import { AGENT_KEYS, loadAgentSettings } from './agent.ts';
import { consoleSettingsFile, loadConsoleSettings } from './console.ts';
import { environmentName } from './load.ts';
import { loadMasterSettings, MASTER_KEYS } from './master.ts';
import { isSample, keptSecret } from './secret.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'ai-cdn-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let files = 0;
function written(content: string | Uint8Array): string {
  const file = path.join(dir, `settings-${++files}.yml`);
  writeFileSync(file, content);
  return file;
}
const shipped = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const none = { env: {}, flags: {} };

/** Every refusal as `key path without the file @ line:column code message | hint`. */
function refusalsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (e) {
    if (!(e instanceof AppError)) throw e;
    expect(e.code).toBe('invalid');
    return e.refusals.map((r) => {
      const at = r.line === undefined ? '' : ` @${r.line}:${r.column}`;
      return `${r.path?.replace(/^.*\.yml(?:: )?/, '')}${at} ${r.code}: ${r.message}${r.hint ? ` | ${r.hint}` : ''}`;
    });
  }
  throw new Error('nothing was refused');
}
const masterRefuses = (yaml: string) =>
  refusalsOf(() => loadMasterSettings({ ...none, file: written(yaml) }));
const agentRefuses = (yaml: string) => refusalsOf(() => loadAgentSettings({ ...none, file: written(yaml) }));

describe('shipped files', () => {
  test('master.yml loads, names every key, and says what holds without it', () => {
    const file = shipped('master.yml');
    const { settings, sources } = loadMasterSettings({ ...none, file });
    const bare = loadMasterSettings(none).settings;
    expect(settings).toEqual({ ...bare, http: { addr: { host: '', port: 8080 }, tls: 'auto' } });
    expect(sources['http.addr']).toBe('file');
    const text = readFileSync(file, 'utf8');
    for (const key of Object.keys(MASTER_KEYS)) {
      expect(text, key).toMatch(new RegExp(`^ *(?:# )?${key.split('.').at(-1)}:`, 'm'));
    }
  });

  test('agent.yml loads and names every key', () => {
    const file = shipped('agent.yml');
    const { settings } = loadAgentSettings({ ...none, file, hostname: 'HK-Node-1.example.org' });
    expect(settings).toEqual({
      node: { type: 'edge', region: 'hk', name: 'hk-node-1', labels: {} },
      master: { addr: [{ host: 'master.ai-cdn.local', port: 50_051 }], token: null },
      gost: { configPath: '/etc/ai-cdn/gost.yml' },
      stateDir: '/var/lib/ai-cdn',
      engine: { socket: '/run/ai-cdn/engine.sock', spawn: false, workers: 'auto', dns: [], drainMs: 30_000 },
      metrics: { addr: null, tokenFile: null },
      log: { level: 'info' },
    });
    const text = readFileSync(file, 'utf8');
    for (const key of Object.keys(AGENT_KEYS)) {
      expect(text, key).toMatch(new RegExp(`^ *(?:# )?${key.split('.').at(-1)}:`, 'm'));
    }
  });
});

describe("the original's own files", () => {
  test('master: the database and the sample secret are refused, each with what to do', () => {
    const yaml = `# config/master.yml
http:
  addr: :8080

grpc:
  addr: :50051

database:
  type: mongodb
  uri: mongodb://localhost:27017/ai-cdn

jwt:
  secret: your-jwt-secret
  expiration: 24h
`;
    expect(masterRefuses(yaml)).toEqual([
      'database.type @9:9 bad_value: "mongodb" is not a store of this master | write type: file and uri: file:///var/lib/ai-cdn/db',
      'database.uri @10:8 bad_value: is not a directory on this host | write type: file and uri: file:///var/lib/ai-cdn/db',
      'jwt.secret @13:11 bad_value: is the example from the documentation, which everybody knows | remove the line: one is made and kept under state_dir',
    ]);
  });

  test('agent: the sample token is refused, the rest is read', () => {
    const yaml = `# config/agent.yml
node:
  type: edge
  region: hk

master:
  addr: master.ai-cdn.local:50051
  token: your-node-token

gost:
  config_path: /etc/ai-cdn/gost.yml
`;
    expect(agentRefuses(yaml)).toEqual([
      'master.token @8:10 bad_value: is the example from the documentation | make one with `aicdnctl token create` on the master; a node that has joined needs none',
    ]);
  });
});

describe('precedence', () => {
  test('defaults < file < environment < flags, key by key', () => {
    const file = written('http:\n  addr: 127.0.0.1:1\ngrpc:\n  addr: :2\nlog:\n  level: warn\n');
    const { settings, sources } = loadMasterSettings({
      file,
      env: { AICDN_GRPC_ADDR: ':3', AICDN_LOG_LEVEL: 'error', AICDN_NAME: '', AICDN_UNKNOWN: 'x' },
      flags: { 'log.level': 'debug' },
    });
    expect(settings.http.addr).toEqual({ host: '127.0.0.1', port: 1 });
    expect(settings.grpc.addr).toEqual({ host: '', port: 3 });
    expect(settings.log.level).toBe('debug');
    expect(settings.name).toBe('default');
    expect(sources).toMatchObject({
      'http.addr': 'file',
      'grpc.addr': 'environment',
      'log.level': 'flag',
      name: 'default',
    });
  });

  test('no two keys share a variable', () => {
    for (const keys of [MASTER_KEYS, AGENT_KEYS]) {
      const names = Object.keys(keys).map(environmentName);
      expect(new Set(names).size).toBe(names.length);
    }
    expect(environmentName('gost.config_path')).toBe('AICDN_GOST_CONFIG_PATH');
  });

  test('lists, labels and booleans as texts', () => {
    const { settings } = loadAgentSettings({
      hostname: 'h',
      env: {
        AICDN_MASTER_ADDR: 'a.example, [2001:db8::1]:7, b:9',
        AICDN_NODE_LABELS: 'rack=r12, tier=gold',
        AICDN_ENGINE_SPAWN: 'true',
        AICDN_ENGINE_DNS: '192.0.2.53,[2001:db8::53]:5353',
      },
      flags: { 'node.type': 'core', 'node.region': 'cn' },
    });
    expect(settings.master.addr).toEqual([
      { host: 'a.example', port: 50_051 },
      { host: '2001:db8::1', port: 7 },
      { host: 'b', port: 9 },
    ]);
    expect(settings.node.labels).toEqual({ rack: 'r12', tier: 'gold' });
    expect(settings.engine.spawn).toBe(true);
    expect(settings.engine.dns).toEqual(['192.0.2.53:53', '[2001:db8::53]:5353']);
    expect(
      refusalsOf(() =>
        loadAgentSettings({
          ...none,
          flags: {
            'node.type': 'core',
            'node.region': 'cn',
            'master.addr': 'a',
            'engine.dns': 'dns.example',
          },
        }),
      ),
    ).toEqual([
      '--engine.dns[0] bad_value: "dns.example" is no DNS server | an address, such as 192.0.2.53 or "[2001:db8::53]:53"',
    ]);
  });

  test('a wrong variable and a wrong flag are named as what they are', () => {
    const refused = refusalsOf(() =>
      loadMasterSettings({
        env: { AICDN_HTTP_ADDR: 'x:99999' },
        flags: { 'log.level': 'loud', colour: 'red' },
      }),
    );
    expect(refused).toEqual([
      '--colour unknown_key: there is no such setting',
      'AICDN_HTTP_ADDR bad_value: 99999 is not a port | ports end at 65535',
      '--log.level bad_value: must be debug or info or warn or error, not "loud"',
    ]);
  });
});

describe('refusals of a file', () => {
  test('the message a person reads names the file, the place, the key and the way out', () => {
    const file = written('grpc:\n  adress: :50051\n');
    expect(() => loadMasterSettings({ ...none, file })).toThrow(
      `these settings are refused:\n  line 2, column 3: ${file}: grpc.adress: there is no such setting (did you mean grpc.addr?)`,
    );
  });

  test.each([
    [
      'addr: :1\n',
      ['addr @1:1 unknown_key: there is no such setting | did you mean http.addr or grpc.addr?'],
    ],
    ['htpp:\n  addr: :1\n', ['htpp @1:1 unknown_key: there is no such setting | did you mean http?']],
    ['zebra: 1\n', ['zebra @1:1 unknown_key: there is no such setting']],
    ['__proto__:\n  x: 1\n', ['__proto__ @1:1 unknown_key: there is no such setting']],
    ['constructor: 1\n', ['constructor @1:1 unknown_key: there is no such setting']],
    ['http: :80\n', ['http @1:1 bad_value: must hold settings by name, one a line']],
    ['- a\n', [' @1:1 bad_value: must hold settings by name | begin with a line like http:']],
    [
      'heartbeat:\n  interval: 10\n',
      [
        'heartbeat.interval @2:13 bad_value: 10 is not a duration | write it with a unit, like 10s, 1m30s or 15m',
      ],
    ],
    [
      'outbound:\n  allow: ["127.0.0.0/33", "10.0.0.1", "x/8", "::1/128"]\n',
      ['127.0.0.0/33', '10.0.0.1', 'x/8'].map(
        (range, i) =>
          `outbound.allow[${i}] @2:${[11, 27, 39][i]} bad_value: "${range}" is not a range of addresses | such as 127.0.0.0/8, 10.1.2.3/32 or ::1/128`,
      ),
    ],
    ['jwt:\n  expiration: 25h\n', ['jwt.expiration @2:15 bad_value: "25h" is out of range | from 1m to 24h']],
    [
      'jwt:\n  secret: short-but-not-a-sample\n',
      [
        'jwt.secret @2:11 bad_value: is too easy to guess: 22 characters | at least 32, such as of `openssl rand -hex 32`; or remove the line, one is made',
      ],
    ],
    [
      'state_dir: var/lib\n',
      ['state_dir @1:12 bad_value: "var/lib" is not an absolute path | write it from / on, without ..'],
    ],
    [
      'http:\n  addr: $%HTTP_ADDR}\n'.replace('%', '{'),
      [
        'http.addr @2:9 bad_value: "$%HTTP_ADDR}" is not an address | nothing is expanded in this file; use AICDN_HTTP_ADDR'.replace(
          '%',
          '{',
        ),
      ],
    ],
    [
      'name: &n a\nsocket: *n\n',
      ['socket @2:1 alias: anchors and aliases are not read here | write the value out'],
    ],
    [
      'grpc:\n  advertise: [ok.example, "http://x"]\n',
      [
        'grpc.advertise[1] @2:27 bad_value: "http://x" is neither a host name nor an address | without scheme and port',
      ],
    ],
    [
      `socket: /run/${'x'.repeat(100)}\n`,
      [
        'socket @1:9 bad_value: is 105 bytes long, the path of a socket has 103 at most | choose a shorter folder',
      ],
    ],
    [
      'database:\n  uri: file://elsewhere/db\n',
      [
        'database.uri @2:8 bad_value: is not a directory on this host | write type: file and uri: file:///var/lib/ai-cdn/db',
      ],
    ],
    [
      'name: "a\\u001b[31m"\n',
      ['name @1:7 bad_value: "a\\u001b[31m" is not a name | up to 63 of a-z, 0-9, -, _ and .'],
    ],
  ])('%j', (yaml, expected) => {
    expect(masterRefuses(yaml)).toEqual(expected);
  });

  test('broken YAML and a key given twice have their line', () => {
    expect(masterRefuses('http:\n  addr: "x\n')[0]).toMatch(/^ @\d+:\d+ bad_yaml/);
    expect(masterRefuses('name: a\nname: b\n')[0]).toMatch(/^ @2:1 bad_yaml/);
  });

  test('everything wrong is said at once, and a secret is not repeated', () => {
    const secret = 'hunter2hunter2';
    const refused = masterRefuses(`jwt: {secret: ${secret}, expiration: never}\nlogg: 1\n`);
    expect(refused).toHaveLength(3);
    expect(refused.join()).not.toContain(secret);
  });

  test('what an agent cannot do without is asked for', () => {
    const refused = agentRefuses('node:\n  region: HK\n');
    expect(refused.map((r) => r.split(' ')[0])).toEqual(['node.type', 'node.region', 'master.addr']);
    expect(refused[0]).toContain('AICDN_NODE_TYPE');
  });

  test('a host whose name is no node name has to choose one', () => {
    const refused = refusalsOf(() =>
      loadAgentSettings({ ...none, file: shipped('agent.yml'), hostname: 'My_Host' }),
    );
    expect(refused[0]).toMatch(/node\.name bad_value: "my_host" is not a node name \| set node\.name/);
  });

  test('no file, no text, too much text', () => {
    expect(refusalsOf(() => loadMasterSettings({ ...none, file: '/nowhere/at/all' }))).toEqual([
      '/nowhere/at/all unreadable: there is no such file',
    ]);
    expect(
      refusalsOf(() => loadMasterSettings({ ...none, file: written(Buffer.of(0xff, 0xfe)) }))[0],
    ).toContain('not_utf8');
    expect(
      refusalsOf(() => loadMasterSettings({ ...none, file: written('#'.repeat(300_000)) }))[0],
    ).toContain('too_large');
  });

  test('an empty file and empty values are as good as none', () => {
    const bare = loadMasterSettings(none).settings;
    expect(loadMasterSettings({ ...none, file: written('') }).settings).toEqual(bare);
    expect(loadMasterSettings({ ...none, file: written('jwt:\n  secret:\nhttp:\n') }).settings).toEqual(bare);
  });
});

describe('console', () => {
  test('without a file there is one context: this host', () => {
    const file = path.join(dir, 'missing.yml');
    const { settings } = loadConsoleSettings({ ...none, file, fileOptional: true });
    expect(settings.current).toEqual({ name: 'default', socket: '/run/ai-cdn/master.sock' });
  });

  test('contexts are chosen by name, the first one otherwise', () => {
    const file = written('contexts:\n  - {name: prod, socket: /a}\n  - {name: lab, socket: /b}\n');
    expect(loadConsoleSettings({ ...none, file }).settings.current.name).toBe('prod');
    const lab = loadConsoleSettings({ file, env: { AICDN_CURRENT: 'lab' }, flags: {} });
    expect(lab.settings.current).toEqual({ name: 'lab', socket: '/b' });
    expect(refusalsOf(() => loadConsoleSettings({ file, env: {}, flags: { current: 'x' } }))).toEqual([
      'current bad_value: there is no context "x" | one of prod, lab',
    ]);
  });

  test('a part that is wrong has its own place', () => {
    const file = written('contexts:\n  - name: prod\n    socket: run/x\n    colour: red\n');
    const refused = refusalsOf(() => loadConsoleSettings({ ...none, file }));
    expect(refused.some((r) => r.startsWith('contexts[0].socket @3:13'))).toBe(true);
    expect(refused.join()).toContain('colour');
  });

  test('where the file is', () => {
    expect(consoleSettingsFile({ HOME: '/home/lin' })).toBe('/home/lin/.config/ai-cdn/console.yml');
    expect(consoleSettingsFile({ HOME: '/home/lin', XDG_CONFIG_HOME: '/x' })).toBe('/x/ai-cdn/console.yml');
    expect(consoleSettingsFile({})).toBeNull();
  });
});

describe('secrets', () => {
  test.each([
    'your-jwt-secret',
    'your-node-token',
    'secret',
    'changeme',
    'change-me',
    'CHANGE_ME',
    'your-secret-key',
    'password',
    'admin123',
  ])('%s is a sample', (s) => expect(isSample(s)).toBe(true));

  test('one is made once, 0600, and kept', () => {
    const file = path.join(dir, 'state', 'jwt.secret');
    const first = keptSecret(file, (n) => 'a1'.repeat(n));
    expect(first).toHaveLength(64);
    expect(keptSecret(file, (n) => 'b2'.repeat(n))).toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
    writeFileSync(file, '');
    expect(() => keptSecret(file, (n) => 'b2'.repeat(n))).toThrow(/damaged: remove the file/);
  });
});

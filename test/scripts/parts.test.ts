import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAgentSettings } from '../../config/agent.ts';
import { loadMasterSettings } from '../../config/master.ts';
import { ROOT } from '../../scripts/demo/process.ts';
import { sourced } from './shell.ts';

// The parts under scripts/lib, one by one.

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-parts-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(dir, ...parts);

describe('a run that fails', () => {
  const begun = 'begin\ncd "$DIR"\n';

  it('puts back files, folders and links, newest first', async () => {
    writeFileSync(at('kept.yml'), 'before\n');
    symlinkSync('old', at('link'));
    const { code, stderr } = await sourced(
      ['say', 'act'],
      `${begun}me=$(id -un):$(id -gn)
put_dir "$DIR/new" 755 "$me" && put_file "$DIR/new/file" 644 "$me" <<<new
put_file "$DIR/kept.yml" 640 "$me" <<<after
put_link fresh "$DIR/link"
[ "$(cat kept.yml)" = after ] && [ "$(readlink link)" = fresh ] && [ -f new/file ]
die 1 'it went wrong' 'mend it'`,
      { DIR: dir },
    );
    expect(stderr).toBe(
      'error: it went wrong\n  do: mend it\nputting back what was changed\nthis host is as it was before',
    );
    expect(code).toBe(1);
    expect(readFileSync(at('kept.yml'), 'utf8')).toBe('before\n');
    expect(existsSync(at('new'))).toBe(false);
    const link = await sourced([], 'readlink "$DIR/link"', { DIR: dir });
    expect(link.stdout).toBe('old');
  });

  it('is put back as well when a command fails or a signal ends it', async () => {
    for (const end of ['false', 'kill -TERM $$', 'kill -INT $$', 'echo "$never"']) {
      const { code } = await sourced(
        ['say', 'act'],
        `${begun}put_file "$DIR/file" 644 "$(id -un):$(id -gn)" <<<x\n${end}\nsettle`,
        { DIR: dir },
      );
      expect(code, end).not.toBe(0);
      expect(existsSync(at('file')), end).toBe(false);
    }
  });

  it('says nothing changed when all is so already, and counts each change', async () => {
    const lines = `${begun}me=$(id -un):$(id -gn)
put_file "$DIR/file" 644 "$me" <<<x >/dev/null
put_dir "$DIR/in" 750 "$me" >/dev/null
put_link file "$DIR/link" >/dev/null
settle
echo "$CHANGED"`;
    expect((await sourced(['say', 'act'], lines, { DIR: dir })).stdout).toBe('3');
    expect((await sourced(['say', 'act'], lines, { DIR: dir })).stdout).toBe('0');
  });

  it('does nothing in a dry run, and prints what a person could type', async () => {
    const { stdout } = await sourced(
      ['say', 'act'],
      `DRY=1\n${begun}act 'make it' touch "$DIR/it's here"\nput_dir "$DIR/in" 750 root:root\nput_link x "$DIR/link"`,
      { DIR: dir },
    );
    expect(stdout.split('\n')).toEqual([
      `would make it: touch '${dir}/it'\\''s here'`,
      `would make ${dir}/in: install -d -m 750 -o root -g root -- ${dir}/in`,
      `would link ${dir}/link to x`,
    ]);
    expect(existsSync(at('in')) || existsSync(at("it's here"))).toBe(false);
  });
});

describe('the settings that are written', () => {
  const make = (name: string, pairs: readonly (readonly [string, string])[]) =>
    sourced(
      ['say', 'act', 'settings'],
      `text=$(cat "$ROOT/config/${name}")\n${pairs
        .map(([k, v]) => `text=$(set_key '${k}' '${v}' <<<"$text")`)
        .join('\n')}\nprintf '%s\\n' "$text"`,
    );

  it('are the shipped ones with their comments, and hold what was given', async () => {
    const { stdout } = await make('master.yml', [
      ['grpc.addr', ':9443'],
      ['http.addr', '127.0.0.1:8443'],
      ['grpc.advertise', '[master.example.org, "2001:db8::1"]'],
      ['.name', 'asia'],
    ]);
    writeFileSync(at('master.yml'), `${stdout}\n`);
    const { settings, sources } = loadMasterSettings({ file: at('master.yml'), env: {}, flags: {} });
    expect(settings.grpc).toEqual({
      addr: { host: '', port: 9443 },
      advertise: ['master.example.org', '2001:db8::1'],
    });
    expect(settings.http.addr).toEqual({ host: '127.0.0.1', port: 8443 });
    expect(settings.name).toBe('asia');
    expect(sources['name']).toBe('file');
    const comments = (text: string) => text.split('\n').filter((l) => /^\s*#/.test(l)).length;
    const shipped = readFileSync(path.join(ROOT, 'config/master.yml'), 'utf8');
    // One comment less: advertise is a setting now.
    expect(comments(stdout)).toBe(comments(shipped) - 1);
  });

  it('of a node as well, twice over', async () => {
    const pairs = [
      ['node.type', 'core'],
      ['node.region', 'cn'],
      ['node.name', 'cn-1'],
      ['master.addr', '"[2001:db8::1]:50051"'],
    ] as const;
    const { stdout } = await make('agent.yml', [...pairs, ...pairs]);
    writeFileSync(at('agent.yml'), `${stdout}\n`);
    const { settings } = loadAgentSettings({ file: at('agent.yml'), env: {}, flags: {} });
    expect(settings.node).toMatchObject({ type: 'core', region: 'cn', name: 'cn-1' });
    expect(settings.master.addr).toEqual([{ host: '2001:db8::1', port: 50_051 }]);
  });

  it('get a section that an operator took out', async () => {
    writeFileSync(at('short.yml'), 'name: asia\n');
    const { stdout } = await sourced(['settings'], `set_key grpc.addr :9443 <"$DIR/short.yml"`, { DIR: dir });
    expect(stdout).toBe('name: asia\ngrpc:\n  addr: :9443');
  });
});

describe('a release', () => {
  const PROGRAMS = ['aicdn-master', 'aicdn-agent', 'aicdn-engine', 'aicdnctl', 'aicdn-tui'];

  /** One that says its version, as small as can be. */
  function tree(version: string, says = version): string {
    const top = at(`ai-cdn-${version.replaceAll('/', '_')}`);
    const files = [
      'lib/node',
      ...['master', 'agent', 'engine', 'ctl', 'tui'].map((n) => `lib/${n}.mjs`),
      ...['config/master.yml', 'config/agent.yml', 'scripts/manage.sh'],
      ...['master', 'agent', 'engine'].map((n) => `units/ai-cdn-${n}.service`),
      ...PROGRAMS.map((n) => `bin/${n}`),
    ];
    for (const file of files) {
      mkdirSync(path.dirname(path.join(top, file)), { recursive: true });
      writeFileSync(path.join(top, file), `#!/bin/sh\necho '${says}'\n`);
      chmodSync(path.join(top, file), 0o755);
    }
    writeFileSync(path.join(top, 'VERSION'), `${version}\n`);
    return top;
  }
  const check = (top: string) =>
    sourced(['say', 'act', 'release'], 'check_layout "$TOP"\nprintf "%s" "$VERSION"', { TOP: top });

  it('that is whole is known by its version', async () => {
    expect(await check(tree('1.2.3-rc.1'))).toEqual({ code: 0, stdout: '1.2.3-rc.1', stderr: '' });
  });

  it.each<readonly [string, (top: string) => void, RegExp]>([
    [
      'lacks a unit',
      (top) => rmSync(path.join(top, 'units/ai-cdn-engine.service')),
      /no units\/ai-cdn-engine/,
    ],
    ['lacks the runtime', (top) => rmSync(path.join(top, 'lib/node')), /no lib\/node/],
    ['links out of itself', (top) => symlinkSync('/etc/shadow', path.join(top, 'config/x')), /no business/],
    ['climbs out of itself', (top) => symlinkSync('../../../x', path.join(top, 'config/x')), /no business/],
    ['holds a setuid file', (top) => chmodSync(path.join(top, 'bin/aicdnctl'), 0o4755), /no business/],
    ['has no version', (top) => writeFileSync(path.join(top, 'VERSION'), '../../etc\n'), /no version/],
    [
      'is another one',
      (top) => writeFileSync(path.join(top, 'VERSION'), '1.2.4\n'),
      /programs say "1\.2\.3"/,
    ],
    [
      'does not run here',
      (top) => writeFileSync(path.join(top, 'bin/aicdn-agent'), '#!/bin/sh\nexit 126\n'),
      /does not run on this host/,
    ],
  ])('that %s is refused', async (_, spoil, words) => {
    const top = tree('1.2.3');
    spoil(top);
    const { code, stderr } = await check(top);
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  it('is what the sha256 beside it says, or is refused', async () => {
    const file = at('ai-cdn-1.2.3-linux-x64.tar.gz');
    writeFileSync(file, 'content');
    const sum = (given = '') =>
      sourced(['say', 'act', 'release'], `check_sum "$FILE" '${given}'`, { FILE: file });
    const right = 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73';
    expect((await sum()).stderr).toMatch(/^note: no sha256 beside/);
    const beside = at('ai-cdn-1.2.3-linux-x64.sha256');
    writeFileSync(beside, `${'0'.repeat(64)}  other\n${right}  ai-cdn-1.2.3-linux-x64.tar.gz\n`);
    expect(await sum()).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await sum(right.toUpperCase())).code).toBe(0);
    expect((await sum('0'.repeat(64))).stderr).toMatch(/is not what its sha256 says/);
    writeFileSync(file, 'other content');
    expect(await sum()).toMatchObject({ code: 1, stderr: expect.stringMatching(/is not what its sha256/) });
    writeFileSync(beside, `${right}  other\n`);
    expect((await sum()).stderr).toMatch(/does not name/);
  });
});

it('ports are reserved beside those of others, and freed without them', async () => {
  const { stdout } = await sourced(
    ['say', 'act', 'host'],
    `port_list '9000-9003,80' ''; echo; port_list '50051,9001,9001' ''; echo
port_list '80,9000-9003,50051' '50051,9001'; echo; port_list '' ''; echo .`,
  );
  expect(stdout.split('\n')).toEqual(['80,9000,9001,9002,9003', '9001,50051', '80,9000,9002,9003', '.']);
});

describe('a store that a release taken back has migrated', () => {
  const write = (where: string, files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(at(where, name)), { recursive: true });
      writeFileSync(at(where, name), text);
    }
  };
  const taken = () => sourced(['say', 'store'], 'store_as_before "$DIR/db" 2', { DIR: dir });

  it('is of the schema before again, and what was written since is kept', async () => {
    write('db', {
      'store.json': '{"schema":3,"store_id":"ab"}\n',
      'journal/9.jsonl': 'new',
      'snapshot/9.json': 'new',
      'blobs/x': 'blob',
      'schema-2/journal/1.jsonl': 'old',
      'schema-2/snapshot/1.json': 'old',
    });
    expect((await taken()).code).toBe(0);
    const read = (name: string): string => readFileSync(at('db', name), 'utf8');
    expect(JSON.parse(read('store.json'))).toEqual({ schema: 2, store_id: 'ab' });
    expect([read('journal/1.jsonl'), read('snapshot/1.json'), read('blobs/x')]).toEqual([
      'old',
      'old',
      'blob',
    ]);
    expect(existsSync(at('db/journal/9.jsonl'))).toBe(false);
    expect(read('schema-3-taken-back/journal/9.jsonl')).toBe('new');
    expect(JSON.parse(read('schema-3-taken-back/store.json'))).toEqual({ schema: 3, store_id: 'ab' });
    // Again, there is nothing to do.
    expect((await taken()).code).toBe(0);
    expect(read('journal/1.jsonl')).toBe('old');
  });

  it('is left alone while it is half migrated, and where it was not', async () => {
    write('db', {
      'store.json': '{"schema":3,"store_id":"ab","migrating_from":2}\n',
      'journal/1.jsonl': 'old',
      'schema-2/snapshot/1.json': 'old',
    });
    const r = await taken();
    expect([r.code, r.stderr]).toEqual([1, expect.stringContaining('schema 3; what it was before is in')]);
    expect(readFileSync(at('db/journal/1.jsonl'), 'utf8')).toBe('old');
    writeFileSync(at('db/store.json'), '{"schema":2,"store_id":"ab"}\n');
    expect((await taken()).code).toBe(0);
    expect(existsSync(at('db/schema-2/snapshot/1.json'))).toBe(true);
  });
});

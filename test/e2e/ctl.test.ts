import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EDGE_DOCUMENT } from '../../scripts/demo/documents.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { type Ran, run } from '../harness/run.ts';

// aicdnctl as a script has it: exit codes, stdout and stderr against a real master. One master for the file.

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ nodes: [] });
});
afterAll(() => fleet?.stop());

const ctl = (...args: string[]): Promise<Ran> => run('ctl', ['--socket', fleet.socket, ...args]);

function file(name: string, text: string): string {
  const at = path.join(fleet.dir, name);
  writeFileSync(at, text);
  return at;
}

describe('aicdnctl against a master', () => {
  it('token create: the token and the command for the node on stdout, the rest on stderr', async () => {
    const r = await ctl('token', 'create', '--type', 'edge', '--region', 'hk');
    expect(r.code).toBe(0);
    const [token = '', command] = r.stdout.split('\n');
    expect(token).toMatch(/^ct1\.[0-9a-f]{64}\./);
    expect(command).toBe(
      `aicdn-agent join --master 127.0.0.1:${fleet.ports.grpc} --token ${token} --type edge --region hk`,
    );
    expect(r.stderr).toMatch(/works once, until \S+Z/);
  });

  it('config create: a syntax error is file:line:column, the line and a caret under the place', async () => {
    const bad = file('syntax.yml', 'services:\n- name: chat\n  addr: ":1"\n   handler: {type: tcp}\n');
    const r = await ctl('config', 'create', bad);
    expect(r.code).toBe(1);
    expect(r.stdout).toBe('');
    const at = new RegExp(`${bad}:(\\d+):(\\d+): (.+)\\n {2}(\\d+) \\| (.*)\\n +\\| ( *)\\^`).exec(r.stderr);
    expect(at, r.stderr).not.toBeNull();
    const [, line, column, , printed, source, indent] = at ?? [];
    expect([line, printed]).toEqual(['4', '4']);
    expect(source).toBe('   handler: {type: tcp}');
    expect(indent?.length).toBe(Number(column) - 1);
  });

  it('config create: an unknown key is named with its place and what to write instead', async () => {
    const text = EDGE_DOCUMENT.replace('listener: {type: tcp}', 'listner: {type: tcp}');
    const bad = file('unknown.yml', text);
    const line = text.split('\n').findIndex((l) => l.includes('listner')) + 1;
    const r = await ctl('config', 'create', bad);
    expect(r.code).toBe(1);
    expect(r.stderr).toContain(`${bad}:${line}:3: services[0]`);
    expect(r.stderr).toContain(`  ${line} |   listner: {type: tcp}`);
    expect(r.stderr).toMatch(/\| {3}\^/);
    expect(r.stderr).toContain('do:');
    expect(JSON.parse((await ctl('config', 'list', '-o', 'json')).stdout)).toMatchObject({ versions: [] });
  });

  it('a good document becomes v1, and comes back as it was written', async () => {
    const made = await ctl('config', 'create', file('good.yml', EDGE_DOCUMENT), '-o', 'json');
    expect(made.code).toBe(0);
    expect(JSON.parse(made.stdout)).toMatchObject({ version: { label: 'v1', publications: [] } });
    const shown = await ctl('config', 'show', 'v1');
    expect(`${shown.stdout}\n`).toBe(EDGE_DOCUMENT);
  });

  it.each([
    ['node', 'list'],
    ['config', 'list'],
    ['silence', 'list'],
    ['alert', 'list'],
  ])('%s %s: one JSON document with -o json', async (...words) => {
    const r = await ctl(...words, '-o', 'json');
    expect([r.code, r.stderr]).toEqual([0, '']);
    expect(typeof JSON.parse(r.stdout)).toBe('object');
  });

  it('a silence from a script is on the master, and ends there', async () => {
    const made = await ctl(
      'silence',
      'create',
      'node=hk-1',
      '--for',
      '1h',
      '--comment',
      'moves',
      '-o',
      'json',
    );
    expect(made.code, made.stderr).toBe(0);
    const { silences } = await fleet.api.listAlerts();
    expect(silences).toMatchObject([{ comment: 'moves', matchers: [{ name: 'node', value: 'hk-1' }] }]);
    expect((await ctl('silence', 'expire', silences[0]?.id ?? '')).code).toBe(0);
    const again = await ctl('silence', 'expire', 'S-99');
    expect([again.code, again.stdout]).toEqual([5, '']);
    expect(again.stderr).toMatch(/S-99/);
  });

  it.each([
    ['an unknown command', ['bogus']],
    ['a missing argument', ['config', 'create']],
    ['a value that is none of them', ['token', 'create', '--type', 'leaf', '--region', 'hk']],
    ['an unknown option', ['node', 'list', '--colour']],
  ])('%s exits 2 and says what is wrong', async (_, args) => {
    const r = await ctl(...args);
    expect([r.code, r.stdout]).toEqual([2, '']);
    expect(r.stderr).toMatch(/^error: \S/);
  });

  it('a file that is not there is said, not sent', async () => {
    const r = await ctl('config', 'create', path.join(fleet.dir, 'none.yml'));
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(/none\.yml/);
  });

  it('no master: exit 3, and what to do', async () => {
    const r = await run('ctl', ['--socket', path.join(fleet.dir, 'nobody.sock'), 'node', 'list']);
    expect([r.code, r.stdout]).toEqual([3, '']);
    expect(r.stderr).toMatch(/no master answers at .*nobody\.sock/);
    expect(r.stderr).toMatch(/AICDN_SOCKET/);
  });
});

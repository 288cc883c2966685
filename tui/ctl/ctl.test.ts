import { describe, expect, test } from 'vitest';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import { ConsoleMaster, fakeAlert, fakeNode, fakeVersion } from '../../test/fakes/console-master.ts';
import { ManualTime } from '../../test/fakes/manual-time.ts';
import { runCtl } from './ctl.ts';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly master: ConsoleMaster;
}

const EVIL = fakeNode('hk-2', { labels: { note: 'a\u001b[2J\u202eb' } });

async function ctl(
  argv: readonly string[],
  more: { master?: ConsoleMaster; time?: ManualTime; file?: string; tty?: boolean } = {},
): Promise<Ran> {
  const time = more.time ?? new ManualTime();
  const master =
    more.master ??
    new ConsoleMaster({ nodes: [fakeNode('hk-1'), EVIL, fakeNode('us-1', { region: 'us' })] }, { time });
  let out = '';
  let err = '';
  const status = await runCtl(
    argv,
    { socket: () => '/run/test.sock' },
    {
      out: (t) => {
        out += t;
      },
      err: (t) => {
        err += t;
      },
      outIsTty: more.tty ?? false,
      env: {},
      read: async () => {
        if (more.file === undefined) throw new Error('ENOENT: no such file or directory');
        return new TextEncoder().encode(more.file);
      },
      connect: () => master,
      now: time.now,
      sleep: async (ms) => time.advance(ms),
    },
  );
  return { status, out, err, master };
}

const commands: readonly (readonly string[])[] = [
  ['node', 'list'],
  ['node', 'show', 'hk-1'],
  ['config', 'list'],
  ['config', 'show', 'v1'],
  ['config', 'publish', 'v1', '--region', 'hk', '--dry-run'],
  ['alert', 'list'],
  ['silence', 'list', '--all'],
  ['silence', 'create', 'node=hk-1', '--comment', 'maintenance'],
  ['token', 'create', '--type', 'edge', '--region', 'hk'],
  ['reload', 'hk-1', '--wait'],
  ['reload', 'all', '--dry-run'],
];

describe('aicdnctl', () => {
  test.each(commands.map((c) => [c.join(' '), c] as const))(
    '%s -o json is one document on stdout',
    async (_, argv) => {
      const r = await ctl([...argv, '-o', 'json']);
      expect(r.err).toBe('');
      expect(r.status).toBe(0);
      expect(JSON.parse(r.out)).toBeTypeOf('object');
    },
  );

  test.each(commands.map((c) => [c.join(' '), c] as const))(
    '%s shows nothing that moves a cursor',
    async (_, argv) => {
      for (const form of ['table', 'wide', 'json']) {
        const r = await ctl([...argv, '-o', form], { tty: true });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
        expect(r.out + r.err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      }
    },
  );

  test('json keeps the data: what is escaped reads back as it was', async () => {
    const r = await ctl(['node', 'list', '-o', 'json']);
    expect(JSON.parse(r.out).nodes[1].labels.note).toBe('a\u001b[2J\u202eb');
  });

  test('node list lines up, names in their order', async () => {
    const r = await ctl(['node', 'list']);
    const lines = r.out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAME +REGION +TYPE +STATUS +SEEN +CONFIG +SYNC/);
    expect(lines.slice(1).map((l) => l.split(/\s+/)[0])).toEqual(['hk-1', 'hk-2', 'us-1']);
  });

  test('a token and the exact join command', async () => {
    const r = await ctl([
      'token',
      'create',
      '--type',
      'core',
      '--region',
      'us',
      '--name',
      'us-7',
      '--ttl',
      '10m',
    ]);
    expect(r.master.asked).toEqual(['createToken core us us-7']);
    expect(r.out.split('\n')[0]).toMatch(/^ct1\.[0-9a-f]{64}\./);
    expect(r.out).toMatch(/deploy-agent\.sh .* core us us-7 --token ct1\./);
  });

  test('a refused document: file, line, column, the line itself, a caret under the place, what to do', async () => {
    const file = 'services:\n- name: in\n  dialer: {type: tls, tls: {secure: "yes"}}\n';
    const r = await ctl(['config', 'create', 'edge.yml'], { file });
    expect(r.status).toBe(1);
    expect(r.out).toBe('');
    const lines = r.err.split('\n');
    expect(lines[1]).toBe(
      'edge.yml:3:37: services[0].dialer.tls.secure: tls.secure is the text "yes"; true or false is wanted',
    );
    expect(lines[2]).toBe('  3 |   dialer: {type: tls, tls: {secure: "yes"}}');
    expect(lines[3]?.indexOf('^')).toBe(lines[2]?.indexOf('"yes"'));
    expect(lines[4]).toBe('  do: write secure: true');
  });

  test('config create, publish to a part, take back', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster(
      { nodes: [fakeNode('hk-1'), fakeNode('us-1', { region: 'us' })] },
      { time },
    );
    const made = await ctl(['config', 'create', 'x.yml', '--label', 'v2', '--parent', 'v1'], {
      file: 'services: []\n',
      master,
      time,
    });
    expect(made).toMatchObject({ status: 0, out: expect.stringMatching(/^v2 is made/) });
    const to = await ctl(['config', 'publish', 'v2', '--region', 'hk', '--type', 'edge'], { master, time });
    expect(to.out).toBe('v2 is published to 1 node: hk-1\n');
    expect(master.asked.at(-1)).toBe('publish v2 {"nodeType":"edge","regions":["hk"]}');
    const back = await ctl(['config', 'rollback', 'v2', '--reason', 'latency'], { master, time });
    expect(back.out).toBe('v3 puts back v1 on 1 node: hk-1\n');
    expect(master.asked.at(-1)).toBe('rollback v2 1 latency');
  });

  test('reload --wait: a result a node, and 1 when one has not succeeded', async () => {
    const time = new ManualTime();
    const good = await ctl(['reload', 'hk-1', '--wait'], { time });
    expect(good.status).toBe(0);
    expect(good.out).toMatch(/^hk-1 +succeeded +1\.8 s, generation 4 → 5, unchanged, 12 streams kept$/m);
    const master = new ConsoleMaster({ nodes: [fakeNode('hk-1'), fakeNode('hk-2')] }, { time });
    master.status('hk-2', 'down');
    const part = await ctl(['reload', 'region=hk', '--wait'], { master, time });
    expect(part.status).toBe(1);
    expect(part.out).toMatch(/^hk-2 +queued/m);
    expect(part.err).toMatch(/1 nodes have not answered/);
  });

  test('silences: made, listed with time left, ended', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({ nodes: [fakeNode('hk-1')] }, { time });
    master.putAlert(fakeAlert('NodeDown', 'hk-1'));
    const made = await ctl(
      ['silence', 'create', 'alertname=~"Node.*"', 'node=hk-1', '--comment', 'x', '--for', '2h'],
      {
        master,
        time,
      },
    );
    const id = /^S-\d+/.exec(made.out)?.[0] ?? '';
    expect((await ctl(['silence', 'list'], { master, time })).out).toMatch(
      new RegExp(`${id} +active +2h00m +alertname=~"Node`),
    );
    expect((await ctl(['alert', 'list'], { master, time })).out).toMatch(new RegExp(`suppressed ${id}`));
    expect((await ctl(['silence', 'expire', id], { master, time })).out).toBe(`${id} has ended\n`);
    expect((await ctl(['alert', 'list'], { master, time })).out).toMatch(/firing/);
  });

  test('a version that was rolled back to says so, and what is not published too', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({}, { time });
    master.commit([
      { kind: 'version', key: 'v2', value: fakeVersion('v2', { publications: [], createdAt: 5 }) },
      {
        kind: 'version',
        key: 'v3',
        value: fakeVersion('v3', { rollbackOf: 'v1' as VersionLabel, createdAt: 9 }),
      },
    ]);
    const { out } = await ctl(['config', 'list'], { master, time });
    expect(
      out
        .split('\n')
        .slice(1, 4)
        .map((l) => l.split(/\s+/)[0]),
    ).toEqual(['v3', 'v2', 'v1']);
    expect(out).toMatch(/rolls back to v1/);
    expect(out).toMatch(/not published/);
  });

  test('a failed config is shown with its phase and place', async () => {
    const time = new ManualTime();
    const failure = {
      phase: 'prepare' as const,
      refusal: {
        code: 'in_use',
        message: 'tcp :8443 in use by nginx',
        line: 24,
        column: 11,
        path: 'services[1].addr',
      },
      logTail: 'bind: address in use\n',
      reverted: true,
      at: 0,
    };
    const master = new ConsoleMaster(
      { nodes: [fakeNode('hk-1' as NodeName, { configSync: 'failed', failure })] },
      { time },
    );
    const { out } = await ctl(['node', 'show', 'hk-1'], { master, time });
    expect(out).toMatch(/prepare: line 24, column 11: services\[1\]\.addr: tcp :8443 in use by nginx/);
    expect(out).toMatch(/bind: address in use/);
  });

  test.each([
    [['reload'], /missing required argument/],
    [['reload', 'HK 1'], /not a node name/],
    [['reload', 'all', 'hk-1'], /all stands alone/],
    [['token', 'create', '--type', 'leaf', '--region', 'hk'], /one of edge, core/],
    [['silence', 'create', 'node', '--comment', 'x'], /name=value/],
    [['silence', 'create', 'node=~(', '--comment', 'x'], /not a regular expression/],
    [['config', 'rollback', 'v1'], /--reason/],
    [['frobnicate'], /unknown command/],
    [['node', 'list', '-o', 'xml'], /Allowed choices/],
  ])('%j is usage: 2, nothing on stdout', async (argv, why) => {
    const r = await ctl(argv);
    expect(r).toMatchObject({ status: 2, out: '' });
    expect(r.err).toMatch(why);
    expect(r.master.asked).toEqual([]);
  });

  test('refused is 1, nobody there is 3, a file that is not there is 1, help is 0', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({ nodes: [fakeNode('hk-1')] }, { time });
    expect((await ctl(['node', 'show', 'nobody'], { master, time })).status).toBe(1);
    master.refuse = new AppError('forbidden', 'lin may not');
    expect(await ctl(['reload', 'hk-1'], { master, time })).toMatchObject({
      status: 1,
      err: expect.stringMatching(/lin may not/),
    });
    master.down();
    const away = await ctl(['node', 'list'], { master, time });
    expect(away).toMatchObject({ status: 3, out: '' });
    expect(away.err).toMatch(/AICDN_SOCKET/);
    expect((await ctl(['config', 'create', 'gone.yml'])).status).toBe(1);
    const help = await ctl(['--help']);
    expect(help).toMatchObject({ status: 0, err: '' });
    expect(help.out).toMatch(/Exit status:\n +0 +done[\s\S]*3 +no master/);
  });
});

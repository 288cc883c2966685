import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import {
  ConsoleMaster,
  fakeAlert,
  fakeNode,
  fakeVersion,
  fakeVitals,
} from '../../test/fakes/console-master.ts';
import { fakeCounts, fakeRollout, fakeTarget } from '../../test/fakes/console-rollouts.ts';
import { ManualTime } from '../../test/fakes/manual-time.ts';
import type { Contexts } from './context-commands.ts';
import { runCtl } from './ctl.ts';
import { type Api, CtlExit, type CtlIo, EXIT } from './io.ts';

const NO_CONTEXTS: Contexts = {
  all: () => ({
    contexts: [{ name: 'test', socket: '/run/test.sock' }],
    current: { name: 'test', socket: '/run/test.sock' },
  }),
  add: () => {},
  use: () => {},
  file: () => '/nowhere/console.yml',
};

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly master: ConsoleMaster;
}

const EVIL = fakeNode('hk-2', { labels: { note: 'a\u001b[2J\u202eb' } });

async function ctl(
  argv: readonly string[],
  more: {
    master?: ConsoleMaster;
    time?: ManualTime;
    file?: string;
    tty?: boolean;
    ask?: CtlIo['ask'];
    sleep?: CtlIo['sleep'];
  } = {},
): Promise<Ran> {
  const time = more.time ?? new ManualTime();
  const master =
    more.master ??
    new ConsoleMaster({ nodes: [fakeNode('hk-1'), EVIL, fakeNode('us-1', { region: 'us' })] }, { time });
  let out = '';
  let err = '';
  const status = await runCtl(
    argv,
    { master: () => ({ name: 'test', socket: '/run/test.sock' }), contexts: NO_CONTEXTS },
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
      errIsTty: false,
      write: () => Promise.reject(new Error('nothing is written here')),
      ask: more.ask ?? null,
      // People are asked of a real master, in desk.test.ts.
      connect: () => master as unknown as Api,
      now: time.now,
      sleep: more.sleep ?? (async (ms) => time.advance(ms)),
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

const ROLLOUT = fakeRollout('7', {
  state: { kind: 'paused', reason: 'step', why: 'step 1 is over: promote it', phase: 'soaking', until: null },
  counts: fakeCounts({ healthy: 1, failed: 1, waiting: 1 }),
  readings: [
    {
      at: 0,
      number: 1,
      step: 0,
      verdict: 'close',
      why: 'hk TTFT\u001b[2J',
      gates: [
        {
          gate: 'ttft95',
          region: 'hk',
          canary: 804,
          stable: 645,
          change: 24.7,
          limit: 25,
          canarySamples: 194,
          stableSamples: 227,
          canaryNodes: 1,
          stableNodes: 1,
          verdict: 'close',
        },
      ],
      largest: {
        node: 'hk-1' as NodeName,
        gate: 'ttft95',
        region: 'hk',
        value: 804,
        without: null,
        changeWithout: null,
      },
    },
  ],
});
/** A master with one rollout under way. */
function rolling(time = new ManualTime()): { master: ConsoleMaster; time: ManualTime } {
  const nodes = [fakeNode('hk-1'), EVIL, fakeNode('us-1', { region: 'us' })];
  const master = new ConsoleMaster({ nodes }, { time });
  const v42 = fakeVersion('v42', { parent: 'v1' as VersionLabel });
  master.commit([{ kind: 'version', key: 'v42', value: v42 }]);
  master.putRollout(ROLLOUT, [
    fakeTarget('7', 'hk-2', { state: 'failed', released: true, why: 'PREPARE: \u001b]0;x' }),
    fakeTarget('7', 'hk-1', { state: 'healthy', released: true }),
    fakeTarget('7', 'us-1', { region: 'us', step: 1 }),
  ]);
  return { master, time };
}

describe('rollouts', () => {
  test.each([
    ['rollouts', 'list'],
    ['rollout', 'show', '7'],
    ['rollouts', 'promote', '7', '--dry-run'],
    ['rollouts', 'abort', '7', '--yes', '--reason', 'no'],
    ['rollouts', 'revert-last', '--dry-run'],
  ])('%s %s: one document, and nothing that moves a cursor', async (...argv) => {
    const r = await ctl([...argv, '-o', 'json'], rolling());
    expect([r.err, r.status]).toEqual(['', 0]);
    expect(JSON.parse(r.out)).toBeTypeOf('object');
    const shown = await ctl(argv, { ...rolling(), tty: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(shown.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  test('show says the steps, the gates, who contributes most, and the worst nodes first', async () => {
    const { out } = await ctl(['rollouts', 'show', '7'], rolling());
    expect(out).toMatch(/^rollout 7 {2}v42 to everybody {2}paused: step 1 is over: promote it/);
    expect(out).toMatch(/ttft95 +hk +804\.00 +645\.00 +24\.70 +25 +194\/227 +close/);
    expect(out).toMatch(/largest share of hk ttft95: hk-1 at 804\.00; without it -/);
    expect(out.indexOf('hk-2')).toBeLessThan(out.lastIndexOf('us-1'));
  });

  test('a verb that is not possible is refused; what reaches two regions wants the number', async () => {
    const paused = await ctl(['rollouts', 'pause', '7'], rolling());
    expect([paused.status, paused.err]).toEqual([EXIT.refused, expect.stringContaining('is paused')]);
    const r = rolling();
    const full = await ctl(['rollouts', 'promote', '7', '--full'], r);
    expect([full.status, full.err]).toEqual([EXIT.notConfirmed, expect.stringContaining('--yes')]);
    expect((await ctl(['rollouts', 'promote', '7', '--full', '--yes'], r)).out).toMatch(
      /^rollout 7: promote full, it is progressing/,
    );
    expect((await ctl(['rollouts', 'undo', '7'], r)).status).toBe(EXIT.usage);
    expect((await ctl(['rollouts', 'show', '99'], r)).status).toBe(EXIT.notFound);
  });

  test('publish --follow ends with 0 when it succeeded; a watched one that was aborted with 8', async () => {
    const { master, time } = rolling();
    const argv = ['configs', 'publish', 'v1', '--region', 'hk', '--strategy', 'quick', '--follow'];
    const ok = await ctl(argv, { master, time });
    expect(ok.status).toBe(0);
    expect(ok.out).toMatch(/step 1 of 4, progressing, offering\n.* v1: step 1 of 4, succeeded\n$/s);
    expect(master.asked.find((a) => a.startsWith('publish'))).toContain(' quick ');
    await ctl(['rollouts', 'abort', '7', '--yes', '--reason', 'no'], { master, time });
    const gone = await ctl(['rollouts', 'watch', '7'], { master, time });
    expect([gone.status, gone.out]).toEqual([EXIT.notSucceeded, expect.stringContaining('rolled_back: no')]);
    const late = rolling();
    const waited = await ctl(['rollouts', 'watch', '7', '--timeout', '5s'], late);
    expect([waited.status, waited.err]).toEqual([EXIT.notSucceeded, 'rollout 7 goes on on the master\n']);
  });

  test('the fleet revert says what it would do, and wants the number of nodes', async () => {
    const { master, time } = rolling();
    for (const n of ['hk-1', 'us-1']) {
      const was = fakeNode(n, n === 'us-1' ? { region: 'us' } : {});
      master.putNode({ ...was, target: { version: 'v42' as VersionLabel, hash: 'ab'.repeat(32) as never } });
    }
    const dry = await ctl(['rollouts', 'revert-last', '--dry-run'], { master, time });
    expect(dry.out).toMatch(/puts back v1 on 2 nodes, in 1 batch/);
    const no = await ctl(['rollouts', 'revert-last', '--yes'], { master, time });
    expect([no.status, no.err]).toEqual([EXIT.notConfirmed, expect.stringContaining('--confirm 2')]);
    expect((await ctl(['rollouts', 'revert-last', '--confirm', '2'], { master, time })).status).toBe(0);
    expect(master.asked.at(-1)).toMatch(/^revertLast 2/);
  });
});

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
    expect(to.out).toBe('v2 is published to 1 node: hk-1; rollout 1 (standard) takes it there\n');
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

  test('an exit status for each kind of end, and help is none', async () => {
    const time = new ManualTime();
    const regions = [fakeNode('hk-1'), fakeNode('us-1', { region: 'us' })];
    const master = new ConsoleMaster({ nodes: regions }, { time });
    const at = async (argv: readonly string[]) => (await ctl(argv, { master, time })).status;
    expect(await at(['node', 'list'])).toBe(EXIT.ok);
    expect(await at(['config', 'create', 'gone.yml'])).toBe(EXIT.refused);
    expect(await at(['bogus'])).toBe(EXIT.usage);
    expect(await at(['node', 'show', 'nobody'])).toBe(EXIT.notFound);
    expect(await at(['nodes', 'remove', 'hk-1'])).toBe(EXIT.notConfirmed);
    master.refuse = new AppError('forbidden', 'lin may not');
    expect(await ctl(['reload', 'hk-1'], { master, time })).toMatchObject({
      status: EXIT.notAllowed,
      err: expect.stringMatching(/lin may not[\s\S]*do: aicdnctl whoami/),
    });
    master.refuse = new AppError('conflict', 'v1 has changed');
    expect(await at(['config', 'publish', 'v1', '--region', 'hk'])).toBe(EXIT.conflict);
    master.down();
    const away = await ctl(['node', 'list'], { master, time });
    expect(away).toMatchObject({ status: EXIT.notConnected, out: '' });
    expect(away.err).toMatch(/AICDN_SOCKET/);
    const help = await ctl(['--help']);
    expect(help).toMatchObject({ status: 0, err: '' });
    for (const status of Object.values(EXIT)) expect(help.out).toMatch(new RegExp(`^ +${status} +\\S`, 'm'));
  });
});

describe('what reaches far', () => {
  const two = () => {
    const time = new ManualTime();
    const nodes = [fakeNode('hk-1'), fakeNode('hk-2'), fakeNode('us-1', { region: 'us' })];
    return { time, master: new ConsoleMaster({ nodes }, { time }) };
  };
  const done = (m: ConsoleMaster) => m.asked.filter((a) => a.startsWith('publish'));

  test('more than a region wants the number of nodes; yes is no number', async () => {
    const { time, master } = two();
    const argv = ['config', 'publish', 'v1', '--type', 'edge'];
    const alone = await ctl([...argv, '--yes'], { master, time });
    expect(alone).toMatchObject({ status: EXIT.notConfirmed, out: '' });
    expect(alone.err).toMatch(/3 nodes in 2 regions \(hk, us, 36 live streams\).*--confirm 3/);
    expect((await ctl([...argv, '--confirm', '2'], { master, time })).status).toBe(EXIT.notConfirmed);
    expect(done(master)).toEqual([]);
    expect((await ctl([...argv, '--confirm', '3'], { master, time })).out).toMatch(/^v1 is published to 3/);
    const asked: string[] = [];
    const typed = async (prompt: string) => {
      asked.push(prompt);
      return '3';
    };
    expect((await ctl(argv, { master, time, ask: typed })).status).toBe(0);
    expect(asked).toEqual([expect.stringMatching(/Type the number of nodes/)]);
    expect((await ctl(argv, { master, time, ask: async () => 'y' })).status).toBe(EXIT.notConfirmed);
    expect(done(master)).toHaveLength(2);
  });

  test('one region: a reload asks nothing, a restart asks y or n', async () => {
    const { time, master } = two();
    expect((await ctl(['reload', 'region=hk'], { master, time })).status).toBe(0);
    expect((await ctl(['restart', 'hk-1'], { master, time, ask: async () => '' })).status).toBe(
      EXIT.notConfirmed,
    );
    expect((await ctl(['restart', 'hk-1'], { master, time, ask: async () => 'y' })).status).toBe(0);
    expect((await ctl(['drain', 'hk-1', '--yes'], { master, time })).status).toBe(0);
    expect((await ctl(['restart', 'all', '--yes'], { master, time })).status).toBe(EXIT.notConfirmed);
    const orders = master.asked.filter((a) => a.startsWith('runCommand'));
    // Each is asked for twice: who would be hit, then the order; those not confirmed once.
    expect(orders.filter((o) => o.startsWith('runCommand restart hk-1'))).toHaveLength(3);
    expect(orders.filter((o) => o.startsWith('runCommand restart {}'))).toHaveLength(1);
  });
});

describe('forms', () => {
  test('a noun as one or as many, describe or show', async () => {
    expect((await ctl(['nodes', 'list'])).out).toBe((await ctl(['node', 'list'])).out);
    expect((await ctl(['nodes', 'describe', 'hk-1'])).out).toBe((await ctl(['node', 'show', 'hk-1'])).out);
  });

  test('a node whose clock is off is told so, one that is near is not', async () => {
    const time = new ManualTime();
    const shown = async (clockSkewMs: number) => {
      const master = new ConsoleMaster({ nodes: [fakeNode('hk-1')] }, { time });
      master.setVitals(fakeVitals('hk-1', time.now(), { clockSkewMs }));
      return (await ctl(['node', 'show', 'hk-1'], { master, time })).out;
    };
    expect(await shown(-3_200)).toMatch(/clock +3\.2 s behind the master's: .* \(NTP\)/);
    expect(await shown(90_000)).toMatch(/clock +90\.0 s ahead of the master's/);
    expect(await shown(40)).not.toMatch(/clock/);
  });

  test('-o name, --no-headers and filters', async () => {
    expect((await ctl(['nodes', 'list', '-o', 'name', '--region', 'hk'])).out).toBe('hk-1\nhk-2\n');
    expect((await ctl(['nodes', 'list', '--no-headers', '--region', 'us'])).out).toMatch(/^us-1 /);
    const none = await ctl(['nodes', 'list', '--status', 'down']);
    expect(none).toMatchObject({ status: 0, out: '', err: 'none of 3 nodes fits\n' });
  });

  test('yaml is the same data as json', async () => {
    const [yaml, json] = await Promise.all([
      ctl(['nodes', 'list', '-o', 'yaml']),
      ctl(['nodes', 'list', '-o', 'json']),
    ]);
    expect(parse(yaml.out)).toEqual(JSON.parse(json.out));
  });

  test('--watch prints again when something changed, in a pipe a document a line', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({ nodes: [fakeNode('hk-1')] }, { time });
    let looks = 0;
    const r = await ctl(['nodes', 'list', '--watch', '-o', 'json'], {
      master,
      time,
      sleep: async () => {
        looks += 1;
        if (looks === 2) master.putNode(fakeNode('hk-9'));
        if (looks === 4) throw new CtlExit(EXIT.ok);
      },
    });
    const documents = r.out.trimEnd().split('\n');
    expect(documents.map((d) => JSON.parse(d).nodes.length)).toEqual([1, 2]);
  });

  test('a followed log ends by itself, and says why on stderr', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({ nodes: [fakeNode('hk-1')] }, { time });
    const running = ctl(['logs', 'hk-1', '-f', '--for', '5s'], { master, time });
    await new Promise(setImmediate);
    time.advance(5_000);
    const r = await running;
    expect(r.out.split('\n')).toHaveLength(3);
    expect(r.err).toBe('its time is over\n');
  });

  test('labels are set and taken away; what is neither is not sent', async () => {
    const { out, master } = await ctl(['nodes', 'label', 'hk-1', 'rack=a3', 'isp-']);
    expect(out).toBe('hk-1: rack=a3\n');
    expect(master.asked).toEqual(['updateNode hk-1 {"rack":"a3","isp":null} ']);
    expect((await ctl(['nodes', 'label', 'hk-1', 'rack'])).status).toBe(EXIT.usage);
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) =>
    (await ctl(['__complete', '--', ...words])).out.trimEnd().split('\n');

  test.each([
    [['no'], ['nodes']],
    [['nodes', 'rem'], ['remove']],
    [
      ['node', 'show', 'hk'],
      ['hk-1', 'hk-2'],
    ],
    [
      ['nodes', 'list', '--region', ''],
      ['hk', 'us'],
    ],
    [['nodes', 'list', '--region=u'], ['--region=us']],
    [
      ['-o', ''],
      ['json', 'name', 'table', 'wide', 'yaml'],
    ],
    [['-o', 'json', 'config', 'show', ''], ['v1']],
    [
      ['reload', 'hk-1', 'region='],
      ['region=hk', 'region=us'],
    ],
    [['context', 'use', ''], ['test']],
    [['commands', 'run', 'reload', 'us'], ['us-1']],
    [['config', 'create', ''], [':files']],
    [['certificates', 'set', 'web', '--cert', ''], [':files']],
    [
      ['tokens', 'create', '--type', ''],
      ['core', 'edge'],
    ],
    [['nodes', 'list', '--la'], ['--label-selector']],
    [['users', 'create', ''], ['']],
  ])('%j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  test('without a master there are no names, and no error', async () => {
    const time = new ManualTime();
    const master = new ConsoleMaster({}, { time });
    master.down();
    const r = await ctl(['__complete', '--', 'nodes', 'show', ''], { master, time });
    expect(r).toMatchObject({ status: 0, out: '', err: '' });
  });
});

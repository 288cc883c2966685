import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EDGE_DOCUMENT } from '../../scripts/demo/documents.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { program, until } from '../../scripts/demo/process.ts';
import { guarded, openTty, type Tty } from '../harness/tty.ts';

// The console as its user has it: a shell on a real pty, a fleet of real processes under live streams. One fleet and
// one console for the file; each test goes on where the one before left off, on the node named in the filter.

let fleet: Fleet;
let tty: Tty;

beforeAll(async () => {
  fleet = await Fleet.start({ clients: 2 });
  tty = openTty({ cols: 120, rows: 40, env: { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', NODE_ENV: 'production' } });
});
afterAll(async () => {
  tty?.close();
  await fleet?.stop();
});

const edge = async (name: string) => {
  const { nodes } = await fleet.api.listNodes();
  const node = nodes.find((n) => n.name === name);
  if (node === undefined) throw new Error(`no ${name}`);
  return node;
};
const tokens = () => Object.values(fleet.tallies).reduce((sum, t) => sum + t.tokens, 0);
const failed = () => Object.values(fleet.tallies).map((t) => t.failed);

/** Streams go on from here: more tokens, nothing cut. */
async function flowsOn(): Promise<void> {
  const before = tokens();
  await until('more tokens', 15_000, () => (tokens() > before + 20 ? true : null));
  expect(failed()).toEqual([0, 0]);
}

describe('the console on a real fleet', () => {
  it('shows every node with its version and its streams', async () => {
    const command = `${process.execPath} ${program('tui')} --socket ${fleet.socket}`;
    tty.type(guarded(command));
    for (const [name, type, version] of [
      ['hk-1', 'hk edge', 'v2'],
      ['hk-2', 'hk edge', 'v2'],
      ['cn-1', 'cn core', 'v1'],
    ]) {
      await tty.wait(new RegExp(`${name} +${type} ● ready +<10s ${version} +[1-9]`));
    }
    await tty.wait(/● 3 ready +[1-9]\d* streams/);
    expect(tty.term.buffer.active.type).toBe('alternate');
    tty.type('/hk-1\r');
    await tty.wait(/Nodes {2}\/hk-1 {2}1 of 3/);
  });

  it('r reloads: the line says what became of it, and the engine agrees', async () => {
    const before = (await edge('hk-1')).engine?.generation ?? 0;
    tty.type('r');
    const said = await tty.wait(
      /● reload hk-1: succeeded \S+ m?s, \d+ streams kept, generation \d+ → \d+, unchanged/,
    );
    const [, from, to] = /generation (\d+) → (\d+)/.exec(said) ?? [];
    expect([Number(from), Number(to)]).toEqual([before, before + 1]);
    await until('the generation at the master', 10_000, async () =>
      (await edge('hk-1')).engine?.generation === before + 1 ? true : null,
    );
  });

  it('m silences: what would match, a comment, and it is on the master', async () => {
    tty.type('m');
    await tty.wait(/Silence all alerts on hk-1/);
    await tty.wait(/It would silence now +0 alerts +on 1 of 3 nodes/);
    await tty.typeUntil('\r', /a comment is wanted/);
    tty.type('core moves 维护');
    await tty.wait(/comment +core moves 维护/);
    tty.type('\r');
    await tty.wait(/● silence S-1 is made; 4 Tab e ends it/);
    const { silences } = await fleet.api.listAlerts();
    expect(silences).toMatchObject([
      { id: 'S-1', comment: 'core moves 维护', matchers: [{ value: 'hk-1' }] },
    ]);
  });

  it('and the message tells how to end it', async () => {
    tty.type('4\t');
    await tty.wait(/> S-1 +○ active/);
    tty.type('e');
    await tty.wait(/End S-1 now\?/);
    await tty.typeUntil('y', /● silence S-1 has ended/);
    await tty.wait(/S-1 +○ expired/);
    tty.type('1');
    await tty.wait(/\[1 Nodes]/);
  });

  it('a version the node refuses: why is on the screen, and no stream notices', async () => {
    const port = fleet.ports.originB;
    const taken = `\
- name: taken
  addr: "127.0.0.1:${port}"
  handler: {type: tcp, chain: to-core}
  listener: {type: tcp}
chains:
`;
    await fleet.api.createConfig(
      { reason: 'test' },
      {
        label: 'v3',
        description: '',
        body: Buffer.from(EDGE_DOCUMENT.replace('chains:\n', taken)),
        parent: 'v2',
      },
    );
    await fleet.api.publish(
      { reason: 'test' },
      {
        label: 'v3',
        target: { nodes: [(await edge('hk-1')).name] },
        dryRun: false,
      },
    );
    await tty.wait(/hk-1 +hk edge ✗ ready +<10s v2 ✗ .* refused v3/);
    tty.type('\r');
    await tty.wait(/config_sync +✗ failed v3/);
    await tty.wait(/v3 PREPARE at \S+, keeps v2/);
    await tty.wait(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use`));
    await flowsOn();
    tty.type('\u001b');
    await tty.wait(/Nodes {2}\/hk-1/);
  });

  it('u takes it back: a new version with the content before, once reason and count are typed', async () => {
    tty.type('u');
    await tty.wait(/Roll back v3/);
    await tty.wait(/the content of v2 as a new version v4, byte for byte/);
    await tty.wait(/hits +1 node: hk-1/);
    await tty.typeUntil('\r', /a reason is wanted/);
    tty.type('the port is taken\t2\r');
    await tty.wait(/2 is not 1/);
    expect((await fleet.api.listConfigs()).map((v) => v.label)).not.toContain('v4');
    tty.type('\u007f1');
    await tty.wait(/● matches/);
    tty.type('\r');
    await tty.wait(/● v4 puts back v2 on 1 node; u takes it back/);
    await tty.wait(/hk-1 +hk edge ● ready +<10s v4 /);
    await fleet.inSync(['hk-1']);
    const [was, is] = await Promise.all(['v2', 'v4'].map((label) => fleet.api.getConfig(label)));
    expect(Buffer.from(is?.body ?? []).equals(Buffer.from(was?.body ?? []))).toBe(true);
    expect(is?.version).toMatchObject({ rollbackOf: 'v2' });
    await flowsOn();
  });

  it('the master dies: the last picture stays, dated, keys that act are off; it comes back by itself', async () => {
    fleet.master.kill('SIGKILL');
    await tty.wait(/STALE/);
    await tty.wait(/✗ no master for \d+ s/);
    await tty.wait(/as of \d\d:\d\d:\d\d, greyed/);
    tty.type('r');
    await tty.wait(/r reload is off: no master/);
    expect(tty.screen().join('\n')).toMatch(/hk-1 +hk edge ● ready/);
    await flowsOn();
    await fleet.startMaster();
    await tty.wait(/● back after \d+ s: \d+ changes? taken in, none missed/);
    await tty.wait(/live 1s/);
    expect(tty.screen().join('\n')).not.toMatch(/STALE|as of/);
    await fleet.inSync();
    // Agents say again what the old master may not have heard; nobody is blamed anew.
    await tty.wait(/hk-1 +hk edge ● ready +<10s v4 /);
    expect(tty.text()).not.toMatch(/refused/);
  });

  it('any size, at any time', async () => {
    tty.resize(58, 14);
    await tty.wait(/needs 60 x 15\. {2}This is 58 x 14/);
    tty.resize(80, 24);
    await tty.wait(/\? all $|\? all$/m);
    expect(tty.screen()).toHaveLength(24);
    expect(tty.screen()[0]).toMatch(/\[1 Nodes\].*live 1s {2}\d\d:\d\d:\d\d/);
  });

  it('q twice leaves the terminal as it was', async () => {
    tty.type('q');
    await tty.wait(/q once more quits/);
    tty.type('q');
    await tty.wait(/code=0\s+same/);
    expect(tty.term.buffer.active.type).toBe('normal');
    expect(tty.term.modes.bracketedPasteMode).toBe(false);
    expect(failed()).toEqual([0, 0]);
  });
});

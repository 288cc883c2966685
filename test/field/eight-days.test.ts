import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { end, until } from '../../scripts/demo/process.ts';

// libfaketime (apt: libfaketime) under every process of the fleet: its certificates last seven days.

const LIBRARY = ['x86_64', 'aarch64']
  .map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));
const NODES = ['cn-1', 'hk-1'];

let fleet: Fleet;
beforeAll(async () => {
  if (LIBRARY === undefined) throw new Error('libfaketime is missing: apt-get install libfaketime');
  fleet = await Fleet.start({ nodes: NODES });
}, 60_000);
afterAll(async () => {
  clock(null);
  await fleet?.stop();
});

/** What the next processes take for now: `+8d`, or the real time. */
function clock(offset: string | null): void {
  const faked = {
    LD_PRELOAD: LIBRARY,
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  for (const [name, value] of Object.entries(faked)) {
    if (offset === null || value == null) delete process.env[name];
    else process.env[name] = value;
  }
}

async function switchedOff(): Promise<void> {
  const engines = [...fleet.engines.values()];
  await Promise.all([...fleet.agents.values()].map((c) => end(c.pid)));
  await Promise.all(engines.map((pid) => end(pid)));
  await end(fleet.master.pid);
}

async function certificates(): Promise<Map<string, { serial: string; notAfter: number }>> {
  const { nodes } = await fleet.api.listNodes();
  return new Map(
    nodes.map((n) => [
      n.name,
      { serial: n.certificate?.serial ?? '', notAfter: n.certificate?.notAfter ?? 0 },
    ]),
  );
}

it.each([
  ['eight days', '+8d', 8],
  ['another three weeks', '+29d', 29],
])(
  '%s without power, master and agents: all come back by themselves, with new certificates',
  async (_, offset, days) => {
    const before = await certificates();
    await switchedOff();
    clock(offset);
    await fleet.startMaster();
    await Promise.all(NODES.map((name) => fleet.startAgent(name)));
    await fleet.inSync(NODES, 90_000);
    const seen = await until('new certificates', 30_000, async () => {
      const now = await certificates();
      return NODES.every((n) => now.get(n)?.serial !== before.get(n)?.serial) ? now : null;
    });
    const then = Date.now() + days * 86_400_000;
    for (const name of NODES) {
      expect(before.get(name)?.notAfter).toBeLessThan(then);
      expect(seen.get(name)?.notAfter).toBeGreaterThan(then + 6 * 86_400_000);
    }
    // And the tunnel between them, which shows the same certificates, carries.
    const answer = await fetch(`http://127.0.0.1:${fleet.ports.chat1}/v1/models`);
    expect(answer.status).toBeLessThan(500);
    expect((await fleet.api.verifyAudit()).fault).toBeNull();
  },
  240_000,
);

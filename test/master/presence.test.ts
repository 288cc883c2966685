import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryMaster } from '../harness/memory-master.ts';

const DAY = 86_400_000;
let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
  await m.join('hk-1');
  await m.pass(5, ['hk-1']);
});
const status = () => m.services.nodes.get('hk-1').vitals.status;

it('a clock that goes back by a moment changes nothing', () => {
  m.now -= 5;
  expect(status()).toBe('initializing');
});

describe('a clock that is set', () => {
  it.each([30 * DAY, -31 * DAY, 10_000, -10_000])(
    'by %i ms calls nobody down, whoever looks first',
    async (ms) => {
      expect(status()).toBe('initializing');
      m.now += ms;
      // Read before the next tick and before the next heartbeat.
      expect(status()).toBe('unknown');
      await m.pass(3);
      expect(status()).toBe('unknown');
      await m.pass(10, ['hk-1']);
      expect(status()).toBe('initializing');
      // Silence after that counts as it always does.
      await m.pass(45);
      expect(status()).toBe('down');
    },
  );
});

describe('a node’s clock', () => {
  it('is not known before it has said anything', async () => {
    await m.join('hk-2');
    expect(m.services.nodes.get('hk-2').vitals.clockSkewMs).toBeNull();
  });

  it('is judged by the middle one of its last heartbeats: one that was held up says nothing of it', async () => {
    await m.join('hk-2');
    for (const ahead of [3000, 3010, -60_000, 2990, 3005]) m.heartbeat('hk-2', ahead);
    expect(m.services.nodes.get('hk-2').vitals.clockSkewMs).toBe(3000);
    for (let i = 0; i < 3; i++) m.heartbeat('hk-2', -15);
    expect(m.services.nodes.get('hk-2').vitals.clockSkewMs).toBe(-15);
  });

  it('is judged anew in each conversation', async () => {
    await m.join('hk-2');
    m.heartbeat('hk-2', 9000);
    await m.connect('hk-2');
    expect(m.services.nodes.get('hk-2').vitals.clockSkewMs).toBeNull();
  });
});

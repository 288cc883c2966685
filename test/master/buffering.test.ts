import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { reportOf, sliceOf } from '../fakes/traffic.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});

type Flow = readonly [ttft: number, gap: number];
const USUAL: Flow = [400, 30];
const HELD: Flow = [1600, 0.3];
const SLOW: Flow = [1600, 110];

/** Minutes of ten answers each, forty chunks an answer, and a second's tick at the end of each. */
async function minutes(n: number, flows: Readonly<Record<string, Flow | null>>): Promise<void> {
  for (let i = 0; i < n; i++) {
    m.now += 59_000;
    for (const [name, flow] of Object.entries(flows)) {
      if (flow === null) continue;
      const [ttft, gap] = flow;
      const slice = sliceOf('chat', { ttft: Array(10).fill(ttft), gap: Array(400).fill(gap) });
      m.services.agents.metrics(name as NodeName, reportOf([slice], 59_000));
    }
    await m.pass(1, Object.keys(flows));
  }
}

function alert(node: string) {
  return m.services.alerts.list().find((a) => a.rule === 'Buffering' && a.labels['node'] === node);
}

describe('Buffering', () => {
  it('answers that are held back are named, where and by how much, and are over when they are', async () => {
    await m.join('hk-1');
    await minutes(40, { 'hk-1': USUAL });
    expect(alert('hk-1')).toBeUndefined();
    await minutes(8, { 'hk-1': HELD });
    expect(alert('hk-1')).toMatchObject({ state: 'firing', severity: 'warning', labels: { region: 'hk' } });
    expect(alert('hk-1')?.value).toMatch(/held back .* TTFT p95 1\.\d s \(was \d{3} ms\), gap p99 \d ms/);
    const said = m.store
      .snapshot()
      .list('event')
      .filter((e) => e.text.startsWith('Buffering hk-1 firing'));
    expect(said).toHaveLength(1);
    await minutes(8, { 'hk-1': USUAL });
    expect(alert('hk-1')).toMatchObject({ state: 'resolved' });
  });

  it('a slow model is none', async () => {
    await m.join('hk-1');
    await minutes(30, { 'hk-1': USUAL });
    await minutes(12, { 'hk-1': SLOW });
    expect(alert('hk-1')).toBeUndefined();
  });

  it('it does not become the usual while it lasts', async () => {
    await m.join('hk-1');
    await minutes(30, { 'hk-1': USUAL });
    await minutes(100, { 'hk-1': HELD });
    expect(alert('hk-1')).toMatchObject({ state: 'firing' });
  });

  it('a node without a past is compared with its like', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await m.join('sg-1', {}, { region: 'sg' });
    await minutes(45, { 'hk-1': USUAL, 'hk-2': null, 'sg-1': null });
    await minutes(8, { 'hk-1': USUAL, 'hk-2': HELD, 'sg-1': HELD });
    expect(alert('hk-2')).toMatchObject({ state: 'firing' });
    expect(alert('hk-1')).toBeUndefined();
    // In its region nobody has a past: nothing is said of it.
    expect(alert('sg-1')).toBeUndefined();
  });

  it('is over when nobody asks any more', async () => {
    await m.join('hk-1');
    await minutes(30, { 'hk-1': USUAL });
    await minutes(8, { 'hk-1': HELD });
    expect(alert('hk-1')).toMatchObject({ state: 'firing' });
    await minutes(18, { 'hk-1': null });
    expect(alert('hk-1')).toMatchObject({ state: 'resolved' });
  });
});

import { expect, test } from 'vitest';
import { edgeDocument } from '../harness/memory-master.ts';
import { RestMaster } from '../harness/rest-master.ts';

test('what a region says already is marked, and can be left out', async () => {
  const rest = await RestMaster.start();
  try {
    const { master } = rest;
    const names = ['hk-1', 'hk-2', 'hk-3', 'hk-4', 'hk-5'];
    for (const name of names) await master.join(name);
    await master.create('v1', edgeDocument(8090));
    await master.publish('v1');
    await master.ackAll();
    for (const name of names) await master.disconnect(name);
    await master.pass(40);
    const list = async (query: string) =>
      (await rest.call('GET', `/alerts?${query}`, { as: 'viewer' })).body['alerts'] as {
        id: string;
        rule: string;
        labels: Record<string, string>;
        inhibited_by: string[];
      }[];
    const [region, ...others] = await list('inhibited=false');
    expect(others).toEqual([]);
    expect(region).toMatchObject({ rule: 'RegionDown', labels: { region: 'hk' }, inhibited_by: [] });
    const held = await list('inhibited=true');
    expect(held.map((a) => a.labels['node']).sort()).toEqual(names);
    expect(new Set(held.flatMap((a) => a.inhibited_by))).toEqual(new Set([region?.id]));
    expect((await rest.call('GET', `/alerts/${held[0]?.id}`)).body).toMatchObject({
      rule: 'NodeDown',
      inhibited_by: [region?.id],
    });
    // Those of nodes wait a minute before they fire.
    await master.pass(60);
    const counted = async (): Promise<string[]> => {
      const text = await (await fetch(`${rest.base}/metrics`)).text();
      return text.split('\n').filter((l) => l.startsWith('ai_cdn_alerts_firing{severity="critical"'));
    };
    const of = (active: number, suppressed: number): string[] => [
      `ai_cdn_alerts_firing{severity="critical",state="active"} ${active}`,
      `ai_cdn_alerts_firing{severity="critical",state="suppressed"} ${suppressed}`,
    ];
    expect(await counted()).toEqual(of(1, 5));
    expect((await rest.call('POST', `/alerts/${region?.id}/silence`)).status).toBe(201);
    expect(await counted()).toEqual(of(0, 6));
  } finally {
    await rest.stop();
  }
});

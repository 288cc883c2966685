import { get } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import { sliceOf } from '../../test/fakes/traffic.ts';
import { Exposition } from './exposition.ts';

const TOKEN = 'a-token-of-this-test';
const running: Exposition[] = [];
afterEach(async () => {
  for (const e of running.splice(0)) await e.stop();
});

async function start(token: string | null = null, engine = new EngineTwin()) {
  const exposition = new Exposition(
    { token },
    {
      engine,
      info: () => null,
      host: async () => ({
        cpuPct: 25,
        memPct: null,
        openFiles: 7,
        diskFreeBytes: null,
        openFilesLimit: 1024,
      }),
      traffic: async () => ({ in: 5000, out: 70 }),
      certificateUntil: () => 1_800_000_000_000,
    },
  );
  const { port } = await exposition.start({ host: '127.0.0.1', port: 0 });
  running.push(exposition);
  return (path = '/metrics', authorization = ''): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const headers = authorization === '' ? {} : { authorization };
      get({ port, host: '127.0.0.1', path, headers, agent: false }, (r) => {
        let text = '';
        r.setEncoding('utf8').on('data', (c) => {
          text += c;
        });
        r.on('end', () => resolve({ status: r.statusCode ?? 0, text }));
      }).on('error', reject);
    });
}

describe('/metrics of a node', () => {
  it('has what its engine has counted, by service, and the histograms of all of them', async () => {
    const engine = new EngineTwin();
    engine.counters = [
      sliceOf('chat', { ttft: [300, 400, 900] }, { streams: 3, abortedTunnel: 2 }),
      sliceOf('batch', { ttft: [50] }, { streams: 1, bytesOut: 99 }),
    ];
    const { status, text } = await (await start(null, engine))();
    expect(status).toBe(200);
    const lines = text.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'ai_cdn_engine_up 1',
        'ai_cdn_connections_active 4',
        'ai_cdn_requests_total{service="chat"} 3',
        'ai_cdn_sent_bytes_total{service="batch"} 99',
        'ai_cdn_streams_aborted_total{service="chat",by="tunnel"} 2',
        'ai_cdn_ttft_seconds_bucket{le="+Inf"} 4',
        'ai_cdn_ttft_seconds_sum 1.65',
        'ai_cdn_host_cpu_ratio 0.25',
        'ai_cdn_max_fds 1024',
        'ai_cdn_host_network_received_bytes_total 5000',
        'ai_cdn_certificate_expiry_timestamp_seconds 1800000000',
      ]),
    );
    // What cannot be read is absent, never 0.
    expect(text).not.toMatch(/host_memory_ratio|disk/);
  });

  it('without an engine there is the host, and that the engine is not there', async () => {
    const engine = new EngineTwin();
    engine.stats = () => Promise.reject(new Error('not there'));
    const { text } = await (await start(null, engine))();
    expect(text).toContain('ai_cdn_engine_up 0\n');
    expect(text).toContain('ai_cdn_open_fds 7\n');
    expect(text).not.toContain('ai_cdn_requests_total');
  });

  it('where there is a token, it is wanted', async () => {
    const ask = await start(TOKEN);
    expect((await ask()).status).toBe(401);
    expect((await ask('/metrics', 'Bearer nonsense')).status).toBe(401);
    expect((await ask('/metrics', `Basic ${TOKEN}`)).status).toBe(401);
    expect((await ask('/', '')).status).toBe(401);
    expect((await ask('/metrics', `Bearer ${TOKEN}`)).status).toBe(200);
    expect((await ask('/else', `Bearer ${TOKEN}`)).status).toBe(404);
  });

  it.each(['', '0.0.0.0', '::', '192.0.2.1'])('%j is not listened on without one', async (host) => {
    const needs = { engine: new EngineTwin(), info: () => null, certificateUntil: () => 0 };
    const figures = { cpuPct: null, memPct: null, openFiles: null, diskFreeBytes: null };
    const exposition = new Exposition(
      { token: null },
      { ...needs, host: async () => figures, traffic: async () => null },
    );
    await expect(exposition.start({ host, port: 0 })).rejects.toThrow(
      /metrics\.token_file, or listen on 127/,
    );
  });
});

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeDocument } from '../harness/memory-master.ts';
import { RestMaster } from '../harness/rest-master.ts';

let rest: RestMaster;
beforeAll(async () => {
  rest = await RestMaster.start();
  for (const name of ['hk-1', 'hk-2', 'hk-3']) await rest.master.join(name);
});
afterAll(() => rest.stop());

const silence = (comment: string) => ({
  matchers: [{ name: 'node', value: 'nobody' }],
  duration_ms: 60_000,
  comment,
});

/** As it stands on the wire: what fetch would not send. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(rest.base).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (d) => {
      answer += d.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

describe('problems', () => {
  const problem = {
    type: expect.stringContaining('urn:ai-cdn:problem:') as string,
    instance: expect.any(String) as string,
  };

  test.each([
    ['GET', '/nodes/not-there', {}, 404, 'not_found'],
    ['GET', '/nowhere', {}, 404, 'not_found'],
    ['GET', '/nodes?unknown=1', {}, 400, 'invalid'],
    ['GET', '/nodes?limit=0', {}, 400, 'invalid'],
    ['GET', '/nodes?limit=1e3', {}, 400, 'invalid'],
    ['GET', '/nodes?cursor=!!', {}, 400, 'invalid'],
    ['DELETE', '/nodes', {}, 405, 'method_not_allowed'],
    ['POST', '/nodes/hk-1', {}, 405, 'method_not_allowed'],
    ['GET', '/nodes', { headers: { accept: 'application/xml' } }, 406, 'not_acceptable'],
    [
      'POST',
      '/silences',
      { body: 'comment=1', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    ['POST', '/silences', { body: '{"comment": "x' }, 400, 'invalid'],
    ['POST', '/silences', { body: { ...silence('x'), more: 1 } }, 400, 'invalid'],
    ['POST', '/silences', { body: '{"__proto__": {"comment": "x"}}' }, 400, 'invalid'],
    ['POST', '/silences', { body: '['.repeat(100_000) }, 400, 'invalid'],
    ['POST', '/silences', { body: { ...silence('x'.repeat(300_000)) } }, 413, 'too_large'],
    ['POST', '/configs', { body: { config: edgeDocument(1), config_data: 'YQ==' } }, 400, 'invalid'],
    [
      'POST',
      '/commands',
      { body: { command: 'reload', target_type: 'all', target_ids: ['hk-1'] } },
      400,
      'invalid',
    ],
    ['POST', '/commands', { body: { command: 'reload', target_type: 'node' } }, 400, 'invalid'],
    ['POST', '/commands', { body: { command: 'explode', target_type: 'all' } }, 400, 'invalid'],
    [
      'POST',
      '/commands',
      { body: { command: 'reload', target_type: 'node', target_ids: ['no-such'] } },
      404,
      'not_found',
    ],
    ['POST', '/nodes/no-such/reload', {}, 404, 'not_found'],
  ] as const)('%s %s %j -> %i %s', async (method, path, asking, status, code) => {
    const r = await rest.call(method, path, asking);
    expect(r.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(r.body).toMatchObject({ ...problem, status, code, request_id: r.headers.get('x-request-id') });
    expect(r.status).toBe(status);
    expect(r.text).not.toMatch(/\bat .*\.(ts|js|mjs):\d|node_modules|FST_|Zod/);
  });

  test('a document is refused with its line and column', async () => {
    const config = edgeDocument(8301).replace('listener: {type: tcp}', 'listener: {type: pigeon}');
    const r = await rest.call('POST', '/configs', { body: { version: 'bad', config } });
    expect(r.body).toMatchObject({
      status: 400,
      code: 'invalid',
      refusals: [{ line: 5, column: expect.any(Number) as number }],
    });
  });

  test('405 says what is allowed', async () => {
    const r = await rest.call('PATCH', '/nodes/hk-1');
    expect(r.headers.get('allow')).toBe('DELETE, GET, HEAD, PUT');
  });

  test('401 says how to come in', async () => {
    const r = await rest.call('GET', '/nodes', { as: 'nobody' });
    expect(r.status).toBe(401);
    expect(r.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test('a fault nobody foresaw keeps its text to the log', async () => {
    const { nodes } = rest.master.services;
    const { detail } = nodes;
    Object.defineProperty(nodes, 'detail', {
      configurable: true,
      writable: true,
      value: () => {
        throw new Error('the vault is under the stairs');
      },
    });
    try {
      const r = await rest.call('GET', '/metrics/nodes/hk-1');
      expect(r.body).toMatchObject({ status: 500, code: 'internal' });
      expect(r.text).not.toContain('stairs');
      const line = rest.master.log.lines.find((l) => l.message === 'request failed');
      expect(line?.fields).toContain('stairs');
      expect(line?.fields).toContain(`${r.body['request_id']}`);
    } finally {
      Object.defineProperty(nodes, 'detail', { configurable: true, writable: true, value: detail });
    }
  });

  test('what is no HTTP gets one as well, and the socket is closed', async () => {
    for (const text of [
      '\x16\x03\x01\x02\x00\x01\x00',
      'GET / HTTP/9.9\r\n\r\n',
      `GET /${'x'.repeat(40_000)} HTTP/1.1\r\n\r\n`,
    ]) {
      const answer = await raw(text);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d .*\r\n/);
      expect(answer).toContain('application/problem+json');
    }
  });

  test('a store that refuses writes: 503 with Retry-After, reads go on', async () => {
    rest.master.store.fail('no space left on device');
    try {
      const r = await rest.call('POST', '/silences', { body: silence('while full') });
      expect(r.status).toBe(503);
      expect(r.headers.get('retry-after')).toBe('1');
      expect((await rest.call('GET', '/nodes')).status).toBe(200);
      const health = await fetch(`${rest.base}/health`);
      expect([health.status, await health.json()]).toEqual([
        503,
        { status: 'degraded', reason: 'no space left on device' },
      ]);
    } finally {
      rest.master.store.fail(null);
    }
    expect((await fetch(`${rest.base}/health`)).status).toBe(200);
  });
});

describe('states and their tags', () => {
  test('If-None-Match: 304 while it is the same, 200 once it is not', async () => {
    const first = await rest.call('GET', '/nodes/hk-1');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toBe(`"${first.body['mod_revision']}"`);
    const same = await rest.call('GET', '/nodes/hk-1', { headers: { 'if-none-match': etag } });
    expect([same.status, same.text]).toEqual([304, '']);
    await rest.call('PATCH', '/nodes/hk-1/tags', { body: { tags: { seen: 'once' } } });
    const other = await rest.call('GET', '/nodes/hk-1', { headers: { 'if-none-match': etag } });
    expect(other.status).toBe(200);
    expect(other.headers.get('etag')).not.toBe(etag);
  });

  test('If-Match: a change of what was seen is made, of what has changed is refused with 412', async () => {
    const etag = (await rest.call('GET', '/nodes/hk-2')).headers.get('etag') ?? '';
    const put = (if_match: string, tag: string) =>
      rest.call('PATCH', '/nodes/hk-2/tags', { body: { tags: { tag } }, headers: { 'if-match': if_match } });
    const done = await put(etag, 'one');
    expect(done.status).toBe(200);
    expect((await put(etag, 'two')).body).toMatchObject({ status: 412, code: 'stale' });
    expect((await put('"nonsense"', 'two')).status).toBe(412);
    expect((await put(done.headers.get('etag') ?? '', 'two')).status).toBe(200);
    expect((await put('*', 'three')).status).toBe(200);
    expect((await rest.call('GET', '/nodes/hk-2')).body['labels']).toMatchObject({ tag: 'three' });
  });

  test('figures of a second ago, facts of now', async () => {
    const labels = async () => (await rest.call('GET', '/nodes/hk-3')).body['labels'];
    for (const n of ['1', '2', '3']) {
      await rest.call('PATCH', '/nodes/hk-3/tags', { body: { tags: { n } } });
      expect(await labels()).toMatchObject({ n });
      const list = (await rest.call('GET', `/nodes?label=n%3D${n}`)).body['nodes'];
      expect(list).toMatchObject([{ name: 'hk-3' }]);
    }
  });
});

describe('once and only once', () => {
  test('the same key and request: the first answer again, and one effect', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const one = await rest.call('POST', '/silences', { body: silence('once'), headers });
    const two = await rest.call('POST', '/silences', { body: silence('once'), headers });
    expect([one.status, two.status]).toEqual([201, 201]);
    expect(two.body['id']).toBe(one.body['id']);
    const all = (await rest.call('GET', '/silences')).body['silences'] as { comment: string }[];
    expect(all.filter((s) => s.comment === 'once')).toHaveLength(1);
  });

  test('the same key and another request: a conflict', async () => {
    const headers = { 'idempotency-key': 'k-2' };
    await rest.call('POST', '/silences', { body: silence('first'), headers });
    const other = await rest.call('POST', '/silences', { body: silence('second'), headers });
    expect(other.body).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('without a key each is one of its own', async () => {
    const one = await rest.call('POST', '/silences', { body: silence('twice') });
    const two = await rest.call('POST', '/silences', { body: silence('twice') });
    expect(two.body['id']).not.toBe(one.body['id']);
  });

  test('a reason, in the body or in a header, is kept', async () => {
    const r = await rest.call('POST', '/nodes/hk-1/reload', {
      headers: { 'x-reason': 'certificate changed' },
    });
    expect(r.body['reason']).toBe('certificate changed');
    const s = await rest.call('POST', '/nodes/hk-1/reload', { body: { reason: 'another' } });
    expect(s.body['reason']).toBe('another');
  });
});

describe('lists', () => {
  test('page by page, everything once, whatever comes in between', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const q: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const r = await rest.call('GET', `/nodes?limit=1${q}`);
      for (const n of r.body['nodes'] as { name: string }[]) seen.push(n.name);
      cursor = r.body['next'] as string | null;
      pages += 1;
      // Before the place where the next page goes on.
      if (pages === 1) await rest.master.join('aa-1');
    } while (cursor !== null);
    expect(seen).toEqual(['hk-1', 'hk-2', 'hk-3']);
  });

  test('filters: region, type, status, several of one kind', async () => {
    const names = async (q: string) =>
      ((await rest.call('GET', `/nodes?${q}`)).body['nodes'] as { name: string }[]).map((n) => n.name);
    expect(await names('region=sg')).toEqual([]);
    expect(await names('region=sg&region=hk&type=edge')).toContain('hk-1');
    expect(await names('type=core')).toEqual([]);
    expect(await names('status=down&status=unknown')).toEqual([]);
    expect(await names('identity=accepted')).toContain('hk-1');
  });
});

describe('every answer', () => {
  test('has a request id, and headers that keep it where it belongs', async () => {
    const r = await rest.call('GET', '/nodes');
    expect(r.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-\w+$/);
    expect(r.headers.get('cache-control')).toBe('no-store');
    expect(r.headers.get('x-content-type-options')).toBe('nosniff');
    expect(r.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(r.headers.get('access-control-allow-origin')).toBeNull();
    expect(r.headers.get('x-powered-by')).toBeNull();
  });

  test('HEAD is GET without a body', async () => {
    const r = await fetch(`${rest.base}/api/v1/nodes/hk-1`, {
      method: 'HEAD',
      headers: rest.bearer('viewer'),
    });
    expect([r.status, await r.text()]).toEqual([200, '']);
    expect(Number(r.headers.get('content-length'))).toBeGreaterThan(100);
  });

  test('/metrics: from this host, or with a key that may read figures', async () => {
    const text = await (await fetch(`${rest.base}/metrics`)).text();
    expect(text).toContain('ai_cdn_nodes_total{region="hk",type="edge"} 4');
    expect(text).toContain('process_resident_memory_bytes');
    await rest.key('writes', 'operator', ['config.create']);
    expect((await fetch(`${rest.base}/metrics`, { headers: rest.bearer('writes') })).status).toBe(403);
    expect((await fetch(`${rest.base}/metrics`, { headers: rest.bearer('nonsense') })).status).toBe(401);
    expect((await fetch(`${rest.base}/metrics`, { headers: rest.bearer('viewer') })).status).toBe(200);
    const one = (as: string, name = 'hk-1') =>
      fetch(`${rest.base}/metrics/nodes/${name}`, { headers: rest.bearer(as) });
    expect(await (await one('viewer')).text()).toContain('ai_cdn_node_up ');
    expect([(await one('writes')).status, (await one('nonsense')).status]).toEqual([403, 401]);
    expect((await one('viewer', 'hk-99')).status).toBe(404);
  });

  test('a viewer reads configs with their passwords out of sight', async () => {
    const config = edgeDocument(8302)
      .replace('handler: {type: tcp}', 'handler: {type: tcp}\n  metadata: {}')
      .replace('\n  metadata: {}', '');
    await rest.call('POST', '/configs', { body: { version: 'seen', config } });
    const asViewer = await rest.call('GET', '/configs/seen', { as: 'viewer' });
    const asOperator = await rest.call('GET', '/configs/seen', { as: 'operator' });
    expect([asViewer.body['redacted'], asOperator.body['redacted']]).toEqual([true, false]);
  });
});

describe('what is refused', () => {
  const newest = async () =>
    (await rest.master.services.audit.list(rest.master.m().caller, { limit: 1, before: null })).records[0];

  test.each([
    ['POST', '/configs/v404/publish', 'config.publish', 'v404'],
    ['DELETE', '/certificates/only-a-secret', 'secret.remove', 'only-a-secret'],
  ])('%s %s of what is not there is on record', async (method, path, action, subject) => {
    await rest.call('PUT', '/secrets/only-a-secret', { body: { value: 'x' } });
    const before = (await newest())?.seq ?? 0;
    const r = await rest.call(method, path);
    expect([r.status, r.body['code']]).toEqual([404, 'not_found']);
    expect(await newest()).toMatchObject({ seq: before + 1, action, subject, outcome: 'not_found' });
  });
});

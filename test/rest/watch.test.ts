import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeDocument } from '../harness/memory-master.ts';
import { RestMaster } from '../harness/rest-master.ts';

let rest: RestMaster;
beforeAll(async () => {
  rest = await RestMaster.start();
  await rest.master.join('hk-1', { tier: 'gold' });
  await rest.master.join('hk-2');
});
afterAll(() => rest.stop());

interface Sent {
  readonly event: string;
  readonly id: string | null;
  readonly data: Record<string, unknown>;
}

/** A stream of events as a browser would read it. */
class Events {
  readonly status: number;
  readonly text: string;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array> | null;
  private rest = '';
  private readonly queue: Sent[] = [];
  private readonly decoder = new TextDecoder();

  private constructor(status: number, text: string, reader: ReadableStreamDefaultReader<Uint8Array> | null) {
    this.status = status;
    this.text = text;
    this.reader = reader;
  }

  static async open(path: string, as = 'viewer', more: Record<string, string> = {}): Promise<Events> {
    const r = await fetch(`${rest.base}/api/v1${path}`, { headers: { ...rest.bearer(as), ...more } });
    const streams = r.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
    if (!streams || !r.body) return new Events(r.status, await r.text(), null);
    return new Events(r.status, '', r.body.getReader());
  }

  /** The next one of this name; others are passed over. `null`: the stream is over. */
  async next(event: string): Promise<Sent | null> {
    for (;;) {
      const at = this.queue.findIndex((e) => e.event === event);
      if (at >= 0) return this.queue.splice(0, at + 1).at(-1) ?? null;
      this.queue.length = 0;
      const chunk = await this.reader?.read();
      if (!chunk || chunk.done) return null;
      this.take(this.decoder.decode(chunk.value, { stream: true }));
    }
  }

  async close(): Promise<void> {
    await this.reader?.cancel();
  }

  private take(text: string): void {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n').filter((l) => !l.startsWith(':'));
      const field = (name: string) =>
        lines.find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
      const data = field('data');
      if (data === null) continue;
      this.queue.push({
        event: field('event') ?? '',
        id: field('id'),
        data: JSON.parse(data) as Sent['data'],
      });
    }
  }
}

const label = (node: string, tags: Record<string, string | null>) =>
  rest.call('PATCH', `/nodes/${node}/tags`, { body: { tags } });

describe('?watch', () => {
  test('what stands, then what becomes of it', async () => {
    const events = await Events.open('/nodes?watch');
    expect((await events.next('begin'))?.data).toMatchObject({ store_id: rest.master.store.id });
    expect((await events.next('put'))?.data).toMatchObject({ name: 'hk-1', labels: { tier: 'gold' } });
    expect((await events.next('put'))?.data).toMatchObject({ name: 'hk-2' });
    expect((await events.next('synced'))?.id).toMatch(/^\d+$/);
    await label('hk-1', { watched: 'yes' });
    const put = await events.next('put');
    expect(put?.data).toMatchObject({ name: 'hk-1', labels: { watched: 'yes' } });
    expect(Number(put?.id)).toBe(put?.data['mod_revision']);
    await rest.master.pass(1, ['hk-1', 'hk-2']);
    const figures = await events.next('figures');
    expect(figures?.data['items']).toMatchObject([{ name: 'hk-1' }, { name: 'hk-2' }]);
    await events.close();
  });

  test('narrowed as the list is: what leaves it is told as deleted', async () => {
    const events = await Events.open('/nodes?watch&label=tier%3Dgold');
    await events.next('synced');
    await label('hk-2', { other: 'node' });
    await label('hk-1', { tier: 'silver' });
    expect((await events.next('deleted'))?.data).toEqual({ id: 'hk-1' });
    await label('hk-1', { tier: 'gold' });
    expect((await events.next('put'))?.data).toMatchObject({ name: 'hk-1' });
    await events.close();
  });

  test('rollouts: from the publication to its end, as the list shows them', async () => {
    const config = edgeDocument(7301);
    await rest.call('POST', '/configs', { body: { version: 'watched', config } });
    const events = await Events.open('/rollouts?watch&version=watched&open=true');
    await events.next('synced');
    await rest.call('POST', '/configs/watched/publish', { body: { target: { nodes: ['hk-1'] } } });
    const put = await events.next('put');
    expect(put?.data).toMatchObject({ version: 'watched', state: 'progressing', step: 1 });
    expect(Number(put?.id)).toBe(put?.data['mod_revision']);
    await rest.master.ackAll();
    await rest.master.pass(1, ['hk-1', 'hk-2']);
    expect((await events.next('deleted'))?.data).toEqual({ id: put?.data['id'] });
    await events.close();
  });

  test('since a revision: only what came after it', async () => {
    const revision = (await rest.call('GET', '/nodes')).body['revision'];
    await label('hk-2', { after: 'it' });
    const events = await Events.open(`/nodes?watch&since=${revision}`);
    expect(await events.next('resumed')).not.toBeNull();
    expect((await events.next('put'))?.data).toMatchObject({ name: 'hk-2', labels: { after: 'it' } });
    await events.close();
  });

  test('Last-Event-ID, as a browser sends it, is a since', async () => {
    const revision = (await rest.call('GET', '/nodes')).body['revision'];
    await label('hk-2', { and: 'again' });
    const events = await Events.open('/nodes?watch', 'viewer', { 'last-event-id': `${revision}` });
    expect(await events.next('resumed')).not.toBeNull();
    expect((await events.next('put'))?.data).toMatchObject({ labels: { and: 'again' } });
    await events.close();
  });

  test('since a revision of another store, or one that is not kept: 410', async () => {
    const other = await Events.open('/nodes?watch&since=1&store_id=another');
    expect(other.status).toBe(410);
    expect(JSON.parse(other.text)).toMatchObject({ code: 'gone' });
    const future = await Events.open('/nodes?watch&since=999999999');
    expect(future.status).toBe(410);
  });

  test.each(['/configs', '/commands', '/alerts', '/silences'])('%s streams too', async (path) => {
    const events = await Events.open(`${path}?watch`);
    expect(await events.next('synced')).not.toBeNull();
    await events.close();
  });

  test('a silence that is made is seen', async () => {
    const events = await Events.open('/silences?watch');
    await events.next('synced');
    const body = { matchers: [{ name: 'node', value: 'x' }], duration_ms: 60_000, comment: 'seen' };
    await rest.call('POST', '/silences', { body });
    expect((await events.next('put'))?.data).toMatchObject({ comment: 'seen', state: 'active' });
    await events.close();
  });

  test('it ends, in words, once its token is revoked', async () => {
    const id = await rest.key('short-lived', 'viewer');
    const events = await Events.open('/nodes?watch', 'short-lived');
    await events.next('synced');
    await rest.call('DELETE', `/api-keys/${id}`);
    const end = await events.next('end');
    expect(end?.data['reason']).toMatch(/revoked|key/i);
    expect(await events.next('put')).toBeNull();
  });

  test('one that may not read is told before a stream begins', async () => {
    await rest.key('scraper', 'viewer', ['metrics.read']);
    expect((await Events.open('/nodes?watch', 'scraper')).status).toBe(403);
  });

  test('it ends when the master stops', async () => {
    const other = await RestMaster.start();
    const r = await fetch(`${other.base}/api/v1/nodes?watch`, { headers: other.bearer('viewer') });
    const reading = r.text();
    await other.stop();
    expect(await reading).toContain('event: end\ndata: {"reason":"the master is stopping"}');
  });
});

import { beforeEach, expect, it } from 'vitest';
import { MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});
const join = (over: Record<string, unknown>) =>
  m.services.enrolment.enrol({
    tokenId: '',
    tokenSecret: '',
    csrDer: new Uint8Array(),
    name: 'hk-1',
    nodeType: 'edge',
    region: 'hk',
    labels: { rack: 'a\u001b[2J' },
    agentVersion: '0.1.0',
    remote: '198.51.100.7',
    ...over,
  } as never);

it('the token is burnt and the node made in one commit', async () => {
  const token = await m.token();
  const { revision } = m.store.snapshot();
  const { node, issued, renewAfter } = await join(token);
  expect(m.store.snapshot().revision).toBe(revision + 1);
  expect(m.node(node)).toMatchObject({
    identity: 'accepted',
    certificate: { serial: issued.serial },
    labels: { rack: 'a\\u{1b}[2J' },
  });
  expect(renewAfter).toBe(m.now + (7 * 86_400_000) / 2);
  expect(m.services.enrolment.admit(node, issued.serial)).toBe('ok');
  expect(m.services.enrolment.admit('hk-9' as never, '1')).toBe('unknown');
});

it('each refusal says which it is', async () => {
  const token = await m.token();
  await expect(join({ ...token, tokenSecret: 'x' })).rejects.toThrow(/wrong/);
  await expect(join({ ...token, tokenId: 'x' })).rejects.toThrow(/wrong/);
  await expect(join({ ...token, nodeType: 'core' })).rejects.toMatchObject({ code: 'forbidden' });
  await expect(join({ ...token, region: 'sg' })).rejects.toThrow(/region hk/);
  await expect(join({ ...token, name: 'HK 1' })).rejects.toMatchObject({ code: 'invalid' });
  await expect(join({ ...(await m.token({ name: 'hk-7' })), name: 'hk-1' })).rejects.toThrow(/hk-7/);
  await expect(join({ ...token, name: 'ai-cdn-master' })).rejects.toThrow(/a name of the master/);
  await expect(m.token({ name: 'localhost' })).rejects.toMatchObject({ code: 'invalid' });
  // None of these burnt it.
  await join(token);
  await expect(join({ ...token, name: 'hk-2' })).rejects.toThrow(/used by hk-1/);
  const short = await m.token({ ttlMs: 5000 });
  m.now += 5000;
  await expect(join({ ...short, name: 'hk-3' })).rejects.toThrow(/expired/);
});

it('of two that come with one token at once, one joins', async () => {
  const token = await m.token();
  const done = await Promise.allSettled([join(token), join({ ...token, name: 'hk-2' })]);
  expect(done.map((d) => d.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(m.store.snapshot().count('node')).toBe(1);
});

it('a name is taken, but for a token that says to replace it', async () => {
  await m.enrol('hk-1');
  await expect(join(await m.token())).rejects.toMatchObject({ code: 'conflict' });
  await expect(join(await m.token({ name: 'hk-1' }))).rejects.toMatchObject({ code: 'conflict' });
  const { serial: old = '' } = m.node('hk-1').certificate ?? {};
  const { issued } = await join(await m.token({ name: 'hk-1', replace: true }));
  expect(m.store.snapshot().count('node')).toBe(1);
  // The host it was is out, and stays out when the new one renews.
  expect(m.said).toMatchObject([{ kind: 'end', node: 'hk-1' }]);
  await m.services.enrolment.renew('hk-1' as never, new Uint8Array());
  expect(m.services.enrolment.admit('hk-1' as never, old.toUpperCase())).toBe('replaced');
  expect(m.services.enrolment.admit('hk-1' as never, issued.serial)).toBe('ok');
});

it('certificates from before a renewal go on, and are out with the others once the host is replaced', async () => {
  const admit = (serial: string) => m.services.enrolment.admit('hk-1' as never, serial);
  const serials = [(await join(await m.token())).issued.serial];
  for (let i = 0; i < 3; i++) {
    serials.push((await m.services.enrolment.renew('hk-1' as never, new Uint8Array())).serial);
  }
  expect(serials.map(admit)).toEqual(['ok', 'ok', 'ok', 'ok']);
  const { issued } = await join(await m.token({ name: 'hk-1', replace: true }));
  expect(serials.map(admit)).toEqual(['replaced', 'replaced', 'replaced', 'replaced']);
  expect(admit(issued.serial)).toBe('ok');
});

it('the secret of a token is nowhere in the store', async () => {
  const { tokenSecret } = await m.token();
  expect(JSON.stringify(m.store.snapshot().list('token'))).not.toContain(tokenSecret);
  expect(JSON.stringify(m.store.snapshot().list('event'))).not.toContain(tokenSecret);
});

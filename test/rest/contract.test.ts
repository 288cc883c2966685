import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeDocument } from '../harness/memory-master.ts';
import { testCertificate } from '../harness/rest-fixtures.ts';
import { RestMaster } from '../harness/rest-master.ts';

let rest: RestMaster;
beforeAll(async () => {
  rest = await RestMaster.start();
  await rest.master.join('hk-1', { tier: 'gold' });
  await rest.master.join('hk-2');
});
afterAll(() => rest.stop());

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const get = async (path: string, as = 'admin') => {
  const r = await rest.call('GET', path, { as });
  expect(r.status, `${path}: ${r.text}`).toBe(200);
  return r.body;
};
const ok = async (
  status: number,
  method: string,
  path: string,
  asking: { body?: unknown; as?: string } = {},
) => {
  const r = await rest.call(method, path, asking);
  expect(r.status, `${method} ${path}: ${r.text}`).toBe(status);
  return r;
};
const create = (version: string, port: number, more = {}) =>
  ok(201, 'POST', '/configs', { body: { version, config_data: base64(edgeDocument(port)), ...more } });

let users = 0;
/** A user of its own, logged in. */
const person = async (role = 'operator') => {
  users += 1;
  const name = `person-${users}`;
  const password = `correct horse ${users} battery`;
  await ok(201, 'POST', '/users', { body: { name, role, password } });
  const login = await ok(200, 'POST', '/auth/login', { as: 'nobody', body: { name, password } });
  return {
    name,
    password,
    access: `${login.body['access_token']}`,
    refresh: `${login.body['refresh_token']}`,
  };
};

/** One alert that fires: hk-2 is down. */
const firing = async (): Promise<string> => {
  if ((await get('/alerts?state=firing&rule=NodeDown'))['alerts']?.toString() === '') {
    await rest.master.disconnect('hk-2');
    const others = rest.master.store
      .snapshot()
      .list('node')
      .map((n) => n.name);
    await rest.master.pass(
      120,
      others.filter((n) => n !== 'hk-2'),
    );
  }
  const { alerts } = (await get('/alerts?state=firing&rule=NodeDown')) as { alerts: { id: string }[] };
  return alerts[0]?.id ?? '';
};
const newSilence = async (): Promise<string> => {
  const r = await ok(201, 'POST', '/silences', {
    body: { matchers: [{ name: 'node', value: 'hk-9' }], duration_ms: 3_600_000, comment: 'maintenance' },
  });
  return `${r.body['id']}`;
};
const run = async (): Promise<string> => {
  const r = await ok(202, 'POST', '/commands', {
    body: { command: 'reload', target_type: 'region', target_ids: ['hk'] },
  });
  return `${r.body['task_id']}`;
};
const verb = (name: string) => async (): Promise<void> => {
  const r = await ok(202, 'POST', `/nodes/hk-1/${name}`);
  const task = await get(`/commands/${r.body['task_id']}`);
  expect(task).toMatchObject({ command: name, results: [{ node: 'hk-1' }] });
  expect(r.headers.get('location')).toBe(`/api/v1/commands/${r.body['task_id']}`);
};

/** Every operation of the document: done once, and its effect read back. */
const OPERATIONS: Readonly<Record<string, () => Promise<void>>> = {
  async postAuthLogin() {
    const { name, access } = await person();
    expect(await get('/auth/whoami', access)).toMatchObject({ actor: name, role: 'operator' });
  },
  async postAuthRefresh() {
    const { name, refresh } = await person();
    const next = await ok(200, 'POST', '/auth/refresh', { as: 'nobody', body: { refresh_token: refresh } });
    expect(await get('/auth/whoami', `${next.body['access_token']}`)).toMatchObject({ actor: name });
  },
  async postAuthLogout() {
    const { access } = await person();
    await ok(204, 'POST', '/auth/logout', { as: access });
    await ok(401, 'GET', '/auth/whoami', { as: access });
  },
  async getAuthWhoami() {
    expect(await get('/auth/whoami', 'viewer')).toMatchObject({
      role: 'viewer',
      may: ['watch', 'metrics.read'],
    });
  },
  async postAuthPassword() {
    const { name, password, access } = await person();
    const body = { old_password: password, new_password: 'another long password' };
    await ok(200, 'POST', '/auth/password', { as: access, body });
    await ok(401, 'POST', '/auth/login', { as: 'nobody', body: { name, password } });
    await ok(200, 'POST', '/auth/login', { as: 'nobody', body: { name, password: body.new_password } });
  },
  async postAuthBootstrap() {
    const fresh = await RestMaster.start();
    try {
      const body = { code: fresh.bootstrapCode(), name: 'first', password: 'a long enough password' };
      const r = await fresh.call('POST', '/auth/bootstrap', { as: 'nobody', body });
      expect(r.status, r.text).toBe(201);
      const who = await fresh.call('GET', '/auth/whoami', { as: `${r.body['access_token']}` });
      expect(who.body).toMatchObject({ actor: 'first', role: 'admin' });
      rest.answered.add('postAuthBootstrap');
    } finally {
      await fresh.stop();
    }
  },

  async getNodes() {
    const { nodes } = await get('/nodes?region=hk&label=tier%3Dgold');
    expect(nodes).toMatchObject([{ name: 'hk-1', node_type: 'edge', labels: { tier: 'gold' } }]);
  },
  async getNodesById() {
    expect(await get('/nodes/hk-1')).toMatchObject({ name: 'hk-1', region: 'hk', identity: 'accepted' });
  },
  async putNodesById() {
    await ok(200, 'PUT', '/nodes/hk-1', { body: { labels: { tier: 'gold', rack: 'r1' } } });
    expect(await get('/nodes/hk-1')).toMatchObject({ labels: { tier: 'gold', rack: 'r1' } });
  },
  async deleteNodesById() {
    await rest.master.join('hk-8');
    await ok(200, 'DELETE', '/nodes/hk-8');
    await ok(404, 'GET', '/nodes/hk-8');
    await rest.master.join('hk-7');
    await ok(200, 'DELETE', '/nodes/hk-7?keep');
    expect(await get('/nodes/hk-7')).toMatchObject({ identity: 'revoked' });
  },
  async putNodesByIdTags() {
    await ok(200, 'PUT', '/nodes/hk-1/tags', { body: { tags: { tier: 'gold', only: 'this' } } });
    expect((await get('/nodes/hk-1'))['labels']).toEqual({ tier: 'gold', only: 'this' });
  },
  async patchNodesByIdTags() {
    await ok(200, 'PUT', '/nodes/hk-1/tags', { body: { tags: { tier: 'gold', goes: 'away' } } });
    await ok(200, 'PATCH', '/nodes/hk-1/tags', { body: { tags: { goes: null, new: 'one' } } });
    expect((await get('/nodes/hk-1'))['labels']).toEqual({ tier: 'gold', new: 'one' });
  },
  async putNodesByIdEligibility() {
    await ok(200, 'PUT', '/nodes/hk-1/eligibility', { body: { eligibility: 'ineligible' } });
    expect(await get('/nodes/hk-1')).toMatchObject({ eligibility: 'ineligible' });
    await ok(200, 'PUT', '/nodes/hk-1/eligibility', { body: { eligibility: 'eligible' } });
  },
  postNodesByIdRestart: verb('restart'),
  postNodesByIdReload: verb('reload'),
  postNodesByIdStart: verb('start'),
  postNodesByIdStop: verb('stop'),
  postNodesByIdDrain: verb('drain'),
  postNodesByIdUndrain: verb('undrain'),

  async getConfigs() {
    await create('list-1', 8101);
    const { configs } = (await get('/configs?limit=1')) as { configs: { version: string }[] };
    expect(configs).toHaveLength(1);
    const all = (await get('/configs')) as { configs: { version: string }[] };
    expect(all.configs.map((c) => c.version)).toContain('list-1');
  },
  async postConfigs() {
    const r = await create('made-1', 8102, { description: 'one', node_type: 'edge', regions: ['hk'] });
    expect(r.headers.get('location')).toBe('/api/v1/configs/made-1');
    expect(await get('/configs/made-1')).toMatchObject({
      description: 'one',
      target: { node_type: 'edge', regions: ['hk'] },
      config: edgeDocument(8102),
    });
  },
  async postConfigsValidate() {
    const bad = edgeDocument(8103).replace('handler: {type: tcp}', 'handler: {typ: tcp}');
    const r = await ok(200, 'POST', '/configs/validate', { body: { config: bad } });
    expect(r.body).toMatchObject({ ok: false, problems: [{ line: 4 }] });
    const good = await ok(200, 'POST', '/configs/validate', { body: { config: edgeDocument(8103) } });
    expect(good.body).toMatchObject({ ok: true, problems: [] });
  },
  async getConfigsByVersion() {
    await create('one-1', 8104);
    expect(await get('/configs/one-1')).toMatchObject({ version: 'one-1', config: edgeDocument(8104) });
  },
  async getConfigsByVersionDiffByTo() {
    await create('diff-1', 8105);
    await create('diff-2', 8106);
    expect(await get('/configs/diff-1/diff/diff-2')).toMatchObject({
      added: 1,
      removed: 1,
      unified: expect.stringContaining('+  addr: "127.0.0.1:8106"') as string,
    });
  },
  async postConfigsByVersionPreview() {
    await create('preview-1', 8107);
    const r = await ok(200, 'POST', '/configs/preview-1/preview', { body: { target: { nodes: ['hk-1'] } } });
    expect(r.body).toMatchObject({ to_version: 'preview-1', nodes: [{ name: 'hk-1' }] });
  },
  async postConfigsByVersionPublish() {
    await create('publish-1', 8108, { node_type: 'edge', regions: ['hk'] });
    const r = await ok(200, 'POST', '/configs/publish-1/publish');
    expect(r.body['nodes']).toContain('hk-1');
    expect(await get('/nodes/hk-1')).toMatchObject({ target_version: 'publish-1' });
    expect(await get('/configs/publish-1')).toMatchObject({
      publications: [{ target: { node_type: 'edge', regions: ['hk'] }, reason: 'published by REST' }],
    });
  },
  async getRollouts() {
    const { id, version } = await inSteps();
    const { rollouts } = await get(`/rollouts?open=true&version=${version}`);
    expect(rollouts).toMatchObject([{ id, version, state: 'progressing', step: 1 }]);
  },
  async getRolloutsById() {
    const { path, version, nodes } = await inSteps();
    const r = await get(path, 'viewer');
    expect(r).toMatchObject({ version, target: { nodes }, strategy: { name: 'standard', max_parallel: 8 } });
    expect(r['verbs']).toContainEqual({ verb: 'pause', ok: true, why: '' });
  },
  async getRolloutsByIdTargets() {
    const { path, nodes } = await inSteps();
    const page = await get(`${path}/targets?limit=1`);
    expect(page['targets']).toMatchObject([{ node: nodes[0], step: 1, state: 'applying', released: true }]);
    const rest = await get(`${path}/targets?limit=1&cursor=${page['next']}`);
    expect(rest).toMatchObject({ targets: [{ node: nodes[1], state: 'waiting' }], next: null });
    expect(await get(`${path}/targets?state=failed`)).toMatchObject({ targets: [] });
  },
  async postRolloutsByIdPause() {
    const { path } = await inSteps();
    const r = await ok(200, 'POST', `${path}/pause`, { body: { reason: 'a look' } });
    expect(await get(path)).toMatchObject({ state: 'paused', paused: 'manual', why: r.body['why'] });
  },
  async postRolloutsByIdResume() {
    const { path } = await inSteps();
    await ok(409, 'POST', `${path}/resume`);
    await ok(200, 'POST', `${path}/pause`);
    await ok(200, 'POST', `${path}/resume`);
    expect(await get(path)).toMatchObject({ state: 'progressing', paused: null });
  },
  async postRolloutsByIdPromote() {
    const { path, version, nodes } = await inSteps();
    await rest.master.ackAll();
    expect(await get(path)).toMatchObject({ state: 'paused', paused: 'step' });
    await ok(409, 'POST', `${path}/promote`, { body: { confirm_nodes: 7 } });
    await ok(200, 'POST', `${path}/promote`, { body: { confirm_nodes: 1 } });
    await rest.master.pass(1, nodes);
    await rest.master.ackAll();
    expect(await get(path)).toMatchObject({ state: 'succeeded', counts: { healthy: 2 } });
    expect(await get(`/nodes/${nodes[1]}`)).toMatchObject({ version });
  },
  async postRolloutsByIdPromoteFull() {
    const { path, nodes } = await inSteps();
    await ok(403, 'POST', `${path}/promote-full`, { as: 'operator' });
    await ok(200, 'POST', `${path}/promote-full`);
    await rest.master.pass(1, nodes);
    await rest.master.ackAll();
    expect(await get(path)).toMatchObject({ state: 'succeeded', step: 2 });
  },
  async postRolloutsByIdAbort() {
    const { path, version, nodes, first } = await inSteps();
    await rest.master.ackAll();
    await ok(200, 'POST', `${path}/abort`, { body: { reason: 'no' } });
    await rest.master.pass(1, nodes);
    await rest.master.ackAll();
    expect(await get(path)).toMatchObject({ state: 'rolled_back', counts: { reverted: 1 } });
    expect(await get(`/nodes/${first}`)).toMatchObject({ version: `${version}-before` });
    expect(await get(`/configs/${version}`)).toMatchObject({ publications: [{ open: false, only: [] }] });
  },
  async postRolloutsByIdRetry() {
    const { path, first } = await inSteps({ abort: { threshold_pct: 100 } });
    const { hash } = rest.master.node(first).target ?? {};
    await rest.master.nack(first, hash as never);
    expect(await get(`${path}/targets?state=failed`)).toMatchObject({ targets: [{ node: first }] });
    const offers = rest.master.offers(first).length;
    await ok(200, 'POST', `${path}/retry`);
    await rest.master.pass(1, [first]);
    expect(rest.master.offers(first)).toHaveLength(offers + 1);
    expect(await get(`${path}/targets?state=failed`)).toMatchObject({ targets: [] });
  },
  async postRolloutsByIdUndo() {
    const { version, nodes } = await inSteps();
    const r = await ok(200, 'POST', `/configs/${version}/publish`, {
      body: { target: { nodes }, strategy: 'at-once' },
    });
    await rest.master.ackAll();
    const { id } = r.body['rollout'] as { id: string };
    expect(await get(`/rollouts/${id}`)).toMatchObject({ state: 'succeeded' });
    const back = await ok(200, 'POST', `/rollouts/${id}/undo`, { body: { reason: 'slow' } });
    expect(back.body).toMatchObject({ reverts: id });
    await rest.master.ackAll();
    for (const n of nodes) expect(await get(`/nodes/${n}`)).toMatchObject({ version: back.body['version'] });
    expect(await get(`/configs/${back.body['version']}`)).toMatchObject({ rollback_of: `${version}-before` });
  },
  async postRolloutsRevertLast() {
    const { path, id, nodes, first, version } = await inSteps();
    await rest.master.ackAll();
    const dry = await ok(200, 'POST', '/rollouts/revert-last', { body: { dry_run: true } });
    expect(dry.body).toMatchObject({
      by: 'abort',
      rollout: { id },
      nodes: [first],
      to_version: `${version}-before`,
      batches: 1,
    });
    await ok(409, 'POST', '/rollouts/revert-last', { body: { confirm_nodes: 2 } });
    await ok(202, 'POST', '/rollouts/revert-last', { body: { confirm_nodes: 1, reason: 'all of it' } });
    await rest.master.pass(1, nodes);
    await rest.master.ackAll();
    expect(await get(path)).toMatchObject({ state: 'rolled_back' });
    await ok(409, 'POST', '/rollouts/revert-last', { body: {} });
  },
  async postConfigsByVersionRollback() {
    const label = await twoVersions('rollback', 8110);
    const r = await ok(200, 'POST', `/configs/${label}/rollback`);
    const made = (r.body['config'] as { version: string; rollback_of: string }) ?? {};
    expect(made.rollback_of).toBe('rollback-1');
    expect(await get('/nodes/hk-1')).toMatchObject({ target_version: made.version });
  },
  async postConfigsByVersionRollbackPreview() {
    const label = await twoVersions('back', 8120);
    const r = await ok(200, 'POST', `/configs/${label}/rollback/preview`);
    expect(r.body).toMatchObject({ to_version: 'back-1', nodes: ['hk-1'] });
    expect(await get('/nodes/hk-1')).toMatchObject({ target_version: label });
  },

  async postCommands() {
    const id = await run();
    expect(await get(`/commands/${id}`)).toMatchObject({ command: 'reload', target: { regions: ['hk'] } });
    expect(rest.master.commands('hk-1')).toContain(id);
  },
  async getCommands() {
    const id = await run();
    const { commands } = (await get('/commands?limit=1')) as { commands: { task_id: string }[] };
    expect(commands.map((c) => c.task_id)).toEqual([id]);
  },
  async getCommandsByTaskId() {
    const id = await run();
    expect(await get(`/commands/${id}`)).toMatchObject({ task_id: id });
  },
  async postCommandsByTaskIdCancel() {
    const id = await run();
    await ok(200, 'POST', `/commands/${id}/cancel`);
    expect((await get(`/commands/${id}`))['cancelled_at']).not.toBeNull();
  },

  async getMetricsNodesById() {
    expect(await get('/metrics/nodes/hk-1', 'viewer')).toMatchObject({ name: 'hk-1', services: [] });
  },
  async getPrometheusSd() {
    const r = await ok(200, 'GET', '/prometheus/sd?region=hk');
    const port = new URL(rest.base).host;
    expect((r.body as unknown as { targets: string[]; labels: object }[])[0]).toMatchObject({
      targets: [port],
      labels: { instance: 'hk-1', region: 'hk', type: 'edge', __metrics_path__: '/metrics/nodes/hk-1' },
    });
  },
  async getMetricsAggregate() {
    expect(await get('/metrics/aggregate?region=hk')).toMatchObject({ region: 'hk', node_type: null });
    expect(await get('/metrics/aggregate?region=nowhere')).toMatchObject({ nodes_total: 0, rps: null });
  },

  async getAlerts() {
    expect(await firing()).not.toBe('');
  },
  async getAlertsById() {
    const id = await firing();
    const ids = async (query: string): Promise<string[]> =>
      ((await get(`/alerts?${query}`)) as { alerts: { id: string }[] }).alerts.map((a) => a.id);
    expect(await get(`/alerts/${id}`)).toMatchObject({ rule: 'NodeDown', state: 'firing', inhibited_by: [] });
    expect(await ids('inhibited=true')).toEqual([]);
    expect(await ids('inhibited=false')).toContain(id);
  },
  async postAlertsByIdSilence() {
    const id = await firing();
    const r = await ok(201, 'POST', `/alerts/${id}/silence`);
    expect(await get(`/alerts/${id}`)).toMatchObject({ silenced_by: [r.body['id']] });
  },
  async getSilences() {
    const id = await newSilence();
    const { silences } = (await get('/silences?state=active')) as { silences: { id: string }[] };
    expect(silences.map((s) => s.id)).toContain(id);
  },
  async postSilences() {
    expect(await get(`/silences/${await newSilence()}`)).toMatchObject({
      state: 'active',
      comment: 'maintenance',
    });
  },
  async postSilencesPreview() {
    const r = await ok(200, 'POST', '/silences/preview', {
      body: { matchers: [{ name: 'region', value: 'hk' }] },
    });
    expect(r.body['nodes']).toContain('hk-1');
  },
  async getSilencesById() {
    const id = await newSilence();
    expect(await get(`/silences/${id}`)).toMatchObject({ id });
  },
  async deleteSilencesById() {
    const id = await newSilence();
    await ok(200, 'DELETE', `/silences/${id}`);
    expect(await get(`/silences/${id}`)).toMatchObject({ state: 'expired' });
  },

  async getTokens() {
    await ok(201, 'POST', '/tokens', { body: { node_type: 'edge', region: 'sg', name: 'sg-1' } });
    const { tokens } = (await get('/tokens')) as { tokens: { name: string }[] };
    expect(tokens.map((t) => t.name)).toContain('sg-1');
  },
  async postTokens() {
    const r = await ok(201, 'POST', '/tokens', { body: { node_type: 'edge', region: 'hk' } });
    const [, , tokenId = '', tokenSecret = ''] = `${r.body['token']}`.split('.');
    await rest.master.services.enrolment.enrol({
      tokenId,
      tokenSecret,
      csrDer: new Uint8Array(),
      name: 'hk-joined',
      nodeType: 'edge',
      region: 'hk',
      labels: {},
      agentVersion: '0.1.0',
      remote: 't',
    });
    expect(await get('/nodes/hk-joined')).toMatchObject({ identity: 'accepted' });
  },
  async deleteTokensById() {
    await ok(201, 'POST', '/tokens', { body: { node_type: 'edge', region: 'sg', name: 'sg-2' } });
    const { tokens } = (await get('/tokens')) as { tokens: { id: string; name: string }[] };
    const { id } = tokens.find((t) => t.name === 'sg-2') ?? { id: '' };
    await ok(200, 'DELETE', `/tokens/${id}`);
    const after = (await get('/tokens')) as { tokens: { id: string; revoked_at: string | null }[] };
    expect(after.tokens.find((t) => t.id === id)?.revoked_at ?? 'gone').not.toBeNull();
  },

  async getRegions() {
    await ok(200, 'PATCH', '/regions/hk/variables', { body: { variables: { origin: 'a.test' } } });
    const { regions } = await get('/regions');
    expect(regions).toContainEqual(
      expect.objectContaining({ region: 'hk', variables: { origin: 'a.test' } }),
    );
  },
  async patchRegionsByRegionVariables() {
    await ok(200, 'PATCH', '/regions/sg/variables', { body: { variables: { a: '1', b: '2' } } });
    const r = await ok(200, 'PATCH', '/regions/sg/variables', { body: { variables: { a: null } } });
    expect(r.body).toMatchObject({ region: { region: 'sg', variables: { b: '2' } }, nodes: [] });
    await ok(200, 'PATCH', '/regions/sg/variables', { body: { variables: { b: null } } });
  },

  async getSecrets() {
    await ok(200, 'PUT', '/secrets/listed', { body: { value: 'hush-hush-1' } });
    const r = await rest.call('GET', '/secrets');
    expect(r.text).toContain('"listed"');
    expect(r.text).not.toContain('hush-hush');
  },
  async putSecretsByName() {
    await ok(200, 'PUT', '/secrets/edge-key', { body: { value: 'hush-hush-2' } });
    expect(await get('/secrets/edge-key')).toMatchObject({ name: 'edge-key', kind: 'secret', version: 1 });
    await ok(200, 'PUT', '/secrets/edge-key', { body: { value: 'hush-hush-3' } });
    expect(await get('/secrets/edge-key')).toMatchObject({ version: 2 });
  },
  async getSecretsByName() {
    await ok(200, 'PUT', '/secrets/one', { body: { value: 'hush-hush-4' } });
    expect(await get('/secrets/one')).toMatchObject({ name: 'one' });
  },
  async deleteSecretsByName() {
    await ok(200, 'PUT', '/secrets/gone', { body: { value: 'hush-hush-5' } });
    await ok(200, 'DELETE', '/secrets/gone');
    await ok(404, 'GET', '/secrets/gone');
  },
  async getCertificates() {
    await ok(200, 'PUT', '/certificates/web-1', { body: await testCertificate('web-1.test') });
    const r = await rest.call('GET', '/certificates');
    expect(r.text).toContain('web-1.test');
    expect(r.text).not.toContain('PRIVATE');
  },
  async putCertificatesByName() {
    await ok(200, 'PUT', '/certificates/web-2', { body: await testCertificate('web-2.test') });
    expect(await get('/certificates/web-2')).toMatchObject({ kind: 'certificate', names: ['web-2.test'] });
  },
  async getCertificatesByName() {
    await ok(200, 'PUT', '/certificates/web-3', { body: await testCertificate('web-3.test') });
    expect((await get('/certificates/web-3'))['not_after']).not.toBeNull();
  },
  async deleteCertificatesByName() {
    await ok(200, 'PUT', '/certificates/web-4', { body: await testCertificate('web-4.test') });
    await ok(200, 'DELETE', '/certificates/web-4');
    await ok(404, 'GET', '/certificates/web-4');
  },

  async getAudit() {
    await ok(403, 'POST', '/users', { as: 'viewer', body: {} });
    const { records } = (await get('/audit?limit=1')) as { records: unknown[] };
    expect(records).toMatchObject([{ actor: 'key:viewer', action: 'user.write', outcome: 'forbidden' }]);
  },
  async getAuditVerify() {
    expect(await get('/audit/verify')).toMatchObject({ ok: true, fault: null });
  },

  async getUsers() {
    const { name } = await person('viewer');
    const { users: all } = (await get('/users?role=viewer')) as { users: { name: string }[] };
    expect(all.map((u) => u.name)).toContain(name);
  },
  async postUsers() {
    const { name } = await person('admin');
    expect(await get(`/users/${name}`)).toMatchObject({ name, role: 'admin', disabled: false });
  },
  async getUsersByName() {
    const { name } = await person();
    expect(await get(`/users/${name}`)).toMatchObject({ name });
  },
  async patchUsersByName() {
    const { name, password } = await person();
    await ok(200, 'PATCH', `/users/${name}`, { body: { disabled: true } });
    expect(await get(`/users/${name}`)).toMatchObject({ disabled: true });
    await ok(401, 'POST', '/auth/login', { as: 'nobody', body: { name, password } });
  },
  async deleteUsersByName() {
    const { name, access } = await person();
    await ok(200, 'DELETE', `/users/${name}`);
    await ok(404, 'GET', `/users/${name}`);
    await ok(401, 'GET', '/auth/whoami', { as: access });
  },
  async getApiKeys() {
    const { api_keys: keys } = (await get('/api-keys')) as { api_keys: { name: string }[] };
    expect(keys.map((k) => k.name)).toEqual(expect.arrayContaining(['viewer', 'operator', 'admin']));
  },
  async postApiKeys() {
    const body = { name: 'ci', role: 'viewer', scopes: ['metrics.read'] };
    const r = await ok(201, 'POST', '/api-keys', { body });
    const secret = `${r.body['secret']}`;
    expect(await get('/auth/whoami', secret)).toMatchObject({ may: ['metrics.read'] });
    await ok(403, 'GET', '/nodes', { as: secret });
  },
  async getApiKeysById() {
    const id = await rest.key('one', 'viewer');
    expect(await get(`/api-keys/${id}`)).toMatchObject({ id, name: 'one' });
  },
  async deleteApiKeysById() {
    const id = await rest.key('gone', 'viewer');
    await ok(200, 'DELETE', `/api-keys/${id}`);
    expect((await get(`/api-keys/${id}`))['revoked_at']).not.toBeNull();
    await ok(401, 'GET', '/auth/whoami', { as: 'gone' });
  },
};

let rolling = 0;
/** A publication to two nodes of its own, one after the other with a person in between; the first has its offer. */
async function inSteps(overrides: object = {}): Promise<Rolling> {
  rolling += 1;
  const nodes = [`roll-${rolling}-a`, `roll-${rolling}-b`];
  for (const n of nodes) await rest.master.join(n);
  const version = `rolled-${rolling}`;
  const body = {
    target: { nodes },
    strategy: 'standard',
    overrides: {
      steps: [
        { count: 1, per_region: false, pause: 'manual', analysis: false },
        { percent: 100, per_region: false, pause: null, analysis: false },
      ],
      min_healthy_ms: 0,
      ...overrides,
    },
  };
  // What stood before, so that there is something to go back to.
  await create(`${version}-before`, 8500 + rolling);
  await ok(200, 'POST', `/configs/${version}-before/publish`, { body: { target: { nodes } } });
  await rest.master.ackAll();
  await create(version, 8600 + rolling);
  const r = await ok(200, 'POST', `/configs/${version}/publish`, { body });
  const made = r.body['rollout'] as { id: string; mod_revision: number };
  return { path: `/rollouts/${made.id}`, id: made.id, version, nodes, first: nodes[0] ?? '' };
}
interface Rolling {
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly nodes: readonly string[];
  readonly first: string;
}

/** Two versions published to hk-1, the first one in force before; the label of the second. */
async function twoVersions(name: string, port: number): Promise<string> {
  for (const n of [1, 2]) {
    await create(`${name}-${n}`, port + n);
    await ok(200, 'POST', `/configs/${name}-${n}/publish`, { body: { target: { nodes: ['hk-1'] } } });
    const { hash } = rest.master.node('hk-1').target ?? { hash: null };
    if (hash) await rest.master.ack('hk-1', hash);
  }
  return `${name}-2`;
}

describe('every operation does what it says', () => {
  test('the table has all of them, and no others', () => {
    expect(Object.keys(OPERATIONS).sort()).toEqual(rest.document.operations.map((o) => o.id).sort());
  });

  test.each(Object.keys(OPERATIONS))('%s', async (id) => {
    await OPERATIONS[id]?.();
    expect(rest.answered).toContain(id);
  });
});

describe("the original's requests, as they stand in its README", () => {
  test('a config: created, published, rolled back, without another word', async () => {
    await rest.master.join('seed-1');
    const verbatim = {
      version: 'v1.0.1',
      description: '更新配置',
      config_data: 'base64...',
      node_type: 'edge',
      regions: ['hk'],
    };
    const literally = await rest.call('POST', '/configs', { body: verbatim });
    expect(literally.status).toBe(400);
    expect(literally.body).toMatchObject({ refusals: [{ path: 'body.config_data' }] });
    const first = { ...verbatim, version: 'v1.0.0', config_data: base64(edgeDocument(8201)) };
    const second = { ...verbatim, config_data: base64(edgeDocument(8202)) };
    for (const body of [first, second]) {
      await ok(201, 'POST', '/configs', { body });
      await ok(200, 'POST', `/configs/${body.version}/publish`);
      await rest.master.ack('seed-1', rest.master.node('seed-1').target?.hash as never);
    }
    const back = await ok(200, 'POST', '/configs/v1.0.1/rollback');
    expect(back.body).toMatchObject({ config: { rollback_of: 'v1.0.0' } });
  });

  test('a command', async () => {
    const r = await ok(202, 'POST', '/commands', {
      body: { command: 'reload', target_type: 'region', target_ids: ['hk'] },
    });
    expect(await get(`/commands/${r.body['task_id']}`)).toMatchObject({ state: 'queued' });
  });
});

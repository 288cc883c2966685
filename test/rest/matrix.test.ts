import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACTIONS, type Action, can, ROLES, type Role } from '../../proto/vocab/can.ts';
import type { Operation } from '../harness/rest-document.ts';
import { RestMaster } from '../harness/rest-master.ts';

// Every operation of the document as everybody, held against the one table of proto/vocab/can.ts.

let rest: RestMaster;
beforeAll(async () => {
  rest = await RestMaster.start();
  await rest.key('scoped', 'admin', ['metrics.read']);
  const id = await rest.key('revoked', 'admin');
  await rest.master.services.people.revokeApiKey(rest.master.m(), id);
});
afterAll(() => rest.stop());

const isAction = (word: string): word is Action => (ACTIONS as readonly string[]).includes(word);

function expected(o: Operation, as: string): 'in' | 401 | 403 {
  if (o.may.includes('anybody')) return 'in';
  if (as === 'nobody' || as === 'revoked' || as === 'nonsense') return 401;
  if (o.may.includes('known')) return 'in';
  const actions = o.may.filter(isAction);
  if (as === 'scoped') return actions.includes('metrics.read') ? 'in' : 403;
  return actions.some((a) => can(as as Role, a)) ? 'in' : 403;
}

/** Of things that are not there, with nothing in the body: who is let in goes no further than that. */
async function ask(o: Operation, as: string): Promise<number> {
  const path = o.path.replace(/^\/api\/v1/, '').replace(/\{\w+\}/g, 'nothing-here');
  const body = o.method === 'GET' || o.method === 'DELETE' ? {} : { body: { not_a_field: 1 } };
  const r = await rest.call(o.method, path, { as, ...body });
  return r.status;
}

const CALLERS = [...ROLES, 'scoped', 'nobody', 'revoked', 'nonsense'];

describe('role x route', () => {
  test('every operation says who may call it, in words of the table', () => {
    const wrong = rest.document.operations.filter(
      (o) => o.may.length === 0 || !o.may.every((m) => isAction(m) || ['known', 'anybody'].includes(m)),
    );
    expect(wrong.map((o) => o.id)).toEqual([]);
    expect(rest.document.operations.length).toBeGreaterThan(60);
  });

  test('only logging in is open to anybody', () => {
    const open = rest.document.operations.filter((o) => o.may.includes('anybody')).map((o) => o.path);
    expect(open.sort()).toEqual(['/api/v1/auth/bootstrap', '/api/v1/auth/login', '/api/v1/auth/refresh']);
  });

  test.each(CALLERS)('%s', async (as) => {
    const wrong: string[] = [];
    for (const o of rest.document.operations) {
      const status = await ask(o, as);
      const want = expected(o, as);
      // A login that fails is 401 as well; one whose body is refused is not.
      const got = status === 401 || status === 403 ? status : 'in';
      if (got !== want) wrong.push(`${o.method} ${o.path} as ${as}: ${status}, not ${want}`);
    }
    expect(wrong).toEqual([]);
  });

  test('a command is allowed by its own action, whatever the route lets in', async () => {
    await rest.master.join('hk-1');
    await rest.key('reloads', 'operator', ['command.reload']);
    const body = (command: string) => ({ command, target_type: 'node', target_ids: ['hk-1'] });
    expect((await rest.call('POST', '/commands', { as: 'reloads', body: body('restart') })).status).toBe(403);
    expect((await rest.call('POST', '/commands', { as: 'reloads', body: body('reload') })).status).toBe(202);
    expect((await rest.call('POST', '/nodes/hk-1/restart', { as: 'reloads' })).status).toBe(403);
    expect((await rest.call('POST', '/nodes/hk-1/reload', { as: 'reloads' })).status).toBe(202);
  });

  test('a change that was refused to somebody is on record', async () => {
    const before = await rest.master.services.audit.list(rest.master.m().caller, { limit: 1, before: null });
    await rest.call('DELETE', '/nodes/hk-1', { as: 'operator' });
    const { records } = await rest.master.services.audit.list(rest.master.m().caller, {
      limit: 10,
      before: null,
    });
    expect(records[0]).toMatchObject({
      actor: 'key:operator',
      action: 'node.remove',
      subject: 'hk-1',
      outcome: 'forbidden',
      seq: (before.records[0]?.seq ?? 0) + 1,
    });
  });
});

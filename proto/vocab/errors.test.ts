import { describe, expect, it } from 'vitest';
import { ACTIONS, can, may, type Role } from './can.ts';
import { COMMAND_STATES, isSettled } from './command.ts';
import { AppError, formatRefusal } from './errors.ts';

describe('formatRefusal', () => {
  const base = { code: 'invalid', message: 'must be true or false' };
  it.each([
    [base, 'must be true or false'],
    [{ ...base, hint: 'write true' }, 'must be true or false (write true)'],
    [{ ...base, path: 'a.b' }, 'a.b: must be true or false'],
    [{ ...base, line: 3 }, 'line 3, column 1: must be true or false'],
    [
      {
        ...base,
        line: 63,
        column: 106,
        path: 'hops[0].nodes[2].dialer.tls.secure',
        hint: 'write secure: true',
      },
      'line 63, column 106: hops[0].nodes[2].dialer.tls.secure: must be true or false (write secure: true)',
    ],
  ])('%j', (refusal, text) => {
    expect(formatRefusal(refusal)).toBe(text);
  });
});

describe('AppError', () => {
  it('carries a code, a cause and places', () => {
    const cause = new Error('EIO');
    const refusals = [{ code: 'invalid', message: 'x', line: 1, column: 2 }];
    const e = new AppError('unavailable', 'try again', { cause, refusals });
    expect(e).toBeInstanceOf(Error);
    expect({ ...e, message: e.message, cause: e.cause }).toMatchObject({
      code: 'unavailable',
      message: 'try again',
      cause,
      refusals,
    });
  });

  it('has no cause and no places unless given', () => {
    const e = new AppError('conflict', 'x');
    expect('cause' in e).toBe(false);
    expect(e.refusals).toEqual([]);
  });
});

describe('can', () => {
  it('lets the admin do everything there is', () => {
    expect(ACTIONS.filter((a) => can('admin', a))).toEqual(ACTIONS);
  });

  it('lets a viewer look, an operator act on the fleet, and nobody below an admin make tokens or users', () => {
    expect(ACTIONS.filter((a) => can('viewer', a))).toEqual(['watch', 'metrics.read']);
    const operator = ACTIONS.filter((a) => can('operator', a));
    expect(operator).toEqual(expect.arrayContaining(['watch', 'config.publish', 'command.reload']));
    for (const a of ['token.create', 'secret.list', 'user.write', 'audit.read'] as const) {
      expect(operator).not.toContain(a);
    }
  });

  it('lets a key do what its role and its scopes both allow', () => {
    const key = {
      actor: 'key ci',
      role: 'operator',
      source: '127.0.0.1',
      scopes: ['watch', 'user.write'],
    } as const;
    expect(ACTIONS.filter((a) => may(key, a))).toEqual(['watch']);
  });

  it.each(['', 'root', '__proto__', 'constructor', 'toString'])('lets the role %j do nothing', (role) => {
    expect(ACTIONS.filter((a) => can(role as Role, a))).toEqual([]);
  });
});

it('a command is settled in the states it never leaves', () => {
  expect(COMMAND_STATES.filter((s) => !isSettled(s))).toEqual(['queued', 'received', 'running']);
});

import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ACTIONS, ROLES } from '../../../proto/vocab/can.ts';
import type { Session as VocabSession } from '../../../proto/vocab/people.ts';
import { allowedTo, route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, Revision, Stamp } from './shapes.ts';

const Password = z.string().min(1).max(1024);
const UserName = z.string().min(1).max(64);

const Session = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_at: Stamp,
    refresh_token: z.string().describe('works once; the answer to it holds the next'),
    refresh_expires_at: Stamp,
    actor: z.string(),
    role: z.enum(ROLES),
  })
  .meta({ id: 'Session' });

function sessionJson(s: VocabSession): z.output<typeof Session> {
  return {
    access_token: s.accessToken,
    token_type: 'Bearer',
    expires_at: iso(s.expiresAt),
    refresh_token: s.refreshToken,
    refresh_expires_at: iso(s.refreshExpiresAt),
    actor: s.caller.actor,
    role: s.caller.role,
  };
}

const Whoami = z
  .object({
    actor: z.string(),
    role: z.enum(ROLES),
    source: z.string(),
    scopes: z.array(z.enum(ACTIONS)).nullable().describe('of an API key that is narrower than its role'),
    may: z.array(z.enum(ACTIONS)),
  })
  .meta({ id: 'Whoami' });

const session = { 200: { description: 'logged in', body: Session } };

export function addAuth(app: FastifyInstance, { services }: RouteNeeds): void {
  const { people } = services;

  route(app, {
    method: 'POST',
    url: '/auth/login',
    may: 'anybody',
    noun: 'auth',
    summary: 'A name and a password for an access token and a refresh token',
    body: z.strictObject({ name: UserName, password: Password }),
    problems: ['unauthenticated'],
    replies: session,
    handle: async ({ body, request }) => ({
      body: sessionJson(await people.login({ ...body, remote: request.ip })),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/auth/refresh',
    may: 'anybody',
    noun: 'auth',
    summary: 'The next tokens; a refresh token that is used twice ends all that came of its login',
    body: z.strictObject({ refresh_token: z.string().min(1).max(512) }),
    problems: ['unauthenticated'],
    replies: session,
    handle: async ({ body, request }) => ({
      body: sessionJson(await people.refresh({ refreshToken: body.refresh_token, remote: request.ip })),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/auth/bootstrap',
    may: 'anybody',
    noun: 'auth',
    summary: 'The code of the first start makes the first admin',
    body: z.strictObject({ code: z.string().min(1).max(128), name: UserName, password: Password }),
    problems: ['unauthenticated', 'precondition', 'conflict'],
    replies: { 201: { description: 'logged in', body: Session } },
    handle: async ({ body, request }) => ({
      status: 201,
      body: sessionJson(await people.bootstrap({ ...body, remote: request.ip })),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/auth/logout',
    may: 'known',
    noun: 'auth',
    summary: 'Ends this login and its refresh token at once',
    problems: ['precondition'],
    replies: { 204: { description: 'logged out' } },
    handle: async ({ caller, request }) => {
      await people.logout(caller, { accessToken: request.bearer });
      return { status: 204 };
    },
  });

  route(app, {
    method: 'GET',
    url: '/auth/whoami',
    may: 'known',
    noun: 'auth',
    summary: 'Who asks, and what he may do',
    replies: { 200: { description: 'the caller', body: Whoami } },
    handle: ({ caller }) => ({
      body: {
        actor: caller.actor,
        role: caller.role,
        source: caller.source,
        scopes: caller.scopes ? [...caller.scopes] : null,
        may: allowedTo(caller),
      },
    }),
  });

  route(app, {
    method: 'POST',
    url: '/auth/password',
    may: 'known',
    noun: 'auth',
    summary: "The caller's own password; ends all his logins",
    body: z.strictObject({ old_password: Password, new_password: Password }),
    mutates: 'new',
    problems: ['precondition'],
    replies: { 200: { description: 'changed', body: z.object({ revision: Revision }) } },
    handle: async (asked) => {
      const { old_password: oldPassword, new_password: newPassword } = asked.body;
      return { body: await people.changePassword(asked.mutation(), { oldPassword, newPassword }) };
    },
  });
}

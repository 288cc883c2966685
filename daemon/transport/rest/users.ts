import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ROLES } from '../../../proto/vocab/can.ts';
import type { UserView } from '../../../proto/vocab/people.ts';
import { inOrder, PageQuery, PageShape, pageOf } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, isoOrNull, Reason, Revision, Stamp, Word } from './shapes.ts';

const RoleWord = z.enum(ROLES);
const Password = z.string().min(1).max(1024);

const User = z
  .object({
    name: z.string(),
    role: RoleWord,
    disabled: z.boolean(),
    created_by: z.string(),
    created_at: Stamp,
    last_login_at: Stamp.nullable(),
    mod_revision: Revision,
  })
  .meta({ id: 'User' });

function userJson(u: UserView): z.output<typeof User> {
  return {
    name: u.name,
    role: u.role,
    disabled: u.disabled,
    created_by: u.createdBy,
    created_at: iso(u.createdAt),
    last_login_at: isoOrNull(u.lastLoginAt),
    mod_revision: u.modRevision,
  };
}

const ByName = z.strictObject({ name: Word });

export function addUsers(app: FastifyInstance, { services }: RouteNeeds): void {
  const { people, nodes } = services;
  const shown = (u: UserView) => ({ body: userJson(u), revision: u.modRevision });

  route(app, {
    method: 'GET',
    url: '/users',
    may: 'user.list',
    noun: 'users',
    summary: 'Users, by name',
    query: z.strictObject({ ...PageQuery, role: RoleWord.optional() }),
    replies: { 200: { description: 'a page', body: z.object({ users: z.array(User), ...PageShape }) } },
    handle: ({ caller, query }) => {
      const { revision } = nodes.facts();
      const name = (u: UserView): string => u.name;
      const all = people.listUsers(caller).filter((u) => query.role === undefined || u.role === query.role);
      const page = pageOf(inOrder(all, name), query, name);
      return { body: { users: page.items.map(userJson), next: page.next, revision } };
    },
  });

  route(app, {
    method: 'POST',
    url: '/users',
    may: 'user.write',
    noun: 'users',
    summary: 'A new user',
    body: z
      .strictObject({
        name: z.string().min(1).max(64),
        role: RoleWord,
        password: Password,
        reason: Reason.optional(),
      })
      .meta({ id: 'UserIn' }),
    mutates: 'new',
    replies: { 201: { description: 'made', body: User } },
    handle: async (asked) => {
      const { name, role, password, reason } = asked.body;
      const { user } = await people.createUser(asked.mutation(reason), { name, role, password });
      return { status: 201, ...shown(user), location: `/api/v1/users/${user.name}` };
    },
  });

  route(app, {
    method: 'GET',
    url: '/users/:name',
    may: 'user.list',
    noun: 'users',
    summary: 'One user',
    params: ByName,
    tagged: true,
    replies: { 200: { description: 'the user', body: User } },
    handle: ({ caller, params }) => {
      const user = people.listUsers(caller).find((u) => u.name === params.name);
      if (!user) throw new HttpRefusal('not_found', 'there is no user of this name');
      return shown(user);
    },
  });

  route(app, {
    method: 'PATCH',
    url: '/users/:name',
    may: 'user.write',
    noun: 'users',
    summary: "The role, a new password, or whether he may log in; ends the user's logins",
    params: ByName,
    body: z.strictObject({
      role: RoleWord.optional(),
      password: Password.optional(),
      disabled: z.boolean().optional(),
      reason: Reason.optional(),
    }),
    mutates: 'entity',
    replies: { 200: { description: 'as it is now', body: User } },
    handle: async (asked) => {
      const { role, password, disabled, reason } = asked.body;
      const { user } = await people.updateUser(asked.mutation(reason), {
        name: asked.params.name,
        ...(role === undefined ? {} : { role }),
        ...(password === undefined ? {} : { password }),
        ...(disabled === undefined ? {} : { disabled }),
      });
      return shown(user);
    },
  });

  route(app, {
    method: 'DELETE',
    url: '/users/:name',
    may: 'user.write',
    noun: 'users',
    summary: 'The user is gone, with every login',
    params: ByName,
    mutates: 'entity',
    replies: { 200: { description: 'gone', body: z.object({ revision: Revision }) } },
    handle: async (asked) => ({ body: await people.removeUser(asked.mutation(), asked.params.name) }),
  });
}

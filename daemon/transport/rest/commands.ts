import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ACTIONS } from '../../../proto/vocab/can.ts';
import { COMMAND_TYPES, type CommandOptions } from '../../../proto/vocab/command.ts';
import type { Target as VocabTarget } from '../../../proto/vocab/config-version.ts';
import type { CommandId } from '../../../proto/vocab/ids.ts';
import { NODE_TYPES } from '../../../proto/vocab/node.ts';
import { CommandTask, commandJson, TASK_STATES } from './command-shape.ts';
import { PageQuery, PageShape } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Flag, Reason, ReasonBody, Word, whole } from './shapes.ts';

const TARGET_TYPES = ['node', 'region', 'type', 'label', 'all'] as const;
const DAY_MS = 86_400_000;

const CommandIn = z
  .strictObject({
    command: z.enum(COMMAND_TYPES),
    target_type: z.enum(TARGET_TYPES),
    target_ids: z
      .array(z.string().min(1).max(320))
      .max(10_000)
      .default([])
      .describe('names, regions, types, or labels as key=value; none for all'),
    reason: Reason.optional(),
    timeout_ms: z.int().min(1).max(DAY_MS).optional(),
    expires_ms: z.int().min(1).max(DAY_MS).optional(),
    max_parallel: z.int().min(1).max(10_000).optional().describe('so many nodes at a time'),
    dry_run: z.boolean().default(false).describe('only who would be hit'),
    options: z
      .strictObject({
        deadline_ms: z.int().min(0).max(DAY_MS).optional(),
        lines: z.int().min(1).max(1000).optional(),
        service: z.string().min(1).max(63).optional(),
        hard: z.boolean().optional(),
      })
      .optional(),
  })
  .meta({ id: 'CommandIn' });
type CommandIn = z.output<typeof CommandIn>;

const ById = z.strictObject({ task_id: Word });

export function addCommands(app: FastifyInstance, { services, watches }: RouteNeeds): void {
  const { commands } = services;

  route(app, {
    method: 'POST',
    url: '/commands',
    may: ACTIONS.filter((a) => COMMAND_TYPES.some((t) => a === `command.${t}`)),
    noun: 'commands',
    summary: 'A command to nodes; with dry_run, who would get it',
    body: CommandIn,
    mutates: 'new',
    problems: ['not_found'],
    replies: {
      200: { description: 'dry run: nothing was sent', body: CommandTask },
      202: { description: 'on its way', body: CommandTask },
    },
    handle: async (asked) => {
      const { body } = asked;
      const r = await commands.run(asked.mutation(body.reason), {
        type: body.command,
        target: targetOf(body),
        timeoutMs: body.timeout_ms ?? null,
        expiresMs: body.expires_ms ?? null,
        dryRun: body.dry_run,
        maxParallel: body.max_parallel ?? null,
        options: optionsOf(body.options),
      });
      if (body.dry_run) return { body: commandJson(r.command) };
      return {
        status: 202,
        body: commandJson(r.command),
        revision: r.command.modRevision,
        location: `/api/v1/commands/${r.command.id}`,
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/commands',
    may: 'watch',
    noun: 'commands',
    summary: 'Commands, newest first',
    query: z.strictObject({
      ...PageQuery,
      state: z.enum(TASK_STATES).optional(),
      command: z.enum(COMMAND_TYPES).optional(),
      watch: Flag,
      since: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }).optional(),
      store_id: Word.optional(),
    }),
    problems: ['gone'],
    replies: {
      200: {
        description: 'a page, or a stream of put and deleted',
        body: z.object({ commands: z.array(CommandTask), ...PageShape }),
        stream: true,
      },
    },
    handle: (asked) => {
      const { query } = asked;
      if (query.watch && asked.request.method === 'GET') {
        return watches.open(
          asked,
          { since: query.since ?? null, storeId: query.store_id },
          {
            kind: 'command',
            item: (t) =>
              (query.state === undefined || t.state === query.state) &&
              (query.command === undefined || t.type === query.command)
                ? commandJson(t)
                : null,
          },
        );
      }
      const { revision } = services.nodes.facts();
      const page = commands.list({
        ...(query.state ? { state: query.state } : {}),
        ...(query.command ? { type: query.command } : {}),
        limit: query.limit,
        before: query.cursor ?? null,
      });
      return { body: { commands: page.commands.map(commandJson), next: page.next, revision } };
    },
  });

  route(app, {
    method: 'GET',
    url: '/commands/:task_id',
    may: 'watch',
    noun: 'commands',
    summary: 'How far a command is, node by node',
    params: ById,
    tagged: true,
    replies: { 200: { description: 'the command', body: CommandTask } },
    handle: ({ params }) => {
      const task = commands.get(params.task_id as CommandId);
      return { body: commandJson(task), revision: task.modRevision };
    },
  });

  route(app, {
    method: 'POST',
    url: '/commands/:task_id/cancel',
    may: 'command.cancel',
    noun: 'commands',
    summary: 'Who has not got it will not; who has is told',
    params: ById,
    body: z.preprocess((v) => v ?? {}, ReasonBody),
    mutates: 'entity',
    replies: { 200: { description: 'as it is now', body: CommandTask } },
    handle: async (asked) => {
      const r = await commands.cancel(asked.mutation(asked.body.reason), asked.params.task_id as CommandId);
      return { body: commandJson(r.command), revision: r.command.modRevision };
    },
  });
}

function targetOf({ target_type: type, target_ids: ids }: CommandIn): VocabTarget {
  if (type === 'all') {
    if (ids.length > 0) throw new HttpRefusal('invalid', 'body.target_ids: target_type all takes none');
    return {};
  }
  if (ids.length === 0) throw new HttpRefusal('invalid', `body.target_ids: say which ${type}`);
  switch (type) {
    case 'node':
      return { nodes: ids as unknown as NonNullable<VocabTarget['nodes']> };
    case 'region':
      return { regions: ids };
    case 'label':
      return { labels: labelsOf(ids) };
    case 'type': {
      const types = ids.map((id) => {
        const known = NODE_TYPES.find((t) => t === id);
        if (known) return known;
        throw new HttpRefusal('invalid', `body.target_ids: a type is ${NODE_TYPES.join(' or ')}`);
      });
      const [first] = new Set(types);
      return new Set(types).size > 1 || first === undefined ? {} : { nodeType: first };
    }
  }
}

/** All of them must hold, so one key has one value. */
function labelsOf(ids: readonly string[]): Readonly<Record<string, string>> {
  const pairs = ids.map(pair);
  const labels = Object.fromEntries(pairs);
  if (Object.keys(labels).length === pairs.length) return labels;
  throw new HttpRefusal('invalid', 'body.target_ids: no node has two values of one label');
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new HttpRefusal('invalid', 'body.target_ids: a label is written key=value');
  return [text.slice(0, at), text.slice(at + 1)];
}

function optionsOf(o: CommandIn['options']): CommandOptions {
  return {
    ...(o?.deadline_ms === undefined ? {} : { deadlineMs: o.deadline_ms }),
    ...(o?.lines === undefined ? {} : { lines: o.lines }),
    ...(o?.service === undefined ? {} : { service: o.service }),
    ...(o?.hard === undefined ? {} : { hard: o.hard }),
  };
}

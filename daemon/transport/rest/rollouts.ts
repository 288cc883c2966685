import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RolloutId } from '../../../proto/vocab/ids.ts';
import {
  OVER,
  ROLLOUT_VERBS,
  TARGET_STATES,
  type Rollout as VocabRollout,
} from '../../../proto/vocab/rollout.ts';
import { decodeCursor, encodeCursor, PageQuery, PageShape } from './page.ts';
import {
  RevertPreview,
  ROLLOUT_STATES,
  Rollout,
  RolloutTarget,
  RolloutWithVerbs,
  revertJson,
  rolloutJson,
  targetItem,
  withVerbs,
} from './rollout-shape.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Reason, repeated, Word } from './shapes.ts';
import { watchedList } from './watched-list.ts';

const ById = z.strictObject({ id: z.string().min(1).max(32) });
const ConfirmNodes = z.int().min(1).optional().describe('refused unless it reaches exactly so many nodes');
const VerbIn = z.strictObject({ reason: Reason.optional(), confirm_nodes: ConfirmNodes });
const RevertIn = VerbIn.extend({ dry_run: z.boolean().default(false) });

const SUMMARIES: Readonly<Record<(typeof ROLLOUT_VERBS)[number], string>> = {
  pause: 'Nothing more is offered until it is resumed',
  resume: 'It goes on from where it was paused',
  promote: 'Its step is over: on with the next',
  promote_full: 'To the end, past all that is left of steps, pauses and gates',
  abort: 'It takes back what it has released',
  retry: 'The nodes that failed are asked once more',
  undo: 'What ran before comes back: an abort, or of one that succeeded a rollout of a new version',
};

/** What takes publications to their nodes, and takes them back. */
export function addRollouts(app: FastifyInstance, needs: RouteNeeds): void {
  const { rollouts, nodes } = needs.services;

  watchedList(app, needs, {
    url: '/rollouts',
    kind: 'rollout',
    summary: 'Rollouts, newest first',
    shape: Rollout,
    filter: {
      state: repeated(z.enum(ROLLOUT_STATES)),
      version: Word.optional(),
      open: z.enum(['true', 'false']).optional().describe('those that are not over, or those that are'),
    },
    all: () => rollouts.list({ limit: Number.MAX_SAFE_INTEGER, before: null }).rollouts,
    key: (r) => String(1e12 - Number(r.id)).padStart(13, '0'),
    fits: (r, q) =>
      (q.state?.includes(r.state.kind) ?? true) &&
      (q.version === undefined || q.version === r.version) &&
      (q.open === undefined || (q.open === 'true') === !OVER.includes(r.state.kind)),
    json: rolloutJson,
  });

  route(app, {
    method: 'GET',
    url: '/rollouts/:id',
    may: 'watch',
    noun: 'rollouts',
    summary: 'One rollout, and which verbs it takes now',
    params: ById,
    tagged: true,
    replies: { 200: { description: 'the rollout', body: RolloutWithVerbs } },
    handle: ({ params }) => {
      const { rollout, legal } = rollouts.get({ id: params.id as RolloutId, targets: 0 });
      return { body: withVerbs(rollout, legal), revision: rollout.modRevision };
    },
  });

  route(app, {
    method: 'GET',
    url: '/rollouts/:id/targets',
    may: 'watch',
    noun: 'rollouts',
    summary: 'Its nodes by name: how far each is, and why',
    params: ById,
    query: z.strictObject({ ...PageQuery, state: z.enum(TARGET_STATES).optional() }),
    replies: {
      200: {
        description: 'a page',
        body: z.object({ targets: z.array(RolloutTarget), ...PageShape }),
      },
    },
    handle: ({ params, query }) => {
      const { revision } = nodes.facts();
      const page = rollouts.targets({
        id: params.id as RolloutId,
        ...(query.state ? { state: query.state } : {}),
        limit: query.limit,
        before: query.cursor === undefined ? null : decodeCursor(query.cursor),
      });
      const next = page.next === null ? null : encodeCursor(page.next);
      return { body: { targets: page.targets.map(targetItem), next, revision } };
    },
  });

  for (const verb of ROLLOUT_VERBS) {
    route(app, {
      method: 'POST',
      url: `/rollouts/:id/${verb.replace('_', '-')}`,
      may: `rollout.${verb}`,
      noun: 'rollouts',
      summary: SUMMARIES[verb],
      params: ById,
      body: z.preprocess((v) => v ?? {}, VerbIn),
      mutates: 'entity',
      replies: { 200: { description: 'as it is then', body: Rollout } },
      handle: async (asked) => {
        const { body, params } = asked;
        const { rollout } = await rollouts.verb(asked.mutation(body.reason), {
          id: params.id as RolloutId,
          verb,
          confirmNodes: body.confirm_nodes ?? null,
        });
        return answer(rollout);
      },
    });
  }

  route(app, {
    method: 'POST',
    url: '/rollouts/revert-last',
    may: 'rollout.revert_last',
    noun: 'rollouts',
    summary: 'The fleet revert: takes the newest publication back, whatever state its rollout is in',
    body: z.preprocess((v) => v ?? {}, RevertIn),
    mutates: 'entity',
    problems: ['precondition'],
    replies: {
      200: { description: 'dry_run: nothing was done', body: RevertPreview },
      202: { description: 'on its way back', body: Rollout },
    },
    handle: async (asked) => {
      const { body } = asked;
      if (body.dry_run) return { body: revertJson(await rollouts.previewRevert()) };
      const { rollout } = await rollouts.revertLast(asked.mutation(body.reason), {
        confirmNodes: body.confirm_nodes ?? null,
      });
      return { status: 202, ...answer(rollout) };
    },
  });
}

function answer(rollout: VocabRollout) {
  return {
    body: rolloutJson(rollout),
    revision: rollout.modRevision,
    location: `/api/v1/rollouts/${rollout.id}`,
  };
}

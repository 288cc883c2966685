import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { SilenceId } from '../../../proto/vocab/ids.ts';
import { silenceState, type Silence as VocabSilence } from '../../../proto/vocab/silence.ts';
import { Alert, alertJson } from './alerts.ts';
import { newestFirst } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { millis, Reason, StampIn, Word } from './shapes.ts';
import { endOf, Matcher, matcherOf, SILENCE_STATES, Silence, silenceJson } from './silence-shape.ts';
import { watchedList } from './watched-list.ts';

const ById = z.strictObject({ id: Word });
const Matchers = z.array(Matcher).min(1).max(32);

const SilenceIn = z
  .strictObject({
    matchers: Matchers.describe('all of them must hold'),
    starts_at: StampIn.optional(),
    ends_at: StampIn.optional(),
    duration_ms: z
      .int()
      .min(1000)
      .max(365 * 86_400_000)
      .optional()
      .describe('instead of ends_at'),
    comment: z.string().min(1).max(1000),
    reason: Reason.optional(),
  })
  .meta({ id: 'SilenceIn' });

export function addSilences(app: FastifyInstance, needs: RouteNeeds): void {
  const { services, clock } = needs;
  const { silences } = services;
  const find = (id: string): VocabSilence => {
    const found = silences.list().find((s) => s.id === id);
    if (found) return found;
    throw new HttpRefusal('not_found', 'there is no silence of this id');
  };
  const shown = (s: VocabSilence) => ({ body: silenceJson(s, clock.now()), revision: s.modRevision });

  watchedList(app, needs, {
    url: '/silences',
    kind: 'silence',
    summary: 'Silences, newest first',
    shape: Silence,
    filter: { state: z.enum(SILENCE_STATES).optional() },
    all: () => silences.list(),
    key: (s) => newestFirst(s.createdAt, s.id),
    fits: (s, { state }) => state === undefined || state === silenceState(s, clock.now()),
    json: (s) => silenceJson(s, clock.now()),
  });

  route(app, {
    method: 'POST',
    url: '/silences',
    may: 'silence.create',
    noun: 'silences',
    summary: 'A silence; one that has begun never changes, an edit is an end and a new one',
    body: SilenceIn,
    mutates: 'new',
    replies: { 201: { description: 'the silence', body: Silence } },
    handle: async (asked) => {
      const { body } = asked;
      const startsAt = body.starts_at === undefined ? null : millis(body.starts_at);
      const { silence } = await silences.create(asked.mutation(body.reason), {
        matchers: body.matchers.map(matcherOf),
        alert: null,
        startsAt,
        endsAt: endOf(body, startsAt ?? clock.now()),
        comment: body.comment,
      });
      return { status: 201, ...shown(silence), location: `/api/v1/silences/${silence.id}` };
    },
  });

  route(app, {
    method: 'POST',
    url: '/silences/preview',
    may: 'watch',
    noun: 'silences',
    summary: 'What these matchers would silence, worked out by the code that silences',
    body: z.strictObject({ matchers: Matchers }),
    replies: {
      200: {
        description: 'nothing is silenced by this',
        body: z.object({
          would_silence: z.array(Alert),
          would_not_silence: z.array(Alert),
          nodes: z.array(z.string()),
          total_nodes: z.int(),
          asks_twice: z.boolean().describe('more than half of the fleet'),
        }),
      },
    },
    handle: ({ body }) => {
      const p = silences.preview(body.matchers.map(matcherOf));
      return {
        body: {
          would_silence: p.wouldSilence.map(alertJson),
          would_not_silence: p.wouldNotSilence.map(alertJson),
          nodes: p.nodes,
          total_nodes: p.totalNodes,
          asks_twice: p.asksTwice,
        },
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/silences/:id',
    may: 'watch',
    noun: 'silences',
    summary: 'One silence',
    params: ById,
    replies: { 200: { description: 'the silence', body: Silence } },
    handle: ({ params }) => shown(find(params.id)),
  });

  route(app, {
    method: 'DELETE',
    url: '/silences/:id',
    may: 'silence.expire',
    noun: 'silences',
    summary: 'Ends it now; it stays in the list, as expired',
    params: ById,
    mutates: 'entity',
    replies: { 200: { description: 'as it is now', body: Silence } },
    handle: async (asked) => {
      const { silence } = await silences.expire(asked.mutation(), asked.params.id as SilenceId);
      return shown(silence);
    },
  });
}

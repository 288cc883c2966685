import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AlertView } from '../../../proto/vocab/alert.ts';
import type { Fingerprint } from '../../../proto/vocab/ids.ts';
import { newestFirst } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import {
  iso,
  LabelPair,
  Labels,
  labelsHold,
  Reason,
  RegionWord,
  Revision,
  repeated,
  Stamp,
  StampIn,
  Word,
} from './shapes.ts';
import { endOf, Silence, silenceJson } from './silence-shape.ts';
import { watchedList } from './watched-list.ts';

export const Alert = z
  .object({
    id: z.string().describe('hash of its labels'),
    rule: z.string(),
    state: z.enum(['pending', 'firing', 'resolved']),
    severity: z.enum(['critical', 'warning']),
    labels: Labels,
    value: z.string().describe('what was seen, in words'),
    pending_at: Stamp,
    firing_at: Stamp.nullable(),
    resolved_at: Stamp.nullable(),
    silenced_by: z.array(z.string()).describe('silences active on it now'),
    inhibited_by: z.array(z.string()).describe('ids of alerts that say it already: it tells nobody'),
    mod_revision: Revision,
  })
  .meta({ id: 'Alert' });

export function alertJson(a: AlertView): z.output<typeof Alert> {
  return {
    id: a.fingerprint,
    rule: a.rule,
    state: a.state,
    severity: a.severity,
    labels: { ...a.labels },
    value: a.value,
    pending_at: iso(a.pendingAt),
    firing_at: a.state === 'pending' ? null : iso(a.firingAt),
    resolved_at: a.state === 'resolved' ? iso(a.resolvedAt) : null,
    silenced_by: [...a.silencedBy],
    inhibited_by: [...a.inhibitedBy],
    mod_revision: a.modRevision,
  };
}

const SilenceBody = z
  .strictObject({
    ends_at: StampIn.optional(),
    duration_ms: z
      .int()
      .min(1000)
      .max(365 * 86_400_000)
      .optional()
      .describe('instead of ends_at; two hours where neither is given'),
    comment: z.string().max(1000).optional(),
    reason: Reason.optional(),
  })
  .meta({ id: 'AlertSilenceIn' });

const ById = z.strictObject({ id: Word });

export function addAlerts(app: FastifyInstance, needs: RouteNeeds): void {
  const { services, clock } = needs;
  const { alerts, silences } = services;
  const known = (id: string): AlertView | undefined => alerts.list().find((a) => a.fingerprint === id);
  const find = (id: string): AlertView => {
    const found = known(id);
    if (found) return found;
    throw new HttpRefusal('not_found', 'there is no alert of this id');
  };

  watchedList(app, needs, {
    url: '/alerts',
    kind: 'alert',
    summary: 'Alerts, newest first',
    shape: Alert,
    filter: {
      state: repeated(z.enum(['pending', 'firing', 'resolved'])),
      severity: z.enum(['critical', 'warning']).optional(),
      rule: Word.optional(),
      region: repeated(RegionWord),
      label: repeated(LabelPair),
      silenced: z.enum(['true', 'false']).optional(),
      inhibited: z.enum(['true', 'false']).optional(),
    },
    all: () => alerts.list(),
    key: (a) => newestFirst(a.pendingAt, a.fingerprint),
    fits: (a, q) =>
      (q.state?.includes(a.state) ?? true) &&
      (q.severity === undefined || q.severity === a.severity) &&
      (q.rule === undefined || q.rule === a.rule) &&
      (q.region?.includes(a.labels['region'] ?? '') ?? true) &&
      (q.silenced === undefined || (q.silenced === 'true') === a.silencedBy.length > 0) &&
      (q.inhibited === undefined || (q.inhibited === 'true') === a.inhibitedBy.length > 0) &&
      labelsHold(a.labels, q.label),
    json: alertJson,
  });

  route(app, {
    method: 'GET',
    url: '/alerts/:id',
    may: 'watch',
    noun: 'alerts',
    summary: 'One alert',
    params: ById,
    replies: { 200: { description: 'the alert', body: Alert } },
    handle: ({ params }) => {
      const alert = find(params.id);
      return { body: alertJson(alert), revision: alert.modRevision };
    },
  });

  route(app, {
    method: 'POST',
    url: '/alerts/:id/silence',
    may: 'silence.create',
    noun: 'alerts',
    summary: 'A silence of exactly its labels',
    params: ById,
    body: z.preprocess((v) => v ?? {}, SilenceBody),
    mutates: 'new',
    replies: { 201: { description: 'the silence', body: Silence } },
    handle: async (asked) => {
      const { body, params } = asked;
      // One that is not there is refused where refusals are recorded.
      const rule = known(params.id)?.rule ?? 'an alert';
      const { silence } = await silences.create(asked.mutation(body.reason), {
        matchers: [],
        alert: params.id as Fingerprint,
        startsAt: null,
        endsAt: endOf(body, clock.now()),
        comment: body.comment ?? body.reason ?? `silenced ${rule} by REST`,
      });
      return {
        status: 201,
        body: silenceJson(silence, clock.now()),
        revision: silence.modRevision,
        location: `/api/v1/silences/${silence.id}`,
      };
    },
  });
}

import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import * as c from '../../../proto/link/codec-console.ts';
import { encodeRollout } from '../../../proto/link/codec-rollouts.ts';
import { decodePlace, encodeSeries, MOST_PLACES } from '../../../proto/link/codec-series.ts';
import { encodeNodeDetail } from '../../../proto/link/codec-watch.ts';
import * as w from '../../../proto/link/wire.ts';
import type { Fingerprint, SilenceId } from '../../../proto/vocab/ids.ts';
import type { Services } from '../../service/api.ts';
import { LONGEST_REASON, mutation, orNull, type Unary } from './handler.ts';
import { paceOf } from './rollout-handlers.ts';

/** Nodes, configs, alerts and silences, as the console asks for them. */
export function fleetHandlers(u: Unary, s: Omit<Services, 'agents'>): UntypedServiceImplementation {
  return {
    look: u('watch', 'look', (q: g.LookRequest): g.LookResponse => {
      s.watch.look(w.required(q.watchId, 'watch_id'), w.nodeNames(q.nodes, 512, 'nodes'));
      return {};
    }),
    getNodeDetail: u('watch', 'getNodeDetail', (q: g.GetNodeDetailRequest) =>
      encodeNodeDetail(s.nodes.detail(w.required(q.name, 'name'))),
    ),
    listRegionSeries: u('watch', 'listRegionSeries', (q: g.ListRegionSeriesRequest) => {
      const windowMs = w.int(q.windowMs, 'window_ms');
      const stepMs = w.int(q.stepMs, 'step_ms');
      return {
        series: w.bounded(q.places, MOST_PLACES, 'places').map((p) => {
          const place = decodePlace(p);
          return encodeSeries({ place, ttft95Ms: s.figures.lastly(place, windowMs, stepMs) });
        }),
      };
    }),
    getConfigVersion: u('watch', 'getConfigVersion', async (q: g.GetConfigVersionRequest, caller) => {
      const { version, body } = await s.configs.get(caller, w.required(q.label, 'label'));
      return { version: c.encodeVersion(version), body: w.buffer(body) };
    }),
    listConfigVersions: u('watch', 'listConfigVersions', (_: g.ListConfigVersionsRequest) => ({
      versions: s.configs.list().map(c.encodeVersion),
    })),
    listNodes: u('watch', 'listNodes', (_: g.ListNodesRequest): g.ListNodesResponse => {
      const { nodes, vitals, revision } = s.nodes.list();
      return {
        nodes: nodes.map(c.encodeNode),
        vitals: vitals.map(c.encodeVitals),
        revision: w.big(revision, 'revision'),
      };
    }),
    listAlerts: u('watch', 'listAlerts', (_: g.ListAlertsRequest) => ({
      alerts: s.alerts.list().map(c.encodeAlert),
      silences: s.silences.list().map(c.encodeSilence),
    })),
    previewSilence: u('watch', 'previewSilence', (q: g.PreviewSilenceRequest): g.PreviewSilenceResponse => {
      const p = s.silences.preview(c.decodeMatchers(q.matchers));
      return {
        wouldSilence: p.wouldSilence.map(c.encodeAlert),
        wouldNotSilence: p.wouldNotSilence.map(c.encodeAlert),
        nodes: [...p.nodes],
        totalNodes: p.totalNodes,
        asksTwice: p.asksTwice,
      };
    }),
    previewRollback: u('watch', 'previewRollback', async (q: g.PreviewRollbackRequest) => {
      const p = await s.configs.previewRollback({
        label: w.required(q.label, 'label'),
        target: c.decodeTarget(q.target),
      });
      return { toLabel: p.toLabel, newLabel: p.newLabel, nodes: [...p.nodes], streams: p.streams };
    }),
    createConfigVersion: u(
      'config.create',
      'createConfigVersion',
      async (q: g.CreateConfigVersionRequest, caller) => {
        const r = await s.configs.create(mutation(q, caller), {
          label: orNull(w.text(q.label, 'label', w.LONGEST.word)),
          description: w.text(q.description, 'description', LONGEST_REASON),
          body: q.body,
          parent: orNull(w.text(q.parent, 'parent', w.LONGEST.word)),
        });
        return { revision: w.big(r.revision, 'revision'), version: c.encodeVersion(r.version) };
      },
    ),
    publishConfigVersion: u(
      'config.publish',
      'publishConfigVersion',
      async (q: g.PublishConfigVersionRequest, caller) => {
        const r = await s.configs.publish(mutation(q, caller), {
          label: w.required(q.label, 'label'),
          target: c.decodeTarget(q.target),
          dryRun: q.dryRun,
          ...paceOf(q),
        });
        return {
          revision: w.big(r.revision, 'revision'),
          version: c.encodeVersion(r.version),
          nodes: [...r.nodes],
          rollout: r.rollout === null ? undefined : encodeRollout(r.rollout),
        };
      },
    ),
    rollbackConfig: u('config.rollback', 'rollbackConfig', async (q: g.RollbackConfigRequest, caller) => {
      const r = await s.configs.rollback(mutation(q, caller), {
        label: w.required(q.label, 'label'),
        target: c.decodeTarget(q.target),
        confirmNodes: q.confirmNodes === 0 ? null : q.confirmNodes,
      });
      return {
        revision: w.big(r.revision, 'revision'),
        version: c.encodeVersion(r.version),
        nodes: [...r.nodes],
        rollout: r.rollout === null ? undefined : encodeRollout(r.rollout),
      };
    }),
    createSilence: u('silence.create', 'createSilence', async (q: g.CreateSilenceRequest, caller) => {
      const r = await s.silences.create(mutation(q, caller), {
        matchers: c.decodeMatchers(q.matchers),
        alert: orNull(w.text(q.alertFingerprint, 'alert_fingerprint', w.LONGEST.word)) as Fingerprint | null,
        startsAt: w.millisOrNull(q.startsAt, 'starts_at'),
        endsAt: w.millis(q.endsAt, 'ends_at'),
        comment: w.text(q.comment, 'comment', LONGEST_REASON),
      });
      return { revision: w.big(r.revision, 'revision'), silence: c.encodeSilence(r.silence) };
    }),
    expireSilence: u('silence.expire', 'expireSilence', async (q: g.ExpireSilenceRequest, caller) => {
      const r = await s.silences.expire(mutation(q, caller), w.required(q.id, 'id') as SilenceId);
      return { revision: w.big(r.revision, 'revision'), silence: c.encodeSilence(r.silence) };
    }),
  };
}

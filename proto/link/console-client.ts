import { randomUUID } from 'node:crypto';
import { ConsoleServiceClient, type WatchResponse } from '../gen/aicdn/v1/console.ts';
import { AppError } from '../vocab/errors.ts';
import type { NodeName } from '../vocab/ids.ts';
import type { WatchEvent } from '../vocab/watch.ts';
import type { BackupApi } from './backup-api.ts';
import { backupCalls } from './backup-client.ts';
import * as c from './codec-console.ts';
import { decodeRollout, encodeOverrides } from './codec-rollouts.ts';
import { decodeSeries, encodePlace, MOST_PLACES } from './codec-series.ts';
import { decodeToken } from './codec-token.ts';
import { decodeNodeDetail, decodeWatch } from './codec-watch.ts';
import type { ConsoleApi, MutationArgs, Watch, WatchArgs } from './console-api.ts';
import { centreCalls } from './console-centre.ts';
import { ConsoleChannel, type ConsolePlace, showing, type UnaryMethod } from './console-channel.ts';
import { rolloutCalls } from './console-rollouts.ts';
import { fromServiceError } from './error-map.ts';
import { followLogs } from './follow-client.ts';
import type { PeopleApi } from './people-api.ts';
import { peopleCalls } from './people-client.ts';
import { type LinkState, type ResumableSettings, resumable } from './resumable.ts';
import type { RolloutsApi } from './rollouts-api.ts';
import * as w from './wire.ts';

export interface ConsoleTimes {
  readonly readDeadlineMs?: number;
  readonly writeDeadlineMs?: number;
  readonly watch?: ResumableSettings;
}
export type ConsoleSettings = ConsolePlace & ConsoleTimes;

/** Over the local socket, or over TLS with a pinned CA and a token. Nothing is dialled before the first call. */
export function connectConsole(settings: ConsoleSettings): ConsoleApi & PeopleApi & RolloutsApi & BackupApi {
  const readMs = settings.readDeadlineMs ?? 10_000;
  const writeMs = settings.writeDeadlineMs ?? 30_000;
  const channel = new ConsoleChannel(settings, readMs);
  // Its methods are called on the channel's connections.
  const client = ConsoleServiceClient.prototype as ConsoleServiceClient;
  const watches = new Set<Watch>();

  const call = <Q, R, V>(method: UnaryMethod<Q, R>, request: Q, deadlineMs: number, read: (r: R) => V) =>
    channel.call(method, request, deadlineMs, read);

  const write = (m: MutationArgs) => ({
    requestId: m.requestId ?? randomUUID(),
    reason: m.reason,
    ifRevision: w.big(m.ifRevision ?? 0, 'if_revision'),
  });
  const version = (r: { revision: bigint; version: Parameters<typeof c.decodeVersion>[0] | undefined }) => ({
    revision: w.int(r.revision, 'revision'),
    version: c.decodeVersion(w.present(r.version, 'version')),
  });
  const names = (list: readonly string[]) => w.nodeNames(list, c.MOST_NODES, 'nodes');
  const command = (r: { revision: bigint; command: Parameters<typeof c.decodeTask>[0] | undefined }) => ({
    revision: w.int(r.revision, 'revision'),
    command: c.decodeTask(w.present(r.command, 'command')),
  });
  const silence = (r: { revision: bigint; silence: Parameters<typeof c.decodeSilence>[0] | undefined }) => ({
    revision: w.int(r.revision, 'revision'),
    silence: c.decodeSilence(w.present(r.silence, 'silence')),
  });

  return {
    watch(args, onEvent, onState) {
      const watch = openWatch(channel, settings, args, onEvent, onState);
      const tracked: Watch = {
        ...watch,
        close() {
          watches.delete(tracked);
          watch.close();
        },
      };
      watches.add(tracked);
      return tracked;
    },
    listNodes: () =>
      call(client.listNodes, {}, readMs, (r) => ({
        nodes: r.nodes.map(c.decodeNode),
        vitals: r.vitals.map(c.decodeVitals),
        revision: w.int(r.revision, 'revision'),
      })),
    regionSeries: (a) =>
      call(
        client.listRegionSeries,
        {
          places: a.places.map(encodePlace),
          windowMs: w.big(a.windowMs, 'window_ms'),
          stepMs: w.big(a.stepMs, 'step_ms'),
        },
        readMs,
        (r) => w.bounded(r.series, MOST_PLACES, 'series').map(decodeSeries),
      ),
    nodeDetail: (name) => call(client.getNodeDetail, { name }, readMs, decodeNodeDetail),
    listConfigs: () => call(client.listConfigVersions, {}, readMs, (r) => r.versions.map(c.decodeVersion)),
    getConfig: (label) =>
      call(client.getConfigVersion, { label }, readMs, (r) => ({
        version: c.decodeVersion(w.present(r.version, 'version')),
        body: r.body,
      })),
    createConfig: (m, a) =>
      call(
        client.createConfigVersion,
        {
          ...write(m),
          label: a.label ?? '',
          description: a.description,
          body: w.buffer(a.body),
          parent: a.parent ?? '',
        },
        writeMs,
        version,
      ),
    publish: (m, a) =>
      call(
        client.publishConfigVersion,
        {
          ...write(m),
          label: a.label,
          target: c.encodeTarget(a.target),
          dryRun: a.dryRun,
          strategy: a.strategy ?? '',
          overrides: encodeOverrides(a.overrides),
        },
        writeMs,
        (r) => ({
          ...version(r),
          nodes: names(r.nodes),
          rollout: r.rollout ? decodeRollout(r.rollout) : null,
        }),
      ),
    previewRollback: (a) =>
      call(client.previewRollback, { label: a.label, target: c.encodeTarget(a.target) }, readMs, (r) => ({
        toLabel: w.versionLabel(r.toLabel, 'to_label'),
        newLabel: w.versionLabel(r.newLabel, 'new_label'),
        nodes: names(r.nodes),
        streams: r.streams,
      })),
    rollback: (m, a) =>
      call(
        client.rollbackConfig,
        {
          ...write(m),
          label: a.label,
          target: c.encodeTarget(a.target),
          confirmNodes: w.whole(a.confirmNodes ?? 0, 'confirm_nodes'),
        },
        writeMs,
        (r) => ({
          ...version(r),
          nodes: names(r.nodes),
          rollout: r.rollout ? decodeRollout(r.rollout) : null,
        }),
      ),
    runCommand: (m, a) =>
      call(
        client.runCommand,
        {
          ...write(m),
          type: a.type,
          target: c.encodeTarget(a.target),
          timeoutMs: w.whole(a.timeoutMs ?? 0, 'timeout_ms'),
          expiresMs: w.whole(a.expiresMs ?? 0, 'expires_ms'),
          dryRun: a.dryRun,
          maxParallel: w.whole(a.maxParallel ?? 0, 'max_parallel'),
          options: c.encodeOptions(a.options),
        },
        writeMs,
        (r) => ({ ...command(r), nodes: names(r.nodes), offline: names(r.offline) }),
      ),
    getCommand: (id) =>
      call(client.getCommand, { id }, readMs, (r) => c.decodeTask(w.present(r.command, 'command'))),
    listCommands: (a) =>
      call(
        client.listCommands,
        {
          state: c.encodeTaskState(a.state),
          type: a.type ?? '',
          limit: w.whole(a.limit, 'limit'),
          before: a.before ?? '',
        },
        readMs,
        (r) => ({ commands: r.commands.map(c.decodeTask), next: r.next === '' ? null : r.next }),
      ),
    cancelCommand: (m, id) => call(client.cancelCommand, { ...write(m), id }, writeMs, command),
    followLogs: (a, onLine, onEnd) => followLogs(channel, a, onLine, onEnd),
    getNode: (name) =>
      call(client.getNode, { name }, readMs, (r) => ({
        node: c.decodeNode(w.present(r.node, 'node')),
        vitals: c.decodeVitals(w.present(r.vitals, 'vitals')),
      })),
    updateNode: (m, a) =>
      call(
        client.updateNode,
        {
          ...write(m),
          name: a.name,
          labels: c.encodeAssigned(a.labels ?? {}),
          eligibility: a.eligibility ?? '',
        },
        writeMs,
        (r) => ({
          revision: w.int(r.revision, 'revision'),
          node: c.decodeNode(w.present(r.node, 'node')),
        }),
      ),
    removeNode: (m, a) =>
      call(client.removeNode, { ...write(m), ...a }, writeMs, (r) => ({
        revision: w.int(r.revision, 'revision'),
      })),
    listTokens: () => call(client.listJoinTokens, {}, readMs, (r) => r.tokens.map(decodeToken)),
    revokeToken: (m, id) =>
      call(client.revokeJoinToken, { ...write(m), id }, writeMs, (r) => ({
        revision: w.int(r.revision, 'revision'),
        token: decodeToken(w.present(r.token, 'token')),
      })),
    listAlerts: () =>
      call(client.listAlerts, {}, readMs, (r) => ({
        alerts: r.alerts.map(c.decodeAlert),
        silences: r.silences.map(c.decodeSilence),
      })),
    previewSilence: (matchers) =>
      call(client.previewSilence, { matchers: matchers.map(c.encodeMatcher) }, readMs, (r) => ({
        wouldSilence: r.wouldSilence.map(c.decodeAlert),
        wouldNotSilence: r.wouldNotSilence.map(c.decodeAlert),
        nodes: names(r.nodes),
        totalNodes: r.totalNodes,
        asksTwice: r.asksTwice,
      })),
    createSilence: (m, a) =>
      call(
        client.createSilence,
        {
          ...write(m),
          matchers: a.matchers.map(c.encodeMatcher),
          startsAt: a.startsAt === null ? undefined : w.stamp(a.startsAt),
          endsAt: w.stamp(a.endsAt),
          comment: a.comment,
          alertFingerprint: a.alert ?? '',
        },
        writeMs,
        silence,
      ),
    expireSilence: (m, id) => call(client.expireSilence, { ...write(m), id }, writeMs, silence),
    createToken: (m, a) =>
      call(
        client.createJoinToken,
        {
          ...write(m),
          nodeType: a.nodeType,
          region: a.region,
          name: a.name ?? '',
          ttlS: w.whole((a.ttlMs ?? 0) / 1000, 'ttl_s'),
          replace: a.replace,
        },
        writeMs,
        (r) => ({
          revision: w.int(r.revision, 'revision'),
          token: w.required(r.token, 'token', w.LONGEST.line),
          expiresAt: w.millis(r.expiresAt, 'expires_at'),
          joinCommand: w.text(r.joinCommand, 'join_command'),
        }),
      ),
    ...centreCalls({ client, call, write, readMs, writeMs }),
    ...rolloutCalls({ client, call, write, readMs, writeMs }),
    ...peopleCalls(channel, client, { readMs, writeMs }),
    ...backupCalls(channel),
    close() {
      for (const watch of [...watches]) watch.close();
      channel.close();
    },
  };
}

function openWatch(
  channel: ConsoleChannel,
  times: ConsoleTimes,
  args: WatchArgs,
  onEvent: (event: WatchEvent) => void,
  onState: (state: LinkState) => void,
): Watch {
  let looking: readonly NodeName[] = [];
  let live: {
    readonly watchId: string;
    readonly client: ConsoleServiceClient;
    readonly token: string | null;
  } | null = null;

  function tellLook(): void {
    if (!live) return;
    // Over the watch's own connection: that one stands. A lost one is told again with the next watch.
    live.client.look(
      { watchId: live.watchId, nodes: [...looking] },
      showing(live.token),
      { deadline: Date.now() + (times.readDeadlineMs ?? 10_000) },
      () => {},
    );
  }

  const link = resumable(times.watch ?? {}, {
    onState,
    open(hooks) {
      let over = false;
      let end = (): void => {};
      const token = channel.tokens?.get()?.accessToken ?? null;

      function closed(error: AppError): void {
        if (over) return;
        if (error.code !== 'unauthenticated' || token === null) {
          hooks.closed(error);
          return;
        }
        // The token's time is over, not the watch's: on with the next one, from what is known.
        over = true;
        channel.renew(token, error).then(
          () => hooks.closed(new AppError('unavailable', 'the login was renewed')),
          (fault: unknown) => hooks.closed(fromServiceError(fault)),
        );
      }

      async function begin(): Promise<void> {
        const client = await channel.dial();
        if (over) return client.close();
        const known = args.since();
        const stream = client.watch(
          {
            sinceRevision: w.big(known?.revision ?? 0, 'since_revision'),
            storeId: known?.storeId ?? '',
            client: args.client,
          },
          showing(token),
        );
        end = () => {
          live = null;
          stream.cancel();
          client.close();
        };
        stream.on('data', (message: WatchResponse) => {
          if (over) return;
          let event: WatchEvent;
          try {
            event = decodeWatch(message);
          } catch (error) {
            if (error instanceof AppError && error.code === 'unsupported') return;
            return closed(fromServiceError(error));
          }
          hooks.opened();
          if (event.kind === 'begin' || event.kind === 'resumed') {
            live = { watchId: event.watchId, client, token };
            if (looking.length > 0) tellLook();
          }
          onEvent(event);
        });
        stream.on('error', (error) => closed(channel.plainly(fromServiceError(error))));
        stream.on('end', () => closed(new AppError('unavailable', 'the master ended the stream')));
      }

      begin().catch((error: unknown) => closed(fromServiceError(error)));
      return {
        close() {
          over = true;
          end();
        },
      };
    },
  });

  return {
    look(nodes) {
      looking = nodes;
      tellLook();
    },
    retryNow: () => link.retryNow(),
    close: () => link.stop(),
  };
}

import type { CallOptions, ClientUnaryCall, Metadata, ServiceError } from '@grpc/grpc-js';
import type { ConsoleServiceClient } from '../gen/aicdn/v1/console.ts';
import { decodeRadius } from './codec-blast.ts';
import * as centre from './codec-centre.ts';
import * as c from './codec-console.ts';
import { encodeOverrides } from './codec-rollouts.ts';
import type { ConsoleApi, MutationArgs } from './console-api.ts';
import * as w from './wire.ts';

/** Twice the largest body, and the signs in front of its lines. */
const LONGEST_DIFF = 2 * 1024 * 1024;

export type Unary<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: R) => void,
) => ClientUnaryCall;

/** What a group of calls is made with. */
export interface Caller {
  readonly client: ConsoleServiceClient;
  readonly call: <Q, R, V>(
    method: Unary<Q, R>,
    request: Q,
    deadlineMs: number,
    read: (r: R) => V,
  ) => Promise<V>;
  readonly write: (m: MutationArgs) => { requestId: string; reason: string; ifRevision: bigint };
  readonly readMs: number;
  readonly writeMs: number;
}

type Centre = Pick<
  ConsoleApi,
  | 'validateConfig'
  | 'diffConfigs'
  | 'previewPublish'
  | 'listRegionVariables'
  | 'setRegionVariables'
  | 'listSecrets'
  | 'putSecret'
  | 'putCertificate'
  | 'removeSecret'
>;

/** The config centre: what comes before a publication, variables, secrets. */
export function centreCalls({ client, call, write, readMs, writeMs }: Caller): Centre {
  const names = (list: readonly string[]) => w.nodeNames(list, c.MOST_NODES, 'nodes');
  const secret = (r: {
    revision: bigint;
    secret: Parameters<typeof centre.decodeSecret>[0] | undefined;
  }) => ({
    revision: w.int(r.revision, 'revision'),
    secret: centre.decodeSecret(w.present(r.secret, 'secret')),
  });

  return {
    validateConfig: (a) =>
      call(
        client.validateConfig,
        { body: w.buffer(a.body), target: a.target === null ? undefined : c.encodeTarget(a.target) },
        readMs,
        (r) => ({
          problems: centre.decodeProblems(r.problems, 'problems'),
          nodes: w.bounded(r.nodes, c.MOST_NODES, 'nodes').map((n) => ({
            node: w.nodeName(n.node, 'nodes.node'),
            problems: centre.decodeProblems(n.problems, 'nodes.problems'),
          })),
        }),
      ),
    diffConfigs: (a) =>
      call(client.diffConfigs, { from: a.from, to: a.to, node: a.node ?? '' }, readMs, (r) => ({
        unified: w.text(r.unified, 'unified', LONGEST_DIFF),
        added: r.added,
        removed: r.removed,
      })),
    previewPublish: (a) =>
      call(
        client.previewPublish,
        {
          label: a.label,
          target: c.encodeTarget(a.target),
          strategy: a.strategy ?? '',
          overrides: encodeOverrides(a.overrides),
        },
        readMs,
        decodeRadius,
      ),
    listRegionVariables: () =>
      call(client.listRegionVariables, {}, readMs, (r) => centre.decodeRegions(r.regions)),
    setRegionVariables: (m, a) => {
      const all = Object.entries(a.variables);
      const set = Object.fromEntries(all.filter((e): e is [string, string] => e[1] !== null));
      const unset = all.flatMap(([k, v]) => (v === null ? [k] : []));
      return call(client.setRegionVariables, { ...write(m), region: a.region, set, unset }, writeMs, (r) => ({
        revision: w.int(r.revision, 'revision'),
        region: centre.decodeRegion(w.present(r.region, 'region')),
        nodes: names(r.nodes),
      }));
    },
    listSecrets: () => call(client.listSecrets, {}, readMs, (r) => centre.decodeSecrets(r.secrets)),
    putSecret: (m, a) =>
      call(client.putSecret, { ...write(m), name: a.name, value: a.value }, writeMs, secret),
    putCertificate: (m, a) =>
      call(
        client.putCertificate,
        {
          ...write(m),
          name: a.name,
          certPem: a.certPem,
          keyPem: a.keyPem,
          chainPem: a.chainPem ?? '',
        },
        writeMs,
        secret,
      ),
    removeSecret: (m, name) =>
      call(client.removeSecret, { ...write(m), name }, writeMs, (r) => ({
        revision: w.int(r.revision, 'revision'),
      })),
  };
}

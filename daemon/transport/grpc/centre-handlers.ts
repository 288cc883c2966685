import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import { encodeRadius } from '../../../proto/link/codec-blast.ts';
import * as centre from '../../../proto/link/codec-centre.ts';
import * as c from '../../../proto/link/codec-console.ts';
import * as w from '../../../proto/link/wire.ts';
import type { Services } from '../../service/api.ts';
import { mutation, orNull, type Unary } from './handler.ts';
import { paceOf } from './rollout-handlers.ts';

/** The config centre: what comes before a publication, variables, secrets. */
export function centreHandlers(
  s: Pick<Services, 'configs' | 'variables' | 'secrets'>,
  u: Unary,
): UntypedServiceImplementation {
  return {
    validateConfig: u('config.create', 'validateConfig', async (q: g.ValidateConfigRequest, caller) => {
      const target = q.target ? c.decodeTarget(q.target) : null;
      const r = await s.configs.validate(caller, { body: q.body, target });
      return {
        problems: centre.encodeProblems(r.problems),
        nodes: r.nodes.map((n) => ({ node: n.node, problems: centre.encodeProblems(n.problems) })),
      };
    }),
    diffConfigs: u('watch', 'diffConfigs', (q: g.DiffConfigsRequest, caller) =>
      s.configs.diff(caller, {
        from: w.required(q.from, 'from'),
        to: w.required(q.to, 'to'),
        node: orNull(w.text(q.node, 'node', w.LONGEST.word)),
      }),
    ),
    previewPublish: u('watch', 'previewPublish', async (q: g.PreviewPublishRequest, caller) =>
      encodeRadius(
        await s.configs.previewPublish(caller, {
          label: w.required(q.label, 'label'),
          target: c.decodeTarget(q.target),
          ...paceOf(q),
        }),
      ),
    ),
    listRegionVariables: u('watch', 'listRegionVariables', (_: g.ListRegionVariablesRequest) => ({
      regions: s.variables.listRegions().map(centre.encodeRegion),
    })),
    setRegionVariables: u(
      'config.publish',
      'setRegionVariables',
      async (q: g.SetRegionVariablesRequest, caller) => {
        const unset = w.bounded(q.unset, 64, 'unset').map((name) => [w.required(name, 'unset'), null]);
        const r = await s.variables.setRegion(mutation(q, caller), {
          region: w.required(q.region, 'region'),
          variables: Object.fromEntries([...Object.entries(w.labels(q.set, 'set')), ...unset]),
        });
        return {
          revision: w.big(r.revision, 'revision'),
          region: centre.encodeRegion(r.region),
          nodes: [...r.nodes],
        };
      },
    ),
    listSecrets: u('secret.list', 'listSecrets', (_: g.ListSecretsRequest, caller) => ({
      secrets: s.secrets.list(caller).map(centre.encodeSecret),
    })),
    putSecret: u('secret.write', 'putSecret', async (q: g.PutSecretRequest, caller) => {
      const name = w.required(q.name, 'name');
      const r = await s.secrets.putSecret(mutation(q, caller), { name, value: q.value });
      return { revision: w.big(r.revision, 'revision'), secret: centre.encodeSecret(r.secret) };
    }),
    putCertificate: u('secret.write', 'putCertificate', async (q: g.PutCertificateRequest, caller) => {
      const r = await s.secrets.putCertificate(mutation(q, caller), {
        name: w.required(q.name, 'name'),
        certPem: q.certPem,
        keyPem: q.keyPem,
        chainPem: orNull(q.chainPem),
      });
      return { revision: w.big(r.revision, 'revision'), secret: centre.encodeSecret(r.secret) };
    }),
    removeSecret: u('secret.remove', 'removeSecret', async (q: g.RemoveSecretRequest, caller) => {
      const r = await s.secrets.remove(mutation(q, caller), w.required(q.name, 'name'));
      return { revision: w.big(r.revision, 'revision') };
    }),
  };
}

import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../service/ports.ts';
import { addAlerts } from './alerts.ts';
import { addApiKeys } from './api-keys.ts';
import { addAudit } from './audit.ts';
import { addAuth } from './auth.ts';
import { addCommands } from './commands.ts';
import { addConfigReviews } from './config-reviews.ts';
import { addConfigs } from './configs.ts';
import { addDiscovery } from './discovery.ts';
import { addMetrics } from './metrics.ts';
import { NodeBook } from './node-book.ts';
import { addNodes } from './nodes.ts';
import { addRegions } from './regions.ts';
import { addRollouts } from './rollouts.ts';
import { addSecrets } from './secrets.ts';
import type { RestServices } from './server.ts';
import { addSilences } from './silences.ts';
import { addTokens } from './tokens.ts';
import { addUsers } from './users.ts';
import type { Watches } from './watch.ts';

export interface RouteNeeds {
  readonly services: RestServices;
  readonly clock: Clock;
  readonly watches: Watches;
  readonly book: NodeBook;
  /** Whether it is HTTPS that is spoken here. */
  readonly tls: boolean;
}

/** All of /api/v1, a module a noun. */
export function addRoutes(app: FastifyInstance, needs: Omit<RouteNeeds, 'book'>): void {
  const all: RouteNeeds = { ...needs, book: new NodeBook(needs.services.nodes, needs.clock) };
  addAuth(app, all);
  addNodes(app, all);
  addConfigs(app, all);
  addConfigReviews(app, all);
  addRollouts(app, all);
  addCommands(app, all);
  addMetrics(app, all);
  addDiscovery(app, all);
  addAlerts(app, all);
  addSilences(app, all);
  addTokens(app, all);
  addRegions(app, all);
  addSecrets(app, all);
  addAudit(app, all);
  addUsers(app, all);
  addApiKeys(app, all);
}

import type { Caller } from '../../../proto/vocab/can.ts';
import type { Revision } from '../../../proto/vocab/ids.ts';
import type { Services } from '../../service/api.ts';
import type { Clock } from '../../service/ports.ts';

const MOST = 1024;

/**
 * Who stands behind a token, looked up once a second and once a revision: whatever ends a token is a commit, or the
 * turn of the whole second in which it expires. So a token that ended is out with the next call.
 */
export class Callers {
  private readonly services: Pick<Services, 'people' | 'nodes'>;
  private readonly clock: Clock;
  private readonly known = new Map<string, Caller>();
  private second = -1;
  private revision: Revision = -1;

  constructor(services: Pick<Services, 'people' | 'nodes'>, clock: Clock) {
    this.services = services;
    this.clock = clock;
  }

  /** @throws AppError `unauthenticated` */
  of(bearer: string, remote: string): Caller {
    const second = Math.floor(this.clock.now() / 1000);
    const { revision } = this.services.nodes.facts();
    if (second !== this.second || revision !== this.revision || this.known.size >= MOST) {
      this.known.clear();
      this.second = second;
      this.revision = revision;
    }
    const found = this.known.get(bearer);
    if (found?.source === remote) return found;
    const caller = this.services.people.authenticate(bearer, remote);
    this.known.set(bearer, caller);
    return caller;
  }
}

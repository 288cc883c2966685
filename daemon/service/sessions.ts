import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Presence } from '../core/node/status.ts';

export interface Session extends Presence {
  readonly connected: boolean;
  readonly lastSeen: Millis;
  readonly since: Millis;
  readonly remote: string;
  readonly health: 'ok' | 'engine_lost' | 'degraded';
}

const NEVER: Presence = { connected: false, lastSeen: null };

/** Who is here and when each was last heard of. In memory only: a heartbeat never touches the disk. */
export class Sessions {
  private readonly byName = new Map<NodeName, Session>();

  presence(name: NodeName): Presence {
    return this.byName.get(name) ?? NEVER;
  }

  get(name: NodeName): Session | undefined {
    return this.byName.get(name);
  }

  began(name: NodeName, remote: string, now: Millis): void {
    this.byName.set(name, { connected: true, lastSeen: now, since: now, remote, health: 'ok' });
  }

  heard(name: NodeName, now: Millis, health?: Session['health']): void {
    const s = this.byName.get(name);
    if (s) this.byName.set(name, { ...s, lastSeen: now, health: health ?? s.health });
  }

  ended(name: NodeName): void {
    const s = this.byName.get(name);
    if (s) this.byName.set(name, { ...s, connected: false });
  }
}

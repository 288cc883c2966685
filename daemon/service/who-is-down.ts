import { endpointOf } from '../../proto/document/endpoint.ts';
import type { Alert } from '../../proto/vocab/alert.ts';
import type { Fingerprint, Millis } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import {
  type Dialled,
  evaluateLost,
  lostUnder,
  MASTER_SUSPECT,
  REGION_DOWN,
  type SeenNode,
  suspicion,
} from '../core/alert/lost.ts';
import type { AlertDraft } from '../core/alert/node-down.ts';
import type { Clock, Dialler, DialTarget, Log, Snapshot } from './ports.ts';
import type { Writer } from './write.ts';

interface Needs {
  readonly writer: Pick<Writer, 'view'>;
  readonly dialler: Dialler;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks at the lost nodes' ports. */
const EVERY_MS = 30_000;
/** Nodes of one look, and ports of each. */
const MOST_NODES = 32;
const MOST_PORTS = 2;
/** What is not TCP cannot be asked whether it listens. */
const DATAGRAMS: readonly string[] = ['quic', 'http3', 'udp', 'kcp'];

/** RegionDown and MasterSuspect: what the nodes' own alerts say together. */
export class WhoIsDown {
  private readonly needs: Needs;
  private calm: ReadonlyMap<Fingerprint, Millis> = new Map();
  /** Of the suspicion that stands; nothing is known of an earlier one's. */
  private dialled: Dialled | null = null;
  private dialledAt: Millis | null = null;
  private dialling: Promise<void> | null = null;
  private lost: readonly SeenNode[] = [];

  constructor(needs: Needs) {
    this.needs = needs;
  }

  /** @returns the alerts that are others now */
  evaluate(nodes: readonly SeenNode[], view: Snapshot, now: Millis): readonly AlertDraft[] {
    const alerts = view.list('alert').filter((a) => a.rule === REGION_DOWN || a.rule === MASTER_SUSPECT);
    const state = {
      alerts: new Map<Fingerprint, AlertDraft>(alerts.map((a) => [a.fingerprint, a])),
      calm: this.calm,
      dialled: this.dialled,
    };
    const { put, calm } = evaluateLost(nodes, state, now);
    this.calm = calm;
    const suspect = [...put, ...alerts].find((a) => a.rule === MASTER_SUSPECT);
    this.lost = suspect?.state === 'firing' ? lostUnder(nodes, suspect) : [];
    if (this.lost.length === 0) {
      this.dialled = null;
      this.dialledAt = null;
    }
    return put;
  }

  /** Why nothing should be rolled out now, or `null`. */
  suspicion(): { readonly why: string } | null {
    return suspicion(this.needs.writer.view().list('alert'), this.dialled, this.needs.clock.now());
  }

  /** Dials what is lost, every so often while this master is in doubt. What came of it stands in the alert with the next tick. */
  look(view: Snapshot, now: Millis): void {
    if (this.lost.length === 0 || this.dialling !== null) return;
    if (this.dialledAt !== null && now - this.dialledAt < EVERY_MS) return;
    this.dialledAt = now;
    const targets = targetsOf(this.lost, view);
    this.dialling = this.dial(targets)
      .catch((error: unknown) =>
        this.needs.log.warn('lost nodes could not be dialled', { error: String(error) }),
      )
      .finally(() => {
        this.dialling = null;
      });
  }

  /** Settles once nothing is being dialled. */
  async settled(): Promise<void> {
    await this.dialling;
  }

  private async dial(targets: readonly (readonly DialTarget[])[]): Promise<void> {
    const found = await this.needs.dialler.dial(targets.flat());
    let [nodes, answer, at] = [0, 0, 0];
    for (const of of targets) {
      const said = found.slice(at, at + of.length).filter((o) => o !== 'forbidden');
      at += of.length;
      if (said.length === 0) continue;
      nodes += 1;
      if (said.includes('answers')) answer += 1;
    }
    // It may be over by now.
    if (this.lost.length > 0) this.dialled = { nodes, answer };
  }
}

/** Ports of lost nodes by node, in turn over the regions: a sample of all of them where there are many. */
function targetsOf(lost: readonly SeenNode[], view: Snapshot): readonly (readonly DialTarget[])[] {
  const regions = new Map<string, SeenNode[]>();
  for (const n of lost) {
    const of = regions.get(n.region) ?? [];
    of.push(n);
    regions.set(n.region, of);
  }
  const targets: (readonly DialTarget[])[] = [];
  for (let i = 0; targets.length < MOST_NODES && [...regions.values()].some((of) => i < of.length); i++) {
    for (const of of regions.values()) {
      const node = view.get('node', of[i]?.name ?? '');
      const ports = node ? portsOf(node) : [];
      if (ports.length > 0 && targets.length < MOST_NODES) targets.push(ports);
    }
  }
  return targets;
}

/** Only what the node itself advertised. */
function portsOf(node: Node): readonly DialTarget[] {
  return (node.engine?.listeners ?? [])
    .filter((l) => !DATAGRAMS.includes(l.type))
    .map((l) => endpointOf(node, l))
    .filter((at) => typeof at !== 'string')
    .slice(0, MOST_PORTS);
}

/** What an event says of it. */
export function subjectOf(a: Alert | AlertDraft): string {
  return a.labels['node'] ?? a.labels['region'] ?? 'master';
}

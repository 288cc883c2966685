import { type HostPort, parseAddress } from '../../proto/document/address.ts';
import { LISTENER_CHANGES, type ListenerBlast, type NodeBlast } from '../../proto/vocab/blast.ts';
import type { ListenerInfo, Node } from '../../proto/vocab/node.ts';
import type { RenderedDocument } from './rendering.ts';
import { runs } from './running-documents.ts';

type Listens = RenderedDocument['listens'];

/** What becomes of the listeners of a node. */
export interface ListenerChange {
  readonly closes: readonly ListenerInfo[];
  readonly opens: Listens;
  /** As they become. */
  readonly changes: Listens;
  readonly keeps: Listens;
}

interface At<T> {
  readonly of: T;
  readonly at: HostPort;
}

/** By address: a listener that stays keeps its port open whatever else changes of it. */
export function listenerChange(before: readonly ListenerInfo[], after: Listens): ListenerChange {
  const [was, is] = [placed(before), placed(after)];
  const isAt = (a: HostPort) => (b: At<unknown>) => a.port === b.at.port && a.host === b.at.host;
  const stays = is.flatMap((n) => {
    const old = was.find(isAt(n.at));
    return old ? [{ is: n.of, was: old.of }] : [];
  });
  return {
    closes: was.filter((o) => !is.some(isAt(o.at))).map((o) => o.of),
    opens: is.filter((n) => !was.some(isAt(n.at))).map((n) => n.of),
    changes: stays.filter((s) => s.was.type !== s.is.type).map((s) => s.is),
    keeps: stays.filter((s) => s.was.type === s.is.type).map((s) => s.is),
  };
}

function placed<T extends { readonly addr: string }>(list: readonly T[]): readonly At<T>[] {
  return list.flatMap((of) => {
    const at = parseAddress(of.addr, 'listen');
    return typeof at === 'string' ? [] : [{ of, at }];
  });
}

interface Known {
  readonly listeners: readonly ListenerInfo[];
  readonly change: ListenerChange;
}

interface Sum {
  readonly told: Pick<ListenerBlast, 'change' | 'service' | 'addr' | 'type'>;
  nodes: number;
  streams: number | null;
}

/** What is told of listeners at most. */
const MOST = 64;

/** Worked out once for all nodes that run the same and get the same. */
export class ListenerChanges {
  private readonly known = new Map<string, Known[]>();
  private readonly sums = new Map<string, Sum>();
  private readonly counted = new Map<ListenerChange, number>();

  of(rendered: RenderedDocument, node: Node): ListenerChange {
    const listeners = node.engine?.listeners ?? [];
    const key = `${runs(node)} ${rendered.hash}`;
    const alike = this.known.get(key) ?? [];
    const found = alike.find((k) => sameListeners(k.listeners, listeners));
    if (found) return found.change;
    const change = listenerChange(listeners, rendered.listens);
    this.known.set(key, [...alike, { listeners, change }]);
    return change;
  }

  /** A node where this happens. @param closes with their streams */
  add(change: ListenerChange | null, closes: NodeBlast['closes']): void {
    if (!change) return;
    this.counted.set(change, (this.counted.get(change) ?? 0) + 1);
    for (const [i, l] of change.closes.entries()) {
      const sum = this.sum('closes', l);
      const streams = closes[i]?.streams ?? null;
      sum.streams = sum.streams === null || streams === null ? null : sum.streams + streams;
    }
  }

  told(): { readonly told: readonly ListenerBlast[]; readonly more: number } {
    for (const [change, nodes] of this.counted) {
      for (const kind of LISTENER_CHANGES) for (const l of change[kind]) this.sum(kind, l).nodes += nodes;
    }
    const all = [...this.sums.values()].toSorted(
      (a, b) =>
        LISTENER_CHANGES.indexOf(a.told.change) - LISTENER_CHANGES.indexOf(b.told.change) ||
        b.nodes - a.nodes ||
        (`${a.told.service} ${a.told.addr}` < `${b.told.service} ${b.told.addr}` ? -1 : 1),
    );
    const told = all.slice(0, MOST).map((s) => ({
      ...s.told,
      nodes: s.nodes,
      streams: s.told.change === 'closes' ? s.streams : null,
    }));
    return { told, more: all.length - told.length };
  }

  private sum(change: ListenerBlast['change'], { service, addr, type }: Listens[number]): Sum {
    const key = JSON.stringify([change, service, addr, type]);
    const known = this.sums.get(key) ?? { told: { change, service, addr, type }, nodes: 0, streams: 0 };
    this.sums.set(key, known);
    return known;
  }
}

function sameListeners(a: readonly ListenerInfo[], b: readonly ListenerInfo[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every((x, i) => x.addr === b[i]?.addr && x.service === b[i]?.service && x.type === b[i]?.type)
  );
}

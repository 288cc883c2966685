import { readdirSync, readFileSync } from 'node:fs';
import { every } from './every.ts';

const LOOK_AGAIN_MS = 250;
/** Kept free of a limit for streams that have come in and have not dialled yet, names, files. */
const RESERVE = 0.05;
/** Full at the reserve, and no longer full at so many of it. */
const EASED = 2;
/** The connection itself and the one it will make. */
const EACH = 2;

/** What a process may open, and has open. */
export interface Descriptors {
  readonly limit: number;
  readonly held: () => number;
}

/** Of this process; `null` where the system does not tell. */
export function ownDescriptors(): Descriptors | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    return Number.isNaN(limit) ? null : { limit, held: () => heldOf(limit) };
  } catch {
    return null;
  }
}

/** Looking takes a descriptor: where there is none, all are held. */
function heldOf(limit: number): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return limit;
  }
}

/**
 * Whether this process may take more connections. A full one must not have a port open: when descriptors are out,
 * libuv takes whatever waits there and drops it, and workers that share the port and have room never see it.
 */
export class Headroom {
  readonly #descriptors: Descriptors;
  readonly #reserve: number;
  readonly #needs: { tight: (held: number) => void; eased: (held: number) => void };
  /** Connections until the next look: looking costs more than a connection. */
  #unseen = 0;
  #stop: (() => void) | null = null;

  constructor(
    descriptors: Descriptors,
    needs: { tight: (held: number) => void; eased: (held: number) => void },
  ) {
    this.#descriptors = descriptors;
    this.#reserve = Math.ceil(descriptors.limit * RESERVE);
    this.#needs = needs;
  }

  get tight(): boolean {
    return this.#stop !== null;
  }

  /** A connection came in. */
  took(): void {
    if (this.#stop !== null) return;
    this.#unseen -= 1;
    if (this.#unseen > 0) return;
    const held = this.#descriptors.held();
    const free = this.#descriptors.limit - this.#reserve - held;
    this.#unseen = Math.max(1, Math.floor(free / (2 * EACH)));
    if (free > 0) return;
    this.#stop = every(LOOK_AGAIN_MS, () => this.look());
    this.#needs.tight(held);
  }

  // tight -> eased
  look(): void {
    if (this.#stop === null) return;
    const held = this.#descriptors.held();
    if (this.#descriptors.limit - held < EASED * this.#reserve) return;
    this.stop();
    this.#unseen = 0;
    this.#needs.eased(held);
  }

  /** Looks no more. */
  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }
}

import type { Millis } from '../../proto/vocab/ids.ts';
import type { Log } from '../core/log.ts';
import { issued, newKey, renewAt } from './csr.ts';

/** What a renewal replaces, PEM; the key is a new one each time. */
export interface RenewedPem {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
}

export interface RenewalNeeds {
  readonly current: () => { readonly node: string; readonly notBefore: Millis; readonly notAfter: Millis };
  /** Durable when it settles, and in use by the engine. */
  readonly renewed: (pem: RenewedPem) => Promise<void>;
  /** By the master's clock: it is its certificates. */
  readonly now: () => Millis;
  readonly random: () => number;
  readonly log: Log;
}

const RETRY_MS = 60_000;

/** The certificate's life: asked for anew at half of it, one request at a time. */
export class Renewal {
  readonly #needs: RenewalNeeds;
  #from: Millis;
  #storing: Promise<unknown> = Promise.resolve();
  #asked: { readonly keyPem: string } | null = null;

  constructor(needs: RenewalNeeds) {
    this.#needs = needs;
    this.#from = renewAt(needs.current(), needs.random());
  }

  /** Such a node may renew and nothing else. */
  get expired(): boolean {
    return this.#needs.now() >= this.#needs.current().notAfter;
  }

  get due(): boolean {
    return !this.#asked && (this.expired || this.#needs.now() >= this.#from);
  }

  get asked(): boolean {
    return this.#asked !== null;
  }

  // idle -> asked
  async ask(): Promise<Uint8Array> {
    const { current, now, log } = this.#needs;
    this.#from = now() + RETRY_MS;
    const { keyPem, csrDer } = await newKey(current().node);
    this.#asked = { keyPem };
    log.info('asking for a new certificate');
    return csrDer;
  }

  /** asked -> idle: the conversation ended, or the master wants to be asked later. */
  dropped(againMs: number | null): void {
    this.#asked = null;
    if (againMs !== null) this.#from = this.#needs.now() + Math.max(1000, againMs);
  }

  /** Once no certificate is being put into force: the next conversation shows the new one. */
  settled(): Promise<unknown> {
    return this.#storing;
  }

  /** asked -> idle. True: a new certificate is in force. */
  answered(chainDer: readonly Uint8Array[]): Promise<boolean> {
    const asked = this.#asked;
    this.#asked = null;
    const done = asked ? this.#store(asked.keyPem, chainDer) : Promise.resolve(false);
    this.#storing = done;
    return done;
  }

  async #store(keyPem: string, chainDer: readonly Uint8Array[]): Promise<boolean> {
    const { current, renewed, random, log } = this.#needs;
    try {
      await renewed(issued(keyPem, chainDer));
    } catch (e) {
      log.error('the new certificate is not kept', { error: e instanceof Error ? e.message : String(e) });
      return false;
    }
    this.#from = renewAt(current(), random());
    log.info('certificate renewed', { notAfter: new Date(current().notAfter).toISOString() });
    return true;
  }
}

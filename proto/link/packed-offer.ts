import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Commit, ConnectResponse, RemoteConfig } from '../gen/aicdn/v1/agent.ts';
import type { AgentDown, DownEnvelope } from '../vocab/agent-link.ts';
import { encodeDown } from './codec-down.ts';
import { compressed } from './offer-body.ts';
import * as w from './wire.ts';

// One document for a whole fleet is packed once: what differs between two agents, the nonce and the commit, is put
// before the bytes that do not. Fields of a message may come in any order.

export type Offered = Extract<AgentDown, { kind: 'remote_config' }>;

const NONCE = (1 << 3) | 2;
const LEADER_EPOCH = 2 << 3;
const REMOTE_CONFIG = (4 << 3) | 2;
const COMMIT = (6 << 3) | 2;

/**
 * A message in two parts that copies itself to where it is sent from: ten thousand copies of a document that only wait to
 * be copied again are not made.
 */
export class PackedOffer {
  readonly byteLength: number;
  private readonly head: Uint8Array;
  private readonly shared: Uint8Array;

  constructor(head: Uint8Array, shared: Uint8Array) {
    this.head = head;
    this.shared = shared;
    this.byteLength = head.length + shared.length;
  }

  /** @returns bytes copied */
  copy(to: Uint8Array, at = 0): number {
    to.set(this.head, at);
    to.set(this.shared, at + this.head.length);
    return this.byteLength;
  }
}

/** Packs each offer once for all who get the same: the same body, by identity, and the same words around it. */
export class OfferPacker {
  /** By the body in the form that is sent: of both forms, each is only there once somebody has asked for it. */
  private readonly known = new WeakMap<Uint8Array, { readonly offer: Offered; readonly bytes: Uint8Array }>();
  /** By the body as it is; `null`: nothing is saved. */
  private readonly smaller = new WeakMap<Uint8Array, Uint8Array | null>();
  /** Empty between two: what it has room for is not asked for again with each offer. */
  private readonly writer = new BinaryWriter();

  /**
   * A ConnectResponse, as `encodeDown` and the generated encoder would make it.
   * @param gzip the agent takes a body in that form
   */
  pack(
    { nonce, leaderEpoch, body }: DownEnvelope & { readonly body: Offered },
    { gzip }: { readonly gzip: boolean },
  ): PackedOffer {
    const shared = this.shared(body, gzip ? this.smallerOf(body.body) : null);
    const commit = body.commit && this.commitOf(body.commit);
    const head = this.written((to) => {
      to.uint32(NONCE).bytes(w.unhex(nonce));
      if (leaderEpoch !== 0) to.uint32(LEADER_EPOCH).uint64(w.big(leaderEpoch, 'leader_epoch'));
      to.uint32(REMOTE_CONFIG).uint32(shared.length + (commit?.length ?? 0));
      if (commit) to.raw(commit);
    });
    return new PackedOffer(head, shared);
  }

  /** Any other message, for one agent: small, so it is copied into a buffer that others share. */
  message(down: DownEnvelope): Buffer {
    return Buffer.from(this.written((to) => ConnectResponse.encode(encodeDown(down), to)));
  }

  private commitOf({ id, rollbackMs }: NonNullable<Offered['commit']>): Uint8Array {
    const message = { id, rollbackDuration: w.span(rollbackMs) };
    return this.written((to) => Commit.encode(message, to.uint32(COMMIT).fork()).join());
  }

  private written(write: (to: BinaryWriter) => unknown): Uint8Array {
    try {
      write(this.writer);
      return this.writer.finish();
    } catch (error) {
      // Of what could not be written nothing goes out before the next one.
      this.writer.finish();
      throw error;
    }
  }

  /** Also where something is sealed: the body is the same for all then, too. */
  private smallerOf(body: Uint8Array): Uint8Array | null {
    const known = this.smaller.get(body);
    if (known !== undefined) return known;
    const made = compressed(body);
    this.smaller.set(body, made);
    return made;
  }

  private shared(offer: Offered, bodyGzip: Uint8Array | null): Uint8Array {
    const sent = bodyGzip ?? offer.body;
    const known = this.known.get(sent);
    if (known && same(known.offer, offer)) return known.bytes;
    const config = configOf(encodeDown({ nonce: '', leaderEpoch: 0, body: { ...offer, commit: null } }));
    const bytes = RemoteConfig.encode(
      bodyGzip ? { ...config, body: Buffer.alloc(0), bodyGzip: w.buffer(bodyGzip) } : config,
    ).finish();
    // What is sealed is opened for each node anew, and kept nowhere.
    if (offer.sealed.length === 0) this.known.set(sent, { offer, bytes });
    return bytes;
  }
}

function configOf(m: ConnectResponse): RemoteConfig {
  if (m.body?.$case !== 'remoteConfig') throw w.invalid('remote_config', 'is missing');
  return m.body.value;
}

/** But for the commit, and for what is sealed: there is none. */
function same(a: Offered, b: Offered): boolean {
  if (a.sealed.length + b.sealed.length > 0) return false;
  const keys = Object.keys(b) as (keyof Offered)[];
  return (
    keys.length === Object.keys(a).length &&
    keys.every((k) => k === 'commit' || k === 'sealed' || a[k] === b[k])
  );
}

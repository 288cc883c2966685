import type { Caller } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, Revision, VersionLabel } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import {
  formatSealedRef,
  isSecretName,
  type SecretKind,
  type SecretView,
  sealedVariable,
} from '../../proto/vocab/secret.ts';
import type { SecretsService as Api, Mutation } from './api.ts';
import { readCertificate } from './certificate.ts';
import { type FollowNeeds, following } from './follow.ts';
import type { Clock, Snapshot, StoredSecret, Vault } from './ports.ts';
import { withEntity } from './published.ts';
import { authorise, guardRevision, type Writer } from './write.ts';

interface Needs extends FollowNeeds {
  readonly writer: Writer;
  readonly vault: Vault;
  readonly clock: Clock;
}

/** What is put, before it has a version. */
interface Given {
  readonly name: string;
  readonly kind: SecretKind;
  readonly content: Uint8Array;
  readonly notAfter: Millis | null;
  readonly names: readonly string[];
}

const LONGEST_SECRET = 16 * 1024;
const LONGEST_CERTIFICATE = 64 * 1024;

/**
 * Sealed before anything else is done with it: the journal, its snapshots and the answers hold what cannot be opened
 * without a key that is kept elsewhere. Opened for an offer, and nowhere else.
 */
export class SecretsService implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(caller: Caller): readonly SecretView[] {
    authorise(caller, 'secret.list');
    const view = this.needs.writer.view();
    return view.list('secret').map((s) => this.shown(view, s));
  }

  async putSecret(m: Mutation, args: { name: string; value: string }): ReturnType<Api['putSecret']> {
    authorise(m.caller, 'secret.write');
    const content = new TextEncoder().encode(args.value);
    if (content.length === 0) throw new AppError('invalid', 'the secret is empty');
    if (content.length > LONGEST_SECRET) {
      throw new AppError('too_large', `a secret may have ${LONGEST_SECRET} bytes`);
    }
    return this.put(m, { name: args.name, kind: 'secret', content, notAfter: null, names: [] });
  }

  async putCertificate(
    m: Mutation,
    args: { name: string; certPem: string; keyPem: string; chainPem: string | null },
  ): ReturnType<Api['putCertificate']> {
    authorise(m.caller, 'secret.write');
    const { pem, notAfter, names } = readCertificate(args, this.needs.clock.now());
    const content = new TextEncoder().encode(pem);
    if (content.length > LONGEST_CERTIFICATE) {
      throw new AppError('too_large', `a certificate with its chain may have ${LONGEST_CERTIFICATE} bytes`);
    }
    return this.put(m, { name: args.name, kind: 'certificate', content, notAfter, names });
  }

  async remove(m: Mutation, name: string, kind?: SecretKind): Promise<{ revision: Revision }> {
    const { revision } = await this.needs.writer.mutate<string>(
      m,
      'secret.remove',
      { name, ...(kind ? { kind } : {}) },
      (view) => {
        const stored = view.get('secret', name);
        if (!stored || (kind && stored.kind !== kind)) {
          throw new AppError('not_found', `there is no ${kind ?? 'secret'} ${quoted(name)}`);
        }
        guardRevision(m, name, stored.modRevision);
        const users = this.usedBy(view, stored);
        if (users.length > 0) {
          throw new AppError(
            'precondition',
            `${name} is named by ${users.join(', ')}, which is in force: publish a version without it first`,
          );
        }
        const last = { id: lastKey(name), value: stored.version };
        return {
          ops: [
            { op: 'del', kind: 'secret', key: name },
            // Put again one day, it must not get a version that a node knows with another content.
            { op: 'put', kind: 'meta', key: last.id, value: last },
          ],
          events: [event(m, name, `removed ${stored.kind} ${name}`)],
          result: name,
        };
      },
      (n) => n,
      (_view, n) => n,
    );
    return { revision };
  }

  private async put(m: Mutation, given: Given): ReturnType<Api['putSecret']> {
    const { name, kind, content } = given;
    if (!isSecretName(name)) {
      throw new AppError(
        'invalid',
        `name ${quoted(name)}: letters, digits, _, - and . are wanted, a letter or digit first`,
      );
    }
    const { writer, vault } = this.needs;
    await vault.ready();
    // Of the content only this is kept with the request: nobody else can work it out.
    const args = { name, kind, digest: vault.digest(content) };
    const { revision } = await writer.mutate<string>(
      m,
      'secret.write',
      args,
      (view, now, next) => {
        const old = view.get('secret', name);
        guardRevision(m, name, old?.modRevision);
        if (old && old.kind !== kind) {
          throw new AppError('conflict', `${name} is a ${old.kind}: names are unique over both kinds`);
        }
        if (old && this.same(old, content)) return { ops: [], events: [], result: name };
        const { notAfter, names } = given;
        const version = nextVersion(view, name);
        const value: StoredSecret = {
          ...{ name, kind, version, bytes: content.length, notAfter, names },
          ...vault.seal(formatSealedRef({ kind, name, version }), content),
          updatedBy: m.caller.actor,
          updatedAt: now,
          modRevision: next,
        };
        const variable = sealedVariable(value);
        const after = withEntity(view, 'secret', name, value);
        const { nodes, decision } = following(this.needs, after, now, (_, used) => used.includes(variable));
        const reason = m.reason.trim() === '' ? '' : `: ${m.reason}`;
        const text = `put ${kind} ${name}, version ${version}; ${nodes.length} nodes follow${reason}`;
        return {
          ops: [{ op: 'put', kind: 'secret', key: name, value }, ...decision.ops],
          events: [event(m, name, text), ...decision.events],
          effects: decision.effects ?? [],
          result: name,
        };
      },
      () => name,
      () => name,
    );
    const view = writer.view();
    const stored = view.get('secret', name);
    if (!stored) throw new AppError('conflict', `${name} was removed meanwhile`);
    return { revision, secret: this.shown(view, stored) };
  }

  /** Names of those that do not open: sealed under another key, or damaged. */
  shut(): readonly string[] {
    const all = this.needs.writer.view().list('secret');
    return all.filter((s) => this.opened(s) === null).map((s) => s.name);
  }

  /** One that does not open is another: it can be put again. */
  private same(old: StoredSecret, content: Uint8Array): boolean {
    return this.opened(old)?.equals(content) ?? false;
  }

  private opened(s: StoredSecret): Buffer | null {
    try {
      return Buffer.from(this.needs.vault.open(formatSealedRef(s), s));
    } catch {
      return null;
    }
  }

  private shown(view: Snapshot, s: StoredSecret): SecretView {
    const { name, kind, version, updatedBy, updatedAt, notAfter, names, modRevision } = s;
    const usedBy = this.usedBy(view, s);
    return { name, kind, version, updatedBy, updatedAt, notAfter, names, usedBy, modRevision };
  }

  private usedBy(view: Snapshot, s: StoredSecret): readonly VersionLabel[] {
    const { templates } = this.needs;
    const variable = sealedVariable(s);
    const labels = new Set(templates.standing(view).map((x) => x.label));
    return [...labels].toSorted().filter((label) => {
      const version = view.get('version', label);
      return version !== undefined && templates.names(version).includes(variable);
    });
  }
}

function nextVersion(view: Snapshot, name: string): number {
  return (view.get('secret', name)?.version ?? Number(view.get('meta', lastKey(name))?.value ?? 0)) + 1;
}

function lastKey(name: string): string {
  return `secret ${name}`;
}

function event(m: Mutation, subject: string, text: string) {
  return { kind: 'config', who: m.caller.actor, subject, level: 'info', text } as const;
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 63 }));

import type { ConnectResponse } from '../gen/aicdn/v1/agent.ts';
import type { AgentDown, DownEnvelope } from '../vocab/agent-link.ts';
import { COMMAND_TYPES, type CommandOptions, type CommandType } from '../vocab/command.ts';
import { AppError } from '../vocab/errors.ts';
import type { CommandId } from '../vocab/ids.ts';
import { isSecretName, SECRET_KINDS } from '../vocab/secret.ts';
import { MOST_DER } from './codec-up.ts';
import { bodyOf, MOST_BODY } from './offer-body.ts';
import * as w from './wire.ts';

// The agent link, wire ⇄ vocab, from the master down. Decoders throw AppError `invalid` for what makes no sense and
// `unsupported` for a body this build does not know: the latter comes from a newer peer and may be passed over.

const MOST_SEALED = 256;

export function encodeDown(down: DownEnvelope): ConnectResponse {
  return {
    nonce: w.unhex(down.nonce),
    leaderEpoch: w.big(down.leaderEpoch, 'leader_epoch'),
    body: encodeDownBody(down.body),
  };
}

function encodeDownBody(b: AgentDown): NonNullable<ConnectResponse['body']> {
  switch (b.kind) {
    case 'welcome':
      return {
        $case: 'welcome',
        value: { node: b.node, masterVersion: b.masterVersion, now: w.stamp(b.now), storeId: b.storeId },
      };
    case 'remote_config':
      return {
        $case: 'remoteConfig',
        value: {
          configHash: b.hash,
          revision: w.big(b.revision, 'remote_config.revision'),
          rolloutId: '',
          body: w.buffer(b.body),
          bodyGzip: Buffer.alloc(0),
          versionLabel: b.version,
          commit: b.commit ? { id: b.commit.id, rollbackDuration: w.span(b.commit.rollbackMs) } : undefined,
          sealed: b.sealed.map((s) => ({ ...s, content: w.buffer(s.content) })),
          retry: w.big(b.retry, 'remote_config.retry'),
        },
      };
    case 'commit_confirm':
      return { $case: 'commitConfirm', value: { id: b.id } };
    case 'commit_cancel':
      return { $case: 'commitCancel', value: { id: b.id } };
    case 'command':
      return {
        $case: 'command',
        value: {
          commandId: b.id,
          type: b.type,
          args: encodeOptions(b.options),
          timeout: w.span(b.timeoutMs),
          expiresAt: w.stamp(b.expiresAt),
          preconditionConfigHash: '',
        },
      };
    case 'cancel_command':
      return { $case: 'cancelCommand', value: { commandId: b.id } };
    case 'follow_logs':
      return {
        $case: 'followLogs',
        value: {
          followId: b.followId,
          lines: w.whole(b.lines, 'follow_logs.lines'),
          maxTime: w.span(b.maxMs),
        },
      };
    case 'end_follow':
      return { $case: 'endFollow', value: { followId: b.followId } };
    case 'offers':
      return {
        $case: 'offers',
        value: {
          heartbeatInterval: b.heartbeatMs === null ? undefined : w.span(b.heartbeatMs),
          reportInterval: b.reportMs === null ? undefined : w.span(b.reportMs),
          certificateChainDer: (b.chainDer ?? []).map(w.buffer),
        },
      };
    case 'report_full_state':
      return { $case: 'reportFullState', value: {} };
    case 'unavailable':
      return {
        $case: 'unavailable',
        value: { reason: w.head(b.reason, w.LONGEST.line), retryAfter: w.span(b.retryAfterMs) },
      };
  }
}

export function decodeDown(m: ConnectResponse): DownEnvelope {
  return {
    nonce: w.hex(m.nonce, 'nonce'),
    leaderEpoch: w.int(m.leaderEpoch, 'leader_epoch'),
    body: decodeDownBody(m.body),
  };
}

function decodeDownBody(b: ConnectResponse['body']): AgentDown {
  switch (b?.$case) {
    case 'welcome':
      return {
        kind: 'welcome',
        node: w.nodeName(b.value.node, 'welcome.node'),
        masterVersion: w.text(b.value.masterVersion, 'welcome.master_version', w.LONGEST.word),
        now: w.millis(b.value.now, 'welcome.now'),
        storeId: w.text(b.value.storeId, 'welcome.store_id', w.LONGEST.word),
      };
    case 'remoteConfig': {
      const c = b.value.commit;
      return {
        kind: 'remote_config',
        hash: w.configHash(b.value.configHash, 'remote_config.config_hash'),
        revision: w.int(b.value.revision, 'remote_config.revision'),
        version: w.versionLabel(b.value.versionLabel, 'remote_config.version_label'),
        body: bodyOf(b.value),
        commit: c
          ? {
              id: w.required(c.id, 'commit.id'),
              rollbackMs: w.spanMillis(c.rollbackDuration, 'commit.rollback_duration'),
            }
          : null,
        sealed: w.bounded(b.value.sealed, MOST_SEALED, 'remote_config.sealed').map((s) => ({
          kind: w.oneOf(s.kind, SECRET_KINDS, 'sealed.kind'),
          name: secretName(s.name),
          version: s.version,
          content: w.bytes(s.content, 'sealed.content', MOST_BODY),
        })),
        retry: w.int(b.value.retry, 'remote_config.retry'),
      };
    }
    case 'commitConfirm':
      return { kind: 'commit_confirm', id: w.required(b.value.id, 'commit_confirm.id') };
    case 'commitCancel':
      return { kind: 'commit_cancel', id: w.required(b.value.id, 'commit_cancel.id') };
    case 'command':
      return {
        kind: 'command',
        id: w.required(b.value.commandId, 'command.command_id') as CommandId,
        type: knownType(b.value.type),
        timeoutMs: w.spanMillis(b.value.timeout, 'command.timeout'),
        expiresAt: w.millis(b.value.expiresAt, 'command.expires_at'),
        options: decodeOptions(b.value.args),
      };
    case 'cancelCommand':
      return {
        kind: 'cancel_command',
        id: w.required(b.value.commandId, 'cancel_command.command_id') as CommandId,
      };
    case 'followLogs':
      return {
        kind: 'follow_logs',
        followId: w.required(b.value.followId, 'follow_logs.follow_id'),
        lines: b.value.lines,
        maxMs: w.spanMillis(b.value.maxTime, 'follow_logs.max_time'),
      };
    case 'endFollow':
      return { kind: 'end_follow', followId: w.required(b.value.followId, 'end_follow.follow_id') };
    case 'offers': {
      const { heartbeatInterval, reportInterval, certificateChainDer: chain } = b.value;
      return {
        kind: 'offers',
        heartbeatMs: heartbeatInterval ? w.spanMillis(heartbeatInterval, 'offers.heartbeat_interval') : null,
        reportMs: reportInterval ? w.spanMillis(reportInterval, 'offers.report_interval') : null,
        chainDer:
          chain.length === 0
            ? null
            : w.bounded(chain, 8, 'offers.chain').map((c) => w.bytes(c, 'offers.chain', MOST_DER)),
      };
    }
    case 'reportFullState':
      return { kind: 'report_full_state' };
    case 'unavailable':
      return {
        kind: 'unavailable',
        reason: w.text(b.value.reason, 'unavailable.reason', w.LONGEST.line),
        retryAfterMs: w.spanMillis(b.value.retryAfter, 'unavailable.retry_after'),
      };
    default:
      throw new AppError('unsupported', 'a message that this build does not know');
  }
}

function encodeOptions(o: CommandOptions): Record<string, string> {
  return {
    ...(o.deadlineMs === undefined ? {} : { deadline_ms: String(w.whole(o.deadlineMs, 'deadline_ms')) }),
    ...(o.lines === undefined ? {} : { lines: String(w.whole(o.lines, 'lines')) }),
    ...(o.service === undefined ? {} : { service: o.service }),
    ...(o.hard === undefined ? {} : { hard: String(o.hard) }),
  };
}

/** Of a newer master: passed over, as carried out without it the command would be another one. */
function decodeOptions(args: Readonly<Record<string, string>>): CommandOptions {
  const { deadline_ms: deadline, lines, service, hard, ...others } = args;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new AppError('unsupported', 'a command option that this build does not know');
  return {
    ...(deadline === undefined ? {} : { deadlineMs: wholeNumber(deadline, 'command.args.deadline_ms') }),
    ...(lines === undefined ? {} : { lines: wholeNumber(lines, 'command.args.lines') }),
    ...(service === undefined ? {} : { service: w.required(service, 'command.args.service') }),
    ...(hard === undefined
      ? {}
      : { hard: w.oneOf(hard, ['true', 'false'] as const, 'command.args.hard') === 'true' }),
  };
}

/** One of a newer master is passed over: its conversation goes on, and the command expires there. */
function knownType(text: string): CommandType {
  const type = COMMAND_TYPES.find((t) => t === text);
  if (!type) throw new AppError('unsupported', 'a command that this build does not know');
  return type;
}

function wholeNumber(text: string, field: string): number {
  if (!/^\d{1,15}$/.test(text)) throw w.invalid(field, 'is not a whole number');
  return Number(text);
}

/** It becomes a part of a file's name here. */
function secretName(name: string): string {
  if (!isSecretName(name)) throw w.invalid('sealed.name', 'is no name of a secret');
  return name;
}

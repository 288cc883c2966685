import type { AgentDown } from '../../../proto/vocab/agent-link.ts';
import type { CommandOptions, CommandType } from '../../../proto/vocab/command.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { CommandId, NodeName } from '../../../proto/vocab/ids.ts';
import type { AgentLink, Offer } from '../../service/ports.ts';
import type { AgentSession } from './agent-session.ts';

/** The live sessions, one a node. What is said to a node that is not here is said again when it comes. */
export class AgentSessions implements AgentLink {
  private readonly sessions = new Map<NodeName, AgentSession>();

  get size(): number {
    return this.sessions.size;
  }

  connected(name: NodeName): boolean {
    return this.sessions.has(name);
  }

  offerConfig(name: NodeName, { rollbackMs, ...offer }: Offer): void {
    const commit = rollbackMs === null ? null : { id: '', rollbackMs };
    this.send(name, { kind: 'remote_config', ...offer, commit });
  }

  sendCommand(
    name: NodeName,
    command: { id: string; type: string; timeoutMs: number; expiresAt: number; options: CommandOptions },
  ): void {
    this.send(name, {
      kind: 'command',
      id: command.id as CommandId,
      type: command.type as CommandType,
      timeoutMs: command.timeoutMs,
      expiresAt: command.expiresAt,
      options: command.options,
    });
  }

  cancelCommand(name: NodeName, id: string): void {
    this.send(name, { kind: 'cancel_command', id: id as CommandId });
  }

  followLogs(name: NodeName, { id, lines, maxMs }: { id: string; lines: number; maxMs: number }): void {
    this.send(name, { kind: 'follow_logs', followId: id, lines, maxMs });
  }

  endFollow(name: NodeName, id: string): void {
    this.send(name, { kind: 'end_follow', followId: id });
  }

  setReportInterval(name: NodeName, ms: number): void {
    this.sessions.get(name)?.reportEach(ms);
  }

  disconnect(name: NodeName, reason: string): void {
    this.sessions.get(name)?.end(new AppError('unauthenticated', reason));
  }

  /** The newest session of a node is the one that counts; the older one is told so. */
  enter(session: AgentSession): void {
    const old = this.sessions.get(session.name);
    if (old === session) return;
    this.sessions.set(session.name, session);
    old?.end(new AppError('unavailable', `a newer session of ${session.name} came from ${session.remote}`));
  }

  leave(session: AgentSession): void {
    if (this.sessions.get(session.name) === session) this.sessions.delete(session.name);
  }

  dismissAll(reason: string, retryAfterMs: number): void {
    for (const session of [...this.sessions.values()]) session.dismiss(reason, retryAfterMs);
  }

  private send(name: NodeName, body: AgentDown): void {
    this.sessions.get(name)?.send(body);
  }
}

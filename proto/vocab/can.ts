/** Who may do what: one table, read by every transport and by the console for its greyed keys. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The least role that may do it; the roles after it may as well. */
const LEAST = {
  watch: 'viewer',
  'metrics.read': 'viewer',
  'config.create': 'operator',
  'config.publish': 'operator',
  'config.rollback': 'operator',
  'rollout.pause': 'operator',
  'rollout.resume': 'operator',
  'rollout.promote': 'operator',
  'rollout.promote_full': 'admin',
  'rollout.abort': 'operator',
  'rollout.retry': 'operator',
  'rollout.undo': 'operator',
  'rollout.revert_last': 'operator',
  'command.reload': 'operator',
  'command.restart': 'operator',
  'command.stop': 'operator',
  'command.start': 'operator',
  'command.status': 'operator',
  'command.logs': 'operator',
  'command.drain': 'operator',
  'command.undrain': 'operator',
  'command.cancel': 'operator',
  'silence.create': 'operator',
  'silence.expire': 'operator',
  'node.update': 'operator',
  'node.remove': 'admin',
  'token.create': 'admin',
  'token.list': 'admin',
  'token.revoke': 'admin',
  'secret.list': 'admin',
  'secret.write': 'admin',
  'secret.remove': 'admin',
  'user.list': 'admin',
  'user.write': 'admin',
  'apikey.list': 'admin',
  'apikey.write': 'admin',
  'audit.read': 'admin',
  'backup.create': 'admin',
  'ca.rotate': 'admin',
} as const satisfies Readonly<Record<string, Role>>;

export type Action = keyof typeof LEAST;
export const ACTIONS = Object.keys(LEAST) as readonly Action[];

/** Default deny: a role or an action that is not in the table may nothing. */
export function can(role: Role, action: Action): boolean {
  const least: Role | undefined = Object.hasOwn(LEAST, action) ? LEAST[action] : undefined;
  return least !== undefined && ROLES.includes(role) && ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** Who asks. The socket's peer is the actor: `lin(1000)`, or `local` where the peer cannot be read. */
export interface Caller {
  readonly actor: string;
  readonly role: Role;
  /** `unix` for the local socket; else the address asked from. */
  readonly source: string;
  /** Of an API key: nothing else, whatever the role may. Absent: all that the role may. */
  readonly scopes?: readonly Action[];
}

/** What the role may and the key's scopes allow. */
export function may(caller: Caller, action: Action): boolean {
  return can(caller.role, action) && (caller.scopes?.includes(action) ?? true);
}

/** Who may do what: one table, read by every transport and by the console for its greyed keys. */
export type Role = 'admin';

export const ACTIONS = [
  'watch',
  'config.create',
  'config.publish',
  'config.rollback',
  'command.reload',
  'silence.create',
  'silence.expire',
  'token.create',
] as const;
export type Action = (typeof ACTIONS)[number];

const TABLE: Readonly<Record<Role, ReadonlySet<Action>>> = { admin: new Set(ACTIONS) };

/** Default deny. */
export function can(role: Role, action: Action): boolean {
  return Object.hasOwn(TABLE, role) && TABLE[role].has(action);
}

/** Who asks. The socket's peer is the actor: `lin(1000)`, or `local` where the peer cannot be read. */
export interface Caller {
  readonly actor: string;
  readonly role: Role;
  /** `unix` for the local socket. */
  readonly source: string;
}

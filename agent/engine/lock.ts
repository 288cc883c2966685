/**
 * The socket beside `engine.sock` that somebody answers on for as long as the engine lives, also in the moment in which
 * the process that owns `engine.sock` is replaced. Nothing is said on it.
 */
export function lockOf(socket: string): string {
  const at = socket.lastIndexOf('/') + 1;
  return `${socket.slice(0, at)}.${socket.slice(at)}`;
}

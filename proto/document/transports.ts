import type { DialerType, ListenerType } from './document.ts';

/** TLS lies under it. */
export function isSecure(type: ListenerType | DialerType): boolean {
  return type !== 'tcp' && type !== 'ws';
}

export function isWebSocket(type: ListenerType | DialerType): boolean {
  return type === 'ws' || type === 'wss' || type === 'mwss';
}

/** Many streams a connection (smux), which is what gost's m stands for. */
export function isMux(type: ListenerType | DialerType): boolean {
  return type === 'mtls' || type === 'mwss';
}

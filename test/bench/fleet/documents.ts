const BYTES = 20 * 1024;

/** A document of 20 KB: a service in front of some hundred origins. @param mark makes it another one */
export function bodyOf(mark: string): string {
  const lines: string[] = [];
  const head = `# ${mark}
services:
- name: chat
  addr: "0.0.0.0:8443"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder:
    nodes:
    - {name: "${mark}", addr: "10.1.0.0:8443"}
`;
  let bytes = head.length;
  for (let i = 1; bytes < BYTES - 64; i++) {
    const line = `    - {name: origin-${i}, addr: "10.1.${i >> 8}.${i & 255}:8443"}\n`;
    lines.push(line);
    bytes += line.length;
  }
  return head + lines.join('');
}

/** What they run before: small. */
export const FIRST_BODY = `services:
- name: chat
  addr: "0.0.0.0:8443"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder:
    nodes:
    - {name: origin, addr: "10.1.0.1:8443"}
`;

// What gost v3 has beyond what this engine carries: refused by name, so that a typo and a wish are told apart.

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const LAYERS = `mws mtcp quic http2 h2 h2c http3 h3 wt grpc kcp ssh sshd dtls udp
  obfs-http obfs-tls ohttp otls pht phts icmp ftcp unix serial`;

export const OTHER_LISTENERS = words(`${LAYERS} rtcp rudp dns tun tap red redir redu stdio`);

export const OTHER_DIALERS = words(`${LAYERS} direct virtual`);

export const OTHER_HANDLERS = words(`forwarder http http2 http3 socks socks4 socks4a socks5 auto sni ss ssu
  sshd udp rtcp rudp dns tun tap tungo red redir redu file masque metrics api router tunnel unix serial`);

export const OTHER_CONNECTORS = words(`http http2 http3 socks socks4 socks4a socks5 sni ss ssu sshd direct
  tcp virtual masque tunnel router serial unix`);

/** What to do instead, where something can be done. */
export const OTHER_TYPE_HINTS: Readonly<Record<string, string>> = {
  quic: 'it needs gost as the engine; between nodes write mtls',
  http3: 'it needs gost as the engine; between nodes write mtls',
  h3: 'it needs gost as the engine; between nodes write mtls',
  mws: 'write mwss, or mtls',
};

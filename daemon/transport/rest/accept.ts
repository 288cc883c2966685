/** Whether a client that sends this Accept takes the media type; none at all takes everything [RFC 9110]. */
export function accepts(header: string | undefined, type: string): boolean {
  if (header === undefined || header === '' || header === '*/*' || header === type) return true;
  const [main] = type.split('/');
  let best = -1;
  let quality = 0;
  for (const part of header.split(',')) {
    const [range = '', ...params] = part.split(';').map((p) => p.trim().toLowerCase());
    const rank = range === type ? 2 : range === `${main}/*` ? 1 : range === '*/*' ? 0 : -1;
    if (rank <= best) continue;
    const q = params.find((p) => p.startsWith('q='));
    best = rank;
    quality = q === undefined ? 1 : Number(q.slice(2));
  }
  return best >= 0 && quality > 0;
}

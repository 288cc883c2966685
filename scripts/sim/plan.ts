import type { NodeName } from '../../proto/vocab/ids.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import { Chance } from './chance.ts';

/** How streams fare in a region: medians, and where its day is. */
export interface Region {
  readonly name: string;
  readonly share: number;
  readonly ttftMs: number;
  readonly connectMs: number;
  readonly gapMs: number;
  readonly utcHours: number;
}

export const REGIONS: readonly Region[] = [
  { name: 'hk', share: 0.3, ttftMs: 380, connectMs: 9, gapMs: 32, utcHours: 8 },
  { name: 'sg', share: 0.25, ttftMs: 430, connectMs: 14, gapMs: 34, utcHours: 8 },
  { name: 'jp', share: 0.2, ttftMs: 460, connectMs: 18, gapMs: 35, utcHours: 9 },
  { name: 'us', share: 0.15, ttftMs: 560, connectMs: 31, gapMs: 38, utcHours: -5 },
  { name: 'de', share: 0.1, ttftMs: 620, connectMs: 38, gapMs: 40, utcHours: 1 },
];

/** One node as it is planned; the same for the same seed. */
export interface Planned {
  readonly index: number;
  readonly name: NodeName;
  readonly region: string;
  readonly nodeType: NodeType;
  readonly labels: Readonly<Record<string, string>>;
  /** Goes away for a while, again and again. */
  readonly flaps: boolean;
  /** Joined, and never comes. */
  readonly offline: boolean;
  /** Answers late and fails often, whatever it runs. */
  readonly bad: boolean;
}

export interface PlanSettings {
  readonly nodes: number;
  /** Shares, 0 to 1. */
  readonly flap: number;
  readonly offline: number;
  readonly bad: number;
  readonly cores: number;
  readonly prefix: string;
  readonly seed: number;
}

export function planned(s: PlanSettings): readonly Planned[] {
  const chance = new Chance(s.seed);
  const width = `${Math.max(0, s.nodes - 1)}`.length;
  return Array.from({ length: s.nodes }, (_, index): Planned => {
    const region = regionAt(index / s.nodes);
    // Spread evenly: a region has its share of cores, and every run the same number.
    const nodeType = Math.floor((index + 1) * s.cores) > Math.floor(index * s.cores) ? 'core' : 'edge';
    const fate = chance.next();
    return {
      index,
      name: `${s.prefix}${region.name}-${nodeType}-${`${index}`.padStart(width, '0')}` as NodeName,
      region: region.name,
      nodeType,
      labels: { rack: `r${index % 40}`, tier: index % 3 === 0 ? 'gold' : 'silver' },
      offline: fate < s.offline,
      flaps: fate >= s.offline && fate < s.offline + s.flap,
      bad: chance.hits(s.bad),
    };
  });
}

function regionAt(place: number): Region {
  let up = 0;
  for (const r of REGIONS) {
    up += r.share;
    if (place < up) return r;
  }
  return REGIONS[0] as Region;
}

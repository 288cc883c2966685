import { access, link, open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import { writeKept } from './kept-file.ts';

// How a fleet gets another CA without a node that has to join again. Files beside each other say how far it is:
//
//   current          -> begin  -> current + next   nodes are told to trust both, as they renew
//   current + next   -> switch -> current + old    the next one issues; nodes get its certificates, as they renew
//   current + old    -> retire -> current          the old one is trusted no more
//
// At every moment, also of a crash, there is a whole `ca.pem`.

export const CA_FILES = { current: 'ca.pem', next: 'next.pem', old: 'old.pem' } as const;

export type CaPhase = 'settled' | 'begun' | 'switched';
export const CA_STEPS = ['begin', 'switch', 'retire'] as const;
export type CaStep = (typeof CA_STEPS)[number];

/** Which step each phase takes next. */
const NEXT: Readonly<Record<CaPhase, CaStep>> = { settled: 'begin', begun: 'switch', switched: 'retire' };

export async function caPhase(dir: string): Promise<CaPhase> {
  const there = async (name: string): Promise<boolean> =>
    access(path.join(dir, name)).then(
      () => true,
      () => false,
    );
  // Both: a switch that was cut short is begun still.
  if (await there(CA_FILES.next)) return 'begun';
  return (await there(CA_FILES.old)) ? 'switched' : 'settled';
}

/** @throws AppError `precondition` when it is another step's turn */
export function checkStep(phase: CaPhase, step: CaStep): void {
  if (NEXT[phase] === step) return;
  throw new AppError('precondition', `the CA is ${phase}: what comes next is ${NEXT[phase]}, not ${step}`);
}

/**
 * One step, durable when it settles.
 * @param make the CA to come, PEM; asked by `begin` alone
 */
export async function takeStep(dir: string, step: CaStep, make: () => Promise<string>): Promise<void> {
  const at = (name: string): string => path.join(dir, name);
  if (step === 'begin') await writeKept(at(CA_FILES.next), await make());
  if (step === 'switch') {
    await link(at(CA_FILES.current), at(CA_FILES.old)).catch((e: NodeJS.ErrnoException) => {
      if (e.code !== 'EEXIST') throw e; // a switch that was cut short got this far
    });
    await rename(at(CA_FILES.next), at(CA_FILES.current));
  }
  if (step === 'retire') await unlink(at(CA_FILES.old));
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

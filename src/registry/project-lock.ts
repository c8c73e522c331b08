import { KeyLocks } from '../storage/key-locks.ts';
import type { RegistryContext } from './context.ts';

const locks = new KeyLocks();

/**
 * Runs what stores objects of a project's files before their rows, or takes objects away after them, one after the other in this process: none
 * takes away what another one has found there.
 */
export function lockProject<T>(
  { index }: Pick<RegistryContext, 'index'>,
  project: string,
  work: () => Promise<T>,
): Promise<T> {
  return locks.exclusively(`${index.id}/${project}`, work);
}

import { beforeAll, beforeEach } from 'vitest';
import { UnavailableError } from './unavailable-error.ts';

export interface Available<T> {
  readonly present: boolean;
  readonly value: T;
}

/** Provides a thing for the tests of this suite, or skips each of them with the reason why it cannot be had here. */
export function whenAvailable<T>(provide: () => Promise<T>): Available<T> {
  let provided: { value: T } | undefined;
  let reason = 'it was not provided';
  beforeAll(async () => {
    try {
      provided = { value: await provide() };
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      reason = error.message;
    }
  });
  beforeEach((context) => {
    if (provided === undefined) context.skip(reason);
  });
  return {
    get present(): boolean {
      return provided !== undefined;
    },
    get value(): T {
      if (provided === undefined) throw new UnavailableError(reason);
      return provided.value;
    },
  };
}

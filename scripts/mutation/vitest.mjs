// Stands in for `vitest` in a mutation run: the same runner and assertions without Vite, workers and transforms, which
// would take a hundred times as long as the tests themselves. What it imports comes with vitest.
import * as chai from 'chai';
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  getState,
  setState,
} from '@vitest/expect';
import { spyOn } from '@vitest/spy';

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from '@vitest/runner';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

export const expect = Object.assign((value, message) => chai.expect(value, message), chai.expect, {
  getState: () => getState(expect),
  setState: (state) => setState(state, expect),
  unreachable(message = 'a place that must not be reached') {
    throw new Error(message);
  },
  /** No waiting: what is polled in a mutation run is asked again until the test's time is over. */
  poll(ask) {
    const attempt = (name, args, negated) => async () => {
      for (;;) {
        const assertion = chai.expect(await ask());
        try {
          return (negated ? assertion.not : assertion)[name](...args);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    };
    return new Proxy(
      {},
      {
        get:
          (_target, name) =>
          (...args) =>
            attempt(name, args, false)(),
      },
    );
  },
});
Object.assign(expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);

const stubbed = new Map();

export const vi = {
  spyOn,
  /** Modules are read afresh for each run, not within it; a test that needs that is left out. */
  resetModules() {
    throw new Error('modules cannot be reset in a mutation run');
  },
  stubGlobal(name, value) {
    if (!stubbed.has(name)) stubbed.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  },
  unstubAllGlobals() {
    for (const [name, descriptor] of stubbed) {
      if (descriptor === undefined) delete globalThis[name];
      else Object.defineProperty(globalThis, name, descriptor);
    }
    stubbed.clear();
  },
};

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { SignatureCase } from './signature-cases.ts';
import type { TufCase } from './tuf-cases.ts';
import { runTufJsClient } from './tuf-js-client.ts';
import { NOW } from './tuf-world.ts';
import type { Operation, StateName, TufWorld } from './tuf-world.ts';
import { refusal, stopsAt } from './verdict.ts';
import type { Answer, Judge, Verdict } from './verdict.ts';

/** The parts of tuf-js and @tufjs/models that are compared; neither package exports them all. */
interface TufJsMetadata {
  readonly signed: { toJSON(): unknown };
}

interface TufJsStore {
  trustedSet: Record<string, TufJsMetadata>;
  referenceTime: Date;
  updateRoot(bytes: Buffer): TufJsMetadata;
  updateTimestamp(bytes: Buffer): TufJsMetadata;
  updateSnapshot(bytes: Buffer, trusted: boolean): TufJsMetadata;
  updateDelegatedTargets(bytes: Buffer, role: string, delegator: string): void;
}

interface TufJsDelegations {
  rolesForTarget(path: string): Iterable<{ readonly role: string; readonly terminating: boolean }>;
}

const require = createRequire(import.meta.url);
const { TrustedMetadataStore } = require('tuf-js/dist/store.js') as {
  TrustedMetadataStore: new (root: Buffer) => TufJsStore;
};
const { Delegations } = require('@tufjs/models/dist/delegations.js') as {
  Delegations: { fromJSON(json: unknown): TufJsDelegations };
};
const { DelegatedRole } = require('@tufjs/models/dist/role.js') as {
  DelegatedRole: new (options: object) => { isDelegatedPath(path: string): boolean };
};
const { Key } = require('@tufjs/models/dist/key.js') as {
  Key: { fromJSON(keyId: string, json: unknown): { verifySignature(metadata: object): void } };
};
const { canonicalize } = require('@tufjs/canonical-json') as { canonicalize: (value: unknown) => string };

/** tuf-js, in this process. */
export const tufJsJudge: Judge = {
  name: 'tuf-js',
  async judge(cases) {
    const answers: Answer[] = [];
    for (const each of cases) answers.push(await answerCase(each));
    return answers;
  },
};

async function answerCase(each: TufCase): Promise<Answer> {
  switch (each.kind) {
    case 'operations':
      return runOperations(each.world, each.state, each.operations, each.stops);
    case 'canonical':
      return [attempt(() => canonicalHash(JSON.parse(Buffer.from(each.json).toString('utf8'))))];
    case 'delegations':
      return [
        attempt(() => {
          const delegations = Delegations.fromJSON(JSON.parse(Buffer.from(each.json).toString('utf8')));
          return each.paths.map((path) =>
            Array.from(delegations.rolesForTarget(path), ({ role, terminating }) => [role, terminating]),
          );
        }),
      ];
    case 'signature':
      return [{ accepted: true, value: isVerified(each) }];
    case 'client':
      return [{ accepted: true, value: await runTufJsClient(each) }];
    case 'patterns':
      return [
        attempt(() =>
          each.pairs.map(([path, pattern]) =>
            new DelegatedRole({
              keyIDs: [],
              threshold: 1,
              name: 'a',
              terminating: false,
              paths: [pattern],
            }).isDelegatedPath(path),
          ),
        ),
      ];
  }
}

function isVerified({ key, sig, message }: SignatureCase): boolean {
  try {
    const signed = { toJSON: () => JSON.parse(message) as unknown };
    Key.fromJSON('k', key).verifySignature({ signatures: { k: { sig } }, signed });
    return true;
  } catch {
    return false;
  }
}

function attempt(answer: () => unknown): Verdict {
  try {
    return { accepted: true, value: answer() };
  } catch (error) {
    return refusal(error);
  }
}

function canonicalHash(value: unknown): string {
  return createHash('sha256')
    .update(Buffer.from(canonicalize(value)))
    .digest('hex');
}

const PREPARED = new WeakMap<TufWorld, Map<StateName, Session>>();

function runOperations(
  world: TufWorld,
  state: StateName,
  operations: readonly Operation[],
  stops: boolean,
): Answer {
  const session = prepared(world, state).clone();
  const answer: Verdict[] = [];
  for (const operation of operations) {
    const verdict = session.apply(operation);
    answer.push(verdict);
    if (stops && stopsAt(verdict)) break;
  }
  return answer;
}

function prepared(world: TufWorld, state: StateName): Session {
  const states = PREPARED.get(world) ?? new Map<StateName, Session>();
  PREPARED.set(world, states);
  const known = states.get(state);
  if (known !== undefined) return known;
  const session = new Session(world);
  for (const operation of world.states.get(state) ?? []) session.apply(operation);
  states.set(state, session);
  return session;
}

class Session {
  readonly #world: TufWorld;
  #store: TufJsStore | undefined;

  constructor(world: TufWorld, store?: TufJsStore) {
    this.#world = world;
    this.#store = store;
  }

  clone(): Session {
    if (this.#store === undefined) return new Session(this.#world);
    const copy = Object.create(TrustedMetadataStore.prototype as object) as TufJsStore;
    copy.trustedSet = { ...this.#store.trustedSet };
    copy.referenceTime = this.#store.referenceTime;
    return new Session(this.#world, copy);
  }

  apply(operation: Operation): Verdict {
    const [, document] = operation;
    const bytes = Buffer.from(typeof document === 'string' ? this.#world.document(document) : document);
    return attempt(() => canonicalHash(this.#update(operation, bytes).signed.toJSON()));
  }

  #update(operation: Operation, bytes: Buffer): TufJsMetadata {
    if (operation[0] === 'create') {
      this.#store = new TrustedMetadataStore(bytes);
      this.#store.referenceTime = new Date(NOW);
      return this.#loaded('root');
    }
    const store = this.#store;
    if (store === undefined) throw new Error('there is no trusted root');
    switch (operation[0]) {
      case 'root':
        return store.updateRoot(bytes);
      case 'timestamp':
        return store.updateTimestamp(bytes);
      case 'snapshot':
        return store.updateSnapshot(bytes, operation[2]);
      case 'targets':
        store.updateDelegatedTargets(bytes, 'targets', 'root');
        return this.#loaded('targets');
      case 'delegated':
        store.updateDelegatedTargets(bytes, operation[2], operation[3]);
        return this.#loaded(operation[2]);
    }
  }

  #loaded(role: string): TufJsMetadata {
    const metadata = this.#store?.trustedSet[role];
    if (metadata === undefined) throw new Error(`${role} was not loaded`);
    return metadata;
  }
}

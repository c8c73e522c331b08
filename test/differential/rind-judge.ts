import { createHash } from 'node:crypto';
import {
  Delegations,
  JsonError,
  Key,
  KeyError,
  Metadata,
  RepositoryError,
  Signature,
  TrustedMetadataSet,
  WorkflowOrderError,
  encodeCanonicalJson,
  matchesPathPattern,
  parseJson,
} from '../../src/tuf/index.ts';
import type {
  SignedByType,
  SignedType,
  Signed,
  TufCrypto,
  DigestAlgorithm,
  MetadataOptions,
} from '../../src/tuf/index.ts';
import { defaultCrypto } from '../../src/tuf/default-crypto.ts';
import { asObject } from '../../src/tuf/fields.ts';
import { runRindClient } from './rind-client.ts';
import type { SignatureCase } from './signature-cases.ts';
import type { TufCase } from './tuf-cases.ts';
import { NOW } from './tuf-world.ts';
import type { Operation, TufWorld } from './tuf-world.ts';
import { refusal, stopsAt } from './verdict.ts';
import type { Answer, Judge, Verdict } from './verdict.ts';

/** Our own answers. Whatever is refused must be refused by an error of the documented families. */
export const rindJudge: Judge = {
  name: 'rind',
  async judge(cases) {
    const answers: Answer[] = [];
    for (const each of cases) answers.push(await answerCase(each));
    return answers;
  },
};

async function answerCase(each: TufCase): Promise<Answer> {
  switch (each.kind) {
    case 'operations':
      return runOperations(
        each.world,
        [...(each.world.states.get(each.state) ?? [])],
        each.operations,
        each.stops,
      );
    case 'canonical':
      return [attempt(() => sha256(encodeCanonicalJson(parseJson(each.json))))];
    case 'delegations':
      return [
        attempt(() => {
          const delegations = Delegations.fromJson(asObject(parseJson(each.json), 'delegations'));
          return each.paths.map((path) =>
            delegations.rolesForTarget(path).map(({ name, terminating }) => [name, terminating]),
          );
        }),
      ];
    case 'signature':
      return [{ accepted: true, value: await isVerified(each) }];
    case 'client':
      return [{ accepted: true, value: await runRindClient(each) }];
    case 'patterns':
      return [attempt(() => each.pairs.map(([path, pattern]) => matchesPathPattern(path, pattern)))];
  }
}

async function isVerified({ key, sig, message }: SignatureCase): Promise<boolean> {
  const parsed = Key.fromJson('k', asObject(parseJson(Buffer.from(JSON.stringify(key))), 'key'));
  const bytes = new Signature('k', sig).bytes;
  if (bytes === undefined) return false;
  try {
    return await defaultCrypto.verify(parsed, bytes, Buffer.from(message));
  } catch (error) {
    if (error instanceof KeyError) return false;
    throw error;
  }
}

function attempt(answer: () => unknown): Verdict {
  try {
    return { accepted: true, value: answer() };
  } catch (error) {
    return typedRefusal(error);
  }
}

/** Lets through what is no refusal but a crash. */
function typedRefusal(error: unknown): Verdict {
  const isTyped =
    error instanceof RepositoryError || error instanceof JsonError || error instanceof WorkflowOrderError;
  if (!isTyped) throw error;
  return refusal(error);
}

async function runOperations(
  world: TufWorld,
  preparation: readonly Operation[],
  operations: readonly Operation[],
  stops: boolean,
): Promise<Answer> {
  const session = new Session(world);
  for (const operation of preparation) await session.apply(operation);
  const answer: Verdict[] = [];
  for (const operation of operations) {
    const verdict = await session.apply(operation);
    answer.push(verdict);
    if (stops && stopsAt(verdict)) break;
  }
  return answer;
}

/** A trusted metadata set that remembers which signed bytes it accepted last. */
class Session {
  readonly #world: TufWorld;
  #set: TrustedMetadataSet | undefined;
  #last: Metadata<Signed> | undefined;

  constructor(world: TufWorld) {
    this.#world = world;
  }

  async apply(operation: Operation): Promise<Verdict> {
    const [, document] = operation;
    const bytes = typeof document === 'string' ? this.#world.document(document) : document;
    try {
      await this.#update(operation, bytes);
    } catch (error) {
      return typedRefusal(error);
    }
    const metadata = this.#last;
    if (metadata === undefined) throw new Error('nothing was read');
    return { accepted: true, value: checkedSignedBytes(metadata) };
  }

  async #update(operation: Operation, bytes: Uint8Array): Promise<void> {
    if (operation[0] === 'create') {
      this.#set = await TrustedMetadataSet.create(bytes, {
        referenceTime: new Date(NOW),
        crypto: CRYPTO,
        read: this.#read,
      });
      return;
    }
    if (this.#set === undefined) throw new WorkflowOrderError('there is no trusted root');
    switch (operation[0]) {
      case 'root':
        return void (await this.#set.updateRoot(bytes));
      case 'timestamp':
        return void (await this.#set.updateTimestamp(bytes));
      case 'snapshot':
        return void (await this.#set.updateSnapshot(bytes, { trusted: operation[2] }));
      case 'targets':
        return void (await this.#set.updateTargets(bytes));
      case 'delegated':
        return void (await this.#set.updateDelegatedTargets(bytes, operation[2], operation[3]));
    }
  }

  /** The world's own documents, met again in every case, are read once. */
  readonly #read = <K extends SignedType>(
    bytes: Uint8Array,
    type: K,
    options?: MetadataOptions,
  ): Metadata<SignedByType[K]> => {
    const known = READ.get(bytes)?.get(type);
    const metadata = known ?? Metadata.fromBytes(bytes, type, options);
    if (known === undefined)
      READ.set(bytes, (READ.get(bytes) ?? new Map<SignedType, Metadata<Signed>>()).set(type, metadata));
    this.#last = metadata;
    return metadata as Metadata<SignedByType[K]>;
  };
}

const READ = new WeakMap<Uint8Array, Map<SignedType, Metadata<Signed>>>();
const VERIFIED = new WeakMap<Uint8Array, Map<string, boolean>>();

/** Verifies the same signature over the same bytes once. */
const CRYPTO: TufCrypto = {
  digest: (algorithm: DigestAlgorithm, bytes: Uint8Array) => defaultCrypto.digest(algorithm, bytes),
  verify: async (key: Key, signature: Uint8Array, bytes: Uint8Array) => {
    const name = `${key.keyType} ${key.scheme} ${key.public} ${Buffer.from(signature).toString('hex')}`;
    const known = VERIFIED.get(bytes)?.get(name);
    if (known !== undefined) return known;
    const verdict = await defaultCrypto.verify(key, signature, bytes);
    VERIFIED.set(bytes, (VERIFIED.get(bytes) ?? new Map<string, boolean>()).set(name, verdict));
    return verdict;
  },
};

const DIGESTS = new WeakMap<Metadata<Signed>, string>();

/** The hash of the signed bytes, once it is sure that the model says the same as they do. */
function checkedSignedBytes(metadata: Metadata<Signed>): string {
  const known = DIGESTS.get(metadata);
  if (known !== undefined) return known;
  const model = encodeCanonicalJson(metadata.signed.toJson());
  if (Buffer.compare(model, metadata.signedBytes) !== 0) {
    throw new Error(`the model does not say what was signed: ${Buffer.from(model).toString()}`);
  }
  const digest = sha256(metadata.signedBytes);
  DIGESTS.set(metadata, digest);
  return digest;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

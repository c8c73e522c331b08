import { caseSeed, Random } from './random.ts';
import {
  LooseObject,
  PLAIN_SPELLING,
  wellFormed,
  byCodePoint,
  byCodeUnit,
  textOf,
  cloneLoose,
  loose,
  looseText,
  tolerantCanonical,
} from './loose-json.ts';
import type { Loose } from './loose-json.ts';
import { clientCase } from './client-cases.ts';
import type { ClientCase } from './client-cases.ts';
import { signatureCase } from './signature-cases.ts';
import type { SignatureCase } from './signature-cases.ts';
import { anyText, anything, damage, mutate } from './mutations.ts';
import type { SeededKey } from './seeded-key.ts';
import { ODD_ROLES } from './tuf-world.ts';
import type { Operation, StateName, TufWorld } from './tuf-world.ts';

/** One question to all implementations. */
export type TufCase =
  | SignatureCase
  | ClientCase
  | {
      readonly kind: 'operations';
      readonly world: TufWorld;
      readonly state: StateName;
      readonly operations: readonly Operation[];
      /** Whether the first refusal (other than for age) ends the case. */
      readonly stops: boolean;
    }
  | { readonly kind: 'canonical'; readonly json: Uint8Array }
  | { readonly kind: 'delegations'; readonly json: Uint8Array; readonly paths: readonly string[] }
  | { readonly kind: 'patterns'; readonly pairs: readonly (readonly [path: string, pattern: string])[] };

/** The case of that number in the run with that seed. */
export function makeCase(seed: number, index: number, world: TufWorld): TufCase {
  const random = new Random(caseSeed(seed, index));
  return random.weighted(GENERATORS)(random, world);
}

const GENERATORS: readonly (readonly [number, (random: Random, world: TufWorld) => TufCase])[] = [
  [60, stepCase],
  [8, sequenceCase],
  [12, canonicalCase],
  [12, delegationsCase],
  [8, patternsCase],
  [5, signatureCase],
  [2, clientCase],
];

interface Step {
  readonly states: readonly StateName[];
  readonly template: string;
  readonly operation: (document: Uint8Array, random: Random, world: TufWorld) => Operation;
  /** What is asked afterwards, to see what the document was taken for. */
  readonly sequel: (world: TufWorld) => readonly Operation[];
}

const STEPS: readonly Step[] = [
  {
    states: ['nothing'],
    template: 'root1',
    operation: (document) => ['create', document],
    sequel: () => [
      ['root', 'root2'],
      ['timestamp', 'timestamp'],
    ],
  },
  {
    states: ['root'],
    template: 'root2',
    operation: (document) => ['root', document],
    sequel: () => [['timestamp', 'timestamp']],
  },
  {
    states: ['root2', 'timestamp'],
    template: 'timestamp',
    operation: (document) => ['timestamp', document],
    sequel: () => [['snapshot', 'snapshot', false]],
  },
  {
    states: ['snapshot', 'snapshot', 'snapshot-baseline'],
    template: 'snapshot',
    operation: (document, random) => ['snapshot', document, random.chance(0.2)],
    sequel: () => [['targets', 'targets']],
  },
  {
    states: ['targets'],
    template: 'targets',
    operation: (document) => ['targets', document],
    sequel: (world) => [['delegated', 'delegated', world.role, 'targets']],
  },
  {
    states: ['delegated'],
    template: 'delegated',
    operation: (document, random, world) => {
      const role = random.chance(0.85) ? world.role : random.pick(['b', 'bin-1', 'bin-f', ...ODD_ROLES]);
      return [
        'delegated',
        document,
        role,
        random.chance(0.97) ? 'targets' : random.pick(['root', 'a', '__proto__']),
      ];
    },
    sequel: () => [],
  },
];

/** One mutated document at one step of the workflow, and what follows from it. */
function stepCase(random: Random, world: TufWorld): TufCase {
  const step = random.pick(STEPS);
  const document = mutatedDocument(step.template, random, world);
  const operation = step.operation(document, random, world);
  const operations = [operation, ...step.sequel(world)];
  return { kind: 'operations', world, state: random.pick(step.states), operations, stops: true };
}

/** A document of the world, mutated and signed by its signers; valid now and then. */
export function mutatedDocument(template: string, random: Random, world: TufWorld): Uint8Array {
  const { signed, signers } = world.templates.get(template) ?? { signed: null, signers: [] };
  if (random.chance(0.04)) return world.document(template);
  if (random.chance(0.08)) return damage(world.document(template), random);
  let changed = signed;
  for (
    let count = random.weighted([
      [7, 1],
      [2, 2],
      [1, 4],
    ] as const);
    count > 0;
    count--
  )
    changed = mutate(changed, random);
  // Signed as it is, or changed after it was signed.
  const isSigned = random.chance(0.85);
  const order = random.chance(0.05) ? byCodeUnit : byCodePoint;
  const bytes = Buffer.from(tolerantCanonical(isSigned ? changed : signed, order));
  return spelled(signedEnvelope(changed, bytes, signersOf(changed, signers), random), random);
}

/** Each signer under every id that the document gives its key. */
function signersOf(
  document: Loose,
  signers: readonly SeededKey[],
): readonly { keyId: string; key: SeededKey }[] {
  const own = signers.map((key) => ({ keyId: key.keyId, key }));
  const keys = document instanceof LooseObject ? document.get('keys') : undefined;
  if (!(keys instanceof LooseObject)) return own;
  const aliases = keys.members.flatMap(([keyId, value]) => {
    const keyval = value instanceof LooseObject ? value.get('keyval') : undefined;
    const text = keyval instanceof LooseObject ? keyval.get('public') : undefined;
    const key = signers.find((signer) => signer.json.keyval.public === text);
    return key === undefined ? [] : [{ keyId, key }];
  });
  return [...new Map([...own, ...aliases].map((entry) => [entry.keyId, entry])).values()];
}

function signedEnvelope(
  signed: Loose,
  bytes: Uint8Array,
  signers: readonly { keyId: string; key: SeededKey }[],
  random: Random,
): Loose {
  const signatures: Loose = signers.map(({ keyId, key }) => loose({ keyid: keyId, sig: key.sign(bytes) }));
  let envelope: Loose = new LooseObject([
    ['signatures', signatures],
    ['signed', signed],
  ]);
  if (random.chance(0.1)) {
    // Beside the signed part, which stays: its name and its content would change what was signed.
    const changed = mutate(new LooseObject([['signatures', signatures]]), random);
    if (changed instanceof LooseObject) envelope = new LooseObject([...changed.members, ['signed', signed]]);
  }
  if (random.chance(0.08)) changeSignatures(signatures, random);
  return envelope;
}

function changeSignatures(signatures: Loose[], random: Random): void {
  const chosen = signatures[random.below(signatures.length)];
  if (!(chosen instanceof LooseObject)) return;
  const [sig, keyId] = [textOf(chosen.get('sig')), textOf(chosen.get('keyid'))];
  random.pick([
    () => signatures.push(cloneLoose(chosen)),
    () =>
      signatures.push(
        new LooseObject([
          ['keyid', chosen.get('keyid') ?? null],
          ['sig', '00'],
        ]),
      ),
    () =>
      signatures.unshift(
        new LooseObject([
          ['keyid', 'unknown'],
          ['sig', sig],
        ]),
      ),
    () =>
      signatures.push(
        new LooseObject([
          ['keyid', random.pick(ODD_ROLES)],
          ['sig', sig],
        ]),
      ),
    () => chosen.set('sig', sig.toUpperCase()),
    () => chosen.set('sig', `${sig.slice(0, 4)} ${sig.slice(4)}`),
    () => chosen.set('sig', `${sig}00`),
    () => chosen.set('sig', `${sig}zz`),
    () => chosen.set('sig', `${sig}\n`),
    () => chosen.set('sig', sig.slice(0, -1)),
    () => chosen.set('sig', ''),
    () => chosen.set('keyid', keyId.toUpperCase()),
    () => chosen.set('x-note', anything(random, 2)),
    () => signatures.splice(signatures.indexOf(chosen), 1),
  ])();
}

function spelled(document: Loose, random: Random): Uint8Array {
  const spelling = random.weighted([
    [6, PLAIN_SPELLING],
    [2, { space: random.pick([' ', '\n ', '\t', '\r\n']), escapes: undefined }],
    [2, { space: '', escapes: random }],
  ] as const);
  return Buffer.from(looseText(document, spelling));
}

/** Valid documents of every age in an order nobody planned: rollback, freeze, skipped steps, repetition. */
function sequenceCase(random: Random, world: TufWorld): TufCase {
  const pool: readonly Operation[] = [
    ['root', 'root1'], ['root', 'root2'], ['root', 'root2-expired'], ['root', 'root3'], ['root', 'timestamp'],
    ['timestamp', 'timestamp-old'], ['timestamp', 'timestamp'], ['timestamp', 'timestamp-expired'],
    ['timestamp', 'timestamp-rolled-back'], ['timestamp', 'timestamp-new'], ['timestamp', 'snapshot'],
    ['snapshot', 'snapshot-old', true], ['snapshot', 'snapshot-old', false], ['snapshot', 'snapshot', false], ['snapshot', 'snapshot', true],
    ['snapshot', 'snapshot-expired', random.chance(0.5)], ['snapshot', 'snapshot-rolled-back', random.chance(0.5)],
    ['snapshot', 'snapshot-without-role', random.chance(0.5)], ['snapshot', 'snapshot-new', random.chance(0.5)], ['snapshot', 'targets', false],
    ['targets', 'targets-old'], ['targets', 'targets'], ['targets', 'targets-new'], ['targets', 'targets-expired'], ['targets', 'snapshot'],
    ['delegated', 'delegated', world.role, 'targets'], ['delegated', 'delegated-old', world.role, 'targets'],
    ['delegated', 'delegated-expired', world.role, 'targets'], ['delegated', 'targets', world.role, 'targets'],
    ['delegated', 'delegated', 'b', 'targets'], ['delegated', 'delegated', 'bin-f', 'targets'], ['delegated', 'delegated', 'bin-+f', 'targets'],
    ['delegated', 'delegated', 'absent', 'targets'], ['delegated', 'delegated', world.role, 'b'], ['delegated', 'targets', 'targets', 'root'],
  ]; // prettier-ignore
  const order = { root: 0, timestamp: 1, snapshot: 2, targets: 3, delegated: 4, create: 0 };
  const chosen = Array.from({ length: 3 + random.below(7) }, () => random.pick(pool));
  // Mostly in the order of the workflow, so that most sequences come far.
  if (random.chance(0.8)) chosen.sort(([a], [b]) => order[a] - order[b]);
  const state = random.pick(['root', 'root', 'root2', 'timestamp', 'snapshot-baseline'] as const);
  return { kind: 'operations', world, state, operations: chosen, stops: false };
}

function canonicalCase(random: Random): TufCase {
  let value: Loose = anything(random, 4);
  if (random.chance(0.5))
    value = new LooseObject([
      ['a', value],
      [anyText(random), anything(random, 3)],
      [anyText(random), anyText(random)],
    ]);
  const bytes = spelled(value, random);
  return { kind: 'canonical', json: random.chance(0.1) ? damage(bytes, random) : bytes };
}

const PATHS = [
  'a.txt',
  'b',
  'dir/é.txt',
  'dir/e\u0301.txt',
  '10',
  'constructor',
  '',
  '/',
  'a/b/c',
  '.hidden',
  '\u{1f9c0}',
  'A.TXT',
  'a]',
  '[',
  'x-y',
  'a\n',
];

export function delegationsCase(random: Random, world: TufWorld): TufCase & { kind: 'delegations' } {
  const template = world.templates.get('targets')?.signed;
  let value = template instanceof LooseObject ? (template.get('delegations') ?? null) : null;
  if (random.chance(0.5)) value = withRandomRoles(value, random);
  for (let count = random.below(3); count > 0; count--) value = mutate(value, random);
  const paths = Array.from({ length: 4 }, () =>
    wellFormed(random.chance(0.8) ? random.pick(PATHS) : anyText(random)),
  );
  return { kind: 'delegations', json: spelled(value, random), paths };
}

function withRandomRoles(delegations: Loose, random: Random): Loose {
  const copy = cloneLoose(delegations);
  if (!(copy instanceof LooseObject)) return copy;
  copy.delete('succinct_roles');
  const names = random.shuffled(['a', 'b', 'c', '1', '2', '10', 'x.y', 'é']).slice(0, 1 + random.below(5));
  const roles = names.map((name) => ({
    name,
    keyids: ['k'],
    threshold: 1,
    terminating: random.chance(0.3),
    ...(random.chance(0.6)
      ? { paths: Array.from({ length: 1 + random.below(2) }, () => pattern(random)) }
      : {
          path_hash_prefixes: Array.from({ length: 1 + random.below(4) }, () =>
            random.below(16).toString(16),
          ),
        }),
  }));
  copy.set('roles', loose(roles));
  return copy;
}

function patternsCase(random: Random): TufCase {
  const pairs = Array.from(
    { length: 6 },
    () => [random.chance(0.5) ? random.pick(PATHS) : fromParts(PATH_PARTS, random), pattern(random)] as const,
  );
  return { kind: 'patterns', pairs };
}

const PATH_PARTS = [
  'a',
  'b',
  '.',
  '-',
  '/',
  'é',
  '\u{1f9c0}',
  ']',
  '[',
  '!',
  '\\',
  '{',
  ',',
  '}',
  '\n',
  '*',
  '?',
  'A',
];
const PATTERN_PARTS = ['*', '*', '?', '?', 'a', 'b', '.', '/', '[ab]', '[!a]', '[a-c]', '[c-a]', '[]]', '[!]]', '[', ']', '[^a]', '[a', '[!', '\\', '{a,b}', '!', '#', '**', '-', 'é', '\u{1f9c0}', '[\u{1f9c0}]', '[a-\u{1f9c0}]', '+(a)', '@(a|b)', '[--a]', '[a-]', '[-a]', '[&&a]', '[a||b]', '[[a]', '[~~]', '\n', 'A', '[]-a]', '[!-a]', '[\\]', '[a\\-b]', '[/]', '[!/]', '[a/b]', '\u{1f600}']; // prettier-ignore

/** A path pattern of ordinary and odd parts. */
export function pattern(random: Random): string {
  return random.chance(0.1) ? random.pick(PATHS) : fromParts(PATTERN_PARTS, random);
}

function fromParts(parts: readonly string[], random: Random): string {
  return Array.from({ length: random.below(6) }, () => random.pick(parts)).join('');
}

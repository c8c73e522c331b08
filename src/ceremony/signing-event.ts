import { asObject, readString } from '../tuf/fields.ts';
import { encodeCeremonyJson } from './ceremony-json.ts';
import { formatExpires } from '../tuf/expiry.ts';
import { parseJson, type JsonValue } from '../tuf/json.ts';
import type { Key } from '../tuf/key.ts';
import { Metadata } from '../tuf/metadata.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Signer } from '../tuf/signer.ts';
import { verifySignatures } from '../tuf/verification.ts';
import { candidateRoles, eventId, isSignedRole, readCandidate, type Candidate } from './candidate.ts';
import { currentRole, signedHash, type CurrentRoles } from './current-roles.ts';
import { CeremonyError } from './errors.ts';
import type { SignedRoleName } from './plan.ts';

/** One signature of one role of one event, as it travels in a file of its own. */
export interface EventSignature {
  readonly event: string;
  readonly role: SignedRoleName;
  readonly signature: Signature;
}

/** A threshold that must be met. Root has two in a renewal: by the keys of the old root and by those of the new one. */
export interface Quorum {
  readonly role: SignedRoleName;
  /** Whose list of keys counts. */
  readonly by: 'old' | 'new';
  readonly threshold: number;
  readonly signed: readonly Holder[];
  readonly missing: readonly Holder[];
  readonly met: boolean;
}

export interface Holder {
  readonly keyId: string;
  /** The person's name, or how the key is called without one. */
  readonly name: string;
}

export interface EventStatus {
  readonly quorums: readonly Quorum[];
  readonly complete: boolean;
  readonly expired: boolean;
}

interface Requirement {
  readonly role: SignedRoleName;
  readonly by: 'old' | 'new';
  readonly keyIds: readonly string[];
  readonly threshold: number;
  readonly keys: ReadonlyMap<string, Key>;
}

/**
 * A signing event: one frozen candidate and the signatures that were given for it. What is uploaded, renewed or proposed meanwhile is not part
 * of it. Signatures are a set: who signs at the same time as somebody else loses nothing.
 */
export class SigningEvent {
  readonly id: string;
  readonly candidate: Candidate;
  readonly base: CurrentRoles | undefined;
  readonly #requirements: readonly Requirement[];
  readonly #unsigned: ReadonlyMap<SignedRoleName, Metadata<Signed>>;
  readonly #signatures = new Map<SignedRoleName, Map<string, Signature>>();

  private constructor(bytes: Uint8Array, candidate: Candidate, base: CurrentRoles | undefined) {
    this.id = eventId(bytes);
    this.candidate = candidate;
    this.base = base;
    this.#unsigned = unsignedRoles(candidate);
    this.#requirements = requirementsOf(candidate, base);
  }

  /** Throws MALFORMED_FILE, and WRONG_BASE when `base` is not what the candidate was made on top of. */
  static open(candidateBytes: Uint8Array, base: CurrentRoles | undefined): SigningEvent {
    const candidate = readCandidate(candidateBytes);
    for (const [role, { version, sha256 }] of candidate.base) {
      const present = base === undefined ? undefined : currentRole(base, role);
      if (present === undefined || signedHash(present) !== sha256)
        throw new CeremonyError(
          'WRONG_BASE',
          `The event replaces ${role} version ${version}, but the ${role} beside it is another; open a new event on top of what is public.`,
        );
    }
    if (candidate.kind !== 'ceremony' && candidate.base.size === 0)
      throw new CeremonyError(
        'MALFORMED_FILE',
        'An event that is no first ceremony must say what it replaces.',
      );
    return new SigningEvent(candidateBytes, candidate, base);
  }

  get roles(): readonly SignedRoleName[] {
    return candidateRoles(this.candidate);
  }

  /** What is to be signed for a role. Throws UNKNOWN_ROLE. */
  unsigned(role: SignedRoleName): Metadata<Signed> {
    const metadata = this.#unsigned.get(role);
    if (metadata !== undefined) return metadata;
    throw new CeremonyError('UNKNOWN_ROLE', `This event does not change ${role}, so nobody signs it here.`);
  }

  /** The roles that a key may sign here. */
  rolesOf(key: Key): readonly SignedRoleName[] {
    const { material } = key.publicKey;
    return this.roles.filter((role) =>
      this.#requirements.some(
        (requirement) =>
          requirement.role === role &&
          requirement.keyIds.some((id) => requirement.keys.get(id)?.publicKey.material === material),
      ),
    );
  }

  /** Signs every role of this event that the signer's key belongs to. Throws WRONG_KEY, EVENT_EXPIRED. */
  async sign(signer: Signer, now: Date): Promise<readonly EventSignature[]> {
    this.requireOpen(now);
    const roles = this.rolesOf(signer.key);
    if (roles.length === 0)
      throw new CeremonyError(
        'WRONG_KEY',
        `The key ${signer.key.keyId} signs nothing in this event; use the key that was registered for it, or look whether this is the right event.`,
      );
    const made: EventSignature[] = [];
    for (const role of roles) {
      const signature = await signer.sign(this.unsigned(role).signedBytes, { role });
      made.push({ event: this.id, role, signature });
    }
    for (const signature of made) await this.add(signature, now);
    return made;
  }

  /**
   * Takes a signature in, once. Returns false when this key's signature is there already. Throws OTHER_EVENT, EVENT_EXPIRED (only `now`
   * given), UNKNOWN_ROLE, WRONG_KEY, WRONG_SIGNATURE; then nothing changed.
   */
  async add({ event, role, signature }: EventSignature, now?: Date): Promise<boolean> {
    if (event !== this.id)
      throw new CeremonyError(
        'OTHER_EVENT',
        `The signature is for event ${event.slice(0, 12)}, this is event ${this.id.slice(0, 12)}; sign this one, nothing of the other counts here.`,
      );
    if (now !== undefined) this.requireOpen(now);
    const { signedBytes } = this.unsigned(role);
    const found = this.#requirements.find((one) => one.role === role && one.keyIds.includes(signature.keyId));
    const key = found?.keys.get(signature.keyId);
    if (key === undefined)
      throw new CeremonyError(
        'WRONG_KEY',
        `The key ${signature.keyId} is none of the keys of ${role}; ask for the key that was registered.`,
      );
    const { keyId } = signature;
    const one = { keyIds: [keyId], threshold: 1 };
    const metadata = { signedBytes, signaturesByKeyId: new Map([[keyId, signature]]) };
    if (!(await verifySignatures(one, new Map([[keyId, key]]), metadata)).verified)
      throw new CeremonyError(
        'WRONG_SIGNATURE',
        `The signature of ${this.#name(keyId)} for ${role} does not verify; it was damaged, or made over something else. Have it made again.`,
      );
    const signatures = this.#signatures.get(role) ?? new Map<string, Signature>();
    this.#signatures.set(role, signatures);
    if (signatures.has(keyId)) return false;
    signatures.set(keyId, signature);
    return true;
  }

  /** Throws EVENT_EXPIRED after the deadline. */
  requireOpen(now: Date): void {
    if (now < this.candidate.deadline) return;
    throw new CeremonyError(
      'EVENT_EXPIRED',
      `The signing window closed at ${formatExpires(this.candidate.deadline)}; nothing can be signed any more, open a new event.`,
    );
  }

  async status(now: Date): Promise<EventStatus> {
    const quorums: Quorum[] = [];
    for (const requirement of this.#requirements) {
      const metadata = this.metadata(requirement.role);
      const result = await verifySignatures(requirement, requirement.keys, metadata);
      const holders = (keys: ReadonlyMap<string, Key>) =>
        [...keys.keys()].map((keyId) => ({ keyId, name: this.#name(keyId) }));
      const { role, by, threshold } = requirement;
      quorums.push({
        role,
        by,
        threshold,
        signed: holders(result.signed),
        missing: holders(result.missing),
        met: result.verified,
      });
    }
    return {
      quorums,
      complete: quorums.every(({ met }) => met),
      expired: now >= this.candidate.deadline,
    };
  }

  /** A role with the signatures so far, in the order of key ids, so that everybody assembles the same bytes. */
  metadata(role: SignedRoleName): Metadata<Signed> {
    const signatures = [...(this.#signatures.get(role) ?? new Map<string, Signature>())];
    return this.unsigned(role).withSignatures(
      signatures.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, signature]) => signature),
    );
  }

  #name(keyId: string): string {
    return this.candidate.holders.get(keyId) ?? `key ${keyId.slice(0, 12)}`;
  }
}

export function encodeEventSignature({ event, role, signature }: EventSignature): Uint8Array {
  return encodeCeremonyJson(
    new Map<string, JsonValue>([['event', event], ['role', role], ['keyid', signature.keyId], ['sig', signature.sig]]), // prettier-ignore
  );
}

/** Throws MALFORMED_FILE, UNKNOWN_ROLE. */
export function readEventSignature(bytes: Uint8Array): EventSignature {
  let role: string;
  let event: string;
  let signature: Signature;
  try {
    const json = asObject(parseJson(bytes, { maxLength: 64 << 10 }), 'signature');
    role = readString(json, 'role');
    event = readString(json, 'event');
    signature = new Signature(readString(json, 'keyid'), readString(json, 'sig'));
  } catch (cause) {
    throw new CeremonyError(
      'MALFORMED_FILE',
      'This is no signature of a signing event; it was damaged on its way. Have it sent again.',
      { cause },
    );
  }
  if (!isSignedRole(role))
    throw new CeremonyError(
      'UNKNOWN_ROLE',
      `The signature is for a role ${JSON.stringify(role.slice(0, 50))} that no ceremony signs.`,
    );
  return { event, role, signature };
}

function unsignedRoles({ root, targets }: Candidate): ReadonlyMap<SignedRoleName, Metadata<Signed>> {
  const roles = new Map<SignedRoleName, Metadata<Signed>>();
  if (root !== undefined) roles.set('root', Metadata.unsigned(root));
  for (const [role, signed] of targets) roles.set(role, Metadata.unsigned(signed));
  return roles;
}

/** Who must sign: the new root names the signers of root and targets, the new targets those of claimed and bins, the new claimed those of its parts; the old root signs the new one too. */
function requirementsOf(candidate: Candidate, base: CurrentRoles | undefined): readonly Requirement[] {
  const root = candidate.root ?? base?.root.signed;
  const targets = candidate.targets.get('targets') ?? base?.targets.signed;
  const found: Requirement[] = [];
  const claimed = candidate.targets.get('claimed') ?? base?.claimed.signed;
  for (const role of candidateRoles(candidate)) {
    const isTop = role === 'root' || role === 'targets';
    const delegations = role.startsWith('claimed-') ? claimed?.delegations : targets?.delegations;
    const delegator = isTop ? root : delegations;
    const entry = isTop ? root?.roles.get(role) : delegations?.role(role);
    if (delegator === undefined || entry === undefined)
      throw new CeremonyError('MALFORMED_FILE', `Nothing in this event says who signs ${role}.`);
    if (role === 'root' && base !== undefined) {
      const old = base.root.signed.roles.get('root');
      if (old !== undefined)
        found.push({
          role,
          by: 'old',
          keyIds: old.keyIds,
          threshold: old.threshold,
          keys: base.root.signed.keys,
        });
    }
    found.push({ role, by: 'new', keyIds: entry.keyIds, threshold: entry.threshold, keys: delegator.keys });
  }
  return found;
}

import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import type { OpenedSigner } from '../keys/opened-signer.ts';
import type { Key } from '../tuf/key.ts';
import type { Signer } from '../tuf/signer.ts';
import { CeremonyError } from './errors.ts';
import type { Parties, Party } from './offline-roles.ts';
import { lintKeys, type KnownKey } from './plan-lint.ts';
import { OFFLINE_ROLES, type CeremonyPlan, type OfflineRoleName, type PlanKey } from './plan.ts';
import { readPublicKeyFile } from './public-key-file.ts';

/** How a ceremony reaches what its plan names. */
export interface KeyAccess {
  open(uri: string, publicKey: Key | undefined): Promise<OpenedSigner>;
  readPublicKey(path: string): Promise<Uint8Array>;
}

/** The keys of a plan: all public halves, and the signers that can be used here and now. */
export interface CeremonyKeys {
  readonly parties: Parties;
  /** By key id; one-time keys among them. They live in memory only. */
  readonly signers: readonly Signer[];
  readonly holders: ReadonlyMap<string, string>;
  readonly oneTimeKeys: readonly string[];
  /** Ends every session and forgets the one-time keys. */
  close(): Promise<void>;
}

/** Opens and makes the keys of a plan. Throws UNWORKABLE_PLAN, WRONG_KEY, and what the signers throw; nothing stays open then. */
export async function openKeys(plan: CeremonyPlan, access: KeyAccess): Promise<CeremonyKeys> {
  const opened: OpenedSigner[] = [];
  const signers: Signer[] = [];
  const known: KnownKey[] = [];
  const oneTimeKeys: string[] = [];
  const close = async (): Promise<void> => {
    signers.length = 0;
    await Promise.all(opened.splice(0).map((signer) => signer.close()));
  };
  const party = async (role: OfflineRoleName): Promise<Party> => {
    const { keys: planned, oneTimeKeys: count, threshold } = plan.roles[role];
    const keys: Key[] = [];
    for (const entry of planned) {
      const { key, signer } = await reach(entry, role, access);
      if (signer !== undefined) {
        opened.push(signer);
        signers.push(signer);
      }
      known.push({ role, holder: entry.holder, key });
      keys.push(key);
    }
    for (let made = 0; made < count; made++) {
      const signer = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
      signers.push(signer);
      oneTimeKeys.push(signer.key.keyId);
      known.push({ role, holder: undefined, key: signer.key });
      keys.push(signer.key);
    }
    return { keys, threshold };
  };
  try {
    const parties = new Map<OfflineRoleName, Party>();
    for (const role of OFFLINE_ROLES) parties.set(role, await party(role));
    const online: Key[] = [];
    for (const entry of plan.online) {
      const { key, signer } = await reach(entry, 'online', access);
      await signer?.close();
      known.push({ role: 'online', holder: entry.holder, key });
      online.push(key);
    }
    refuse(lintKeys(known).map(({ message }) => message));
    return { parties: wholeParties(parties, online), signers, holders: holdersOf(known), oneTimeKeys, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Throws UNWORKABLE_PLAN when there are problems. */
export function refuse(problems: readonly string[]): void {
  const [first, ...others] = problems;
  if (first !== undefined)
    throw new CeremonyError('UNWORKABLE_PLAN', `The plan cannot work: ${first}`, { problems: others });
}

async function reach(
  { uri, publicKeyFile, holder }: PlanKey,
  role: string,
  access: KeyAccess,
): Promise<{ readonly key: Key; readonly signer: OpenedSigner | undefined }> {
  const file =
    publicKeyFile === undefined
      ? undefined
      : await readPublicKeyFile(await access.readPublicKey(publicKeyFile));
  const invited = file?.invitation;
  if (invited !== undefined && (invited.holder !== holder || invited.role !== role))
    throw new CeremonyError(
      'WRONG_KEY',
      `${publicKeyFile ?? ''} accepts an invitation of ${invited.holder} to ${invited.role}, the plan has it for ${holder ?? 'nobody'} and ${role}.`,
    );
  // A key whose public half is there signs later and elsewhere, except when its URI stands beside it.
  if (uri === undefined) {
    if (file === undefined)
      throw new CeremonyError('MALFORMED_PLAN', `A key of ${role} has neither a URI nor a public key.`);
    return { key: file.key, signer: undefined };
  }
  const signer = await access.open(uri, file?.key);
  return { key: signer.key, signer };
}

function wholeParties(parties: ReadonlyMap<OfflineRoleName, Party>, online: readonly Key[]): Parties {
  const of = (role: OfflineRoleName): Party => parties.get(role) ?? { keys: [], threshold: 1 };
  return { root: of('root'), targets: of('targets'), claimed: of('claimed'), bins: of('bins'), online };
}

function holdersOf(known: readonly KnownKey[]): ReadonlyMap<string, string> {
  return new Map(
    known.flatMap(({ key, holder, role }) =>
      holder === undefined
        ? [[key.keyId, role === 'online' ? 'online key' : `one-time key of ${role}`]]
        : [[key.keyId, holder]],
    ),
  );
}

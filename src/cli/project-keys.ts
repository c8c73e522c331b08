import { readFile } from 'node:fs/promises';
import { readPublicKeyFile } from '../ceremony/public-key-file.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../claims/names.ts';
import { ownersOf, type Owners } from '../claims/owners.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import { openSigner } from '../keys/key-uri.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import type { Key } from '../tuf/key.ts';
import { CliError } from './cli-error.ts';
import type { ExitCode } from './exit-codes.ts';
import { signAndSend, withSigning, type Signing, type SigningOptions } from './project-signing.ts';
import type { SignedChange } from './signed-change.ts';
import { say } from './terminal.ts';

/** Whose keys are meant: the owners', their machines', or a builder's. */
export type KeyParty = 'owners' | 'release' | 'wheels';

export interface ProjectKeyOptions extends SigningOptions {
  readonly for: KeyParty;
  readonly threshold?: number;
}

/** `rind key add`: a present owner vouches for a key. The new key of an owner signs too: at once with `newKey`, otherwise its holder with `rind sign`. */
export function addKey(
  project: string,
  path: string | undefined,
  options: ProjectKeyOptions & { readonly newKey?: string; readonly newSecret: string },
): Promise<ExitCode> {
  return withSigning(project, options, async (signing) => {
    if (options.newKey !== undefined) {
      const fresh = await openSigner(options.newKey, { secret: parseSecretSource(options.newSecret) });
      try {
        return await signAndSend(
          signing,
          changeOf(signing, options, (keys) => added(keys, fresh.key)),
          [fresh],
        );
      } finally {
        await fresh.close();
      }
    }
    if (path === undefined)
      throw new CliError('usage', 'Name the file of a public key, or a private one with --new-key.');
    const { key } = await readPublicKeyFile(await readFile(path));
    say(`key ${key.keyId}`);
    return signAndSend(
      signing,
      changeOf(signing, options, (keys) => added(keys, key)),
    );
  });
}

/** `rind key revoke`: what a key alone signed has to be signed by the others, which happens here. */
export function revokeKey(project: string, keyId: string, options: ProjectKeyOptions): Promise<ExitCode> {
  return withSigning(project, options, (signing) =>
    signAndSend(
      signing,
      changeOf(signing, options, (keys) => removed(keys, keyId)),
    ),
  );
}

/** `rind key rotate`: another key in the place of the one that signs. */
export function rotateKey(
  project: string,
  newKey: string,
  options: ProjectKeyOptions & { readonly newSecret: string },
): Promise<ExitCode> {
  return withSigning(project, options, async (signing) => {
    const fresh = await openSigner(newKey, { secret: parseSecretSource(options.newSecret) });
    try {
      const change = changeOf(signing, options, (keys) =>
        added(removed(keys, signing.signer.key.keyId), fresh.key),
      );
      return await signAndSend(signing, change, [fresh]);
    } finally {
      await fresh.close();
    }
  });
}

/** `rind key threshold`: how many of the present keys must sign. */
export function setThreshold(
  project: string,
  threshold: number,
  options: ProjectKeyOptions,
): Promise<ExitCode> {
  return withSigning(project, options, (signing) =>
    signAndSend(
      signing,
      changeOf(signing, { ...options, threshold }, (keys) => keys),
    ),
  );
}

function added(keys: readonly Key[], key: Key): readonly Key[] {
  if (keys.some(({ keyId }) => keyId === key.keyId))
    throw new CliError('usage', `The key ${key.keyId} is one of them already.`, [
      'how many must sign is changed with rind key threshold',
    ]);
  return [...keys, key];
}

function removed(keys: readonly Key[], start: string): readonly Key[] {
  const meant = keys.filter(({ keyId }) => keyId.startsWith(start));
  if (meant.length === 1) return keys.filter((key) => !meant.includes(key));
  throw new CliError(
    'usage',
    `${meant.length === 0 ? 'None' : 'More than one'} of the keys begins with "${start}".`,
    keys.map(({ keyId }) => keyId),
  );
}

/**
 * The same people with other keys, their threshold kept unless another is named. The owner who makes a party of machines or a builder is one
 * of them: somebody has to sign their first list, and she can then publish herself.
 */
function changeOf(
  { project, signer }: Signing,
  options: ProjectKeyOptions,
  change: (keys: readonly Key[]) => readonly Key[],
): SignedChange {
  const name = project.page.name;
  const owned = project.roles.get(projectRoleName(name));
  if (owned === undefined) throw new CliError('usage', `${name} is not claimed.`, [`rind claim ${name}`]);
  const role = options.for === 'wheels' ? wheelsRoleName(name) : releaseRoleName(name);
  const present = options.for === 'owners' ? ownersOf(owned) : delegatedOwners(owned, role);
  const first = options.for === 'owners' ? [] : [signer.key];
  const keys = change(present?.keys ?? first);
  const next: Owners = {
    keys,
    threshold: options.threshold ?? Math.min(present?.threshold ?? 1, Math.max(1, keys.length)),
  };
  if (next.threshold > Math.max(1, keys.length))
    throw new CliError(
      'usage',
      `${next.threshold} must sign, but the number of keys would be ${keys.length}.`,
      ['add keys first: rind key add'],
    );
  if (options.for === 'owners') {
    if (keys.length === 0)
      throw new CliError('usage', 'A claimed project needs an owner’s key.', ['rotate it: rind key rotate']);
    return { owners: next };
  }
  return { [options.for]: keys.length === 0 ? null : next };
}

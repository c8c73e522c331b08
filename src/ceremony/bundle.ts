import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Signed } from '../tuf/signed.ts';
import type { CurrentRoles } from './current-roles.ts';
import { readCurrentRoles, signedHash } from './current-roles.ts';
import { readFolder } from './durable-folder.ts';
import { CeremonyError } from './errors.ts';
import { entryOf, EventFolder, filesBelow, readManifest } from './event-folder.ts';
import { lintEvent } from './event-lint.ts';
import { verifyMinutes, type Minutes } from './minutes.ts';
import type { SignedRoleName } from './plan.ts';
import type { SigningEvent } from './signing-event.ts';

/** A bundle that was verified whole. */
export interface VerifiedBundle {
  readonly event: SigningEvent;
  /** The signed metadata that changes, by role. */
  readonly metadata: ReadonlyMap<SignedRoleName, Metadata<Signed>>;
  /** The offline roles as they are once the bundle is public. */
  readonly roles: CurrentRoles;
  readonly minutes: readonly Minutes[];
}

/**
 * Verifies a bundle as if it came from a stranger: the manifest file by file, every signature, both thresholds of root, the minutes, and that
 * what was signed is what plans make. Throws EVENT_INCOMPLETE, TAMPERED, and what reading an event throws.
 */
export async function verifyBundle(path: string): Promise<VerifiedBundle> {
  const { event, files } = await EventFolder.open(path);
  verifyManifest(path, event.id, files);
  const { complete } = await event.status(event.candidate.created);
  const problems = lintEvent(event.candidate, event.base);
  if (!complete || problems.length > 0)
    throw new CeremonyError(
      'TAMPERED',
      `${path} is not what a ceremony leaves behind: ${problems[0] ?? 'a threshold is not met'}`,
      { problems: problems.slice(1) },
    );
  const metadata = readMetadata(event, files);
  const minutes = await Promise.all(
    [...filesBelow(files, 'minutes/').values()].map(
      async (bytes) => (await verifyMinutes(bytes, keysOf(event))).minutes,
    ),
  );
  if (minutes.some((one) => one.event !== event.id))
    throw new CeremonyError('OTHER_EVENT', `${path} holds minutes of another event.`);
  // A whole walk from the first root that is known, over the roles as they will be.
  const roles = await readCurrentRoles(
    new Map([...filesBelow(files, 'base/'), ...filesBelow(files, 'metadata/')]),
  );
  return { event, metadata, roles, minutes };
}

function verifyManifest(path: string, event: string, files: ReadonlyMap<string, Uint8Array>): void {
  const bytes = files.get('manifest.json');
  if (bytes === undefined)
    throw new CeremonyError(
      'EVENT_INCOMPLETE',
      `${path} is not complete yet: signatures are missing (rind event status ${path}).`,
    );
  const manifest = readManifest(bytes);
  if (manifest.event !== event)
    throw new CeremonyError('TAMPERED', `The manifest of ${path} is of another event.`);
  for (const [name, { length, sha256 }] of manifest.files) {
    const found = files.get(name);
    const entry = found === undefined ? undefined : entryOf(found);
    if (entry?.length !== length || entry.sha256 !== sha256)
      throw new CeremonyError(
        'TAMPERED',
        `${name} in ${path} is ${entry === undefined ? 'missing' : 'not the file that the manifest lists'}; get the bundle again from who made it.`,
      );
  }
  for (const name of files.keys()) {
    // A signature that came at the same time as the last one may have missed the manifest; it was verified all the same.
    const mayBeLate =
      name === 'manifest.json' || name.startsWith('signatures/') || name.startsWith('minutes/');
    if (!mayBeLate && !manifest.files.has(name))
      throw new CeremonyError(
        'TAMPERED',
        `${name} in ${path} is not in its manifest; get the bundle again from who made it.`,
      );
  }
}

function readMetadata(
  event: SigningEvent,
  files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<SignedRoleName, Metadata<Signed>> {
  const found = new Map<SignedRoleName, Metadata<Signed>>();
  for (const role of event.roles) {
    const { version } = event.unsigned(role).signed;
    const name = `metadata/${metadataFileName(role, version)}`;
    const bytes = files.get(name);
    const metadata: Metadata<Signed> | undefined =
      bytes === undefined
        ? undefined
        : role === 'root'
          ? Metadata.fromBytes(bytes, 'root')
          : Metadata.fromBytes(bytes, 'targets', { role });
    if (metadata === undefined || signedHash(metadata) !== signedHash(event.unsigned(role)))
      throw new CeremonyError(
        'TAMPERED',
        `${name} is not what was signed; get the bundle again from who made it.`,
      );
    found.set(role, metadata);
  }
  return found;
}

/** Every key that signs in an event, the old ones included. */
export function keysOf({ candidate, base }: SigningEvent) {
  const targets = candidate.targets.get('targets') ?? base?.targets.signed;
  return new Map([
    ...(base?.root.signed.keys ?? []),
    ...(candidate.root?.keys ?? []),
    ...(targets?.delegations?.keys ?? []),
  ]);
}

/** The bundle's metadata files by name, for whoever has verified it. */
export async function metadataFiles(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  return filesBelow(await readFolder(path), 'metadata/');
}

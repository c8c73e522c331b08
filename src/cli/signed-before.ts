import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../claims/names.ts';
import { ownersOf } from '../claims/owners.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import { developerKeyPath } from './developer-key.ts';
import { writeWhole } from './file-changes.ts';
import type { VerifiedProject } from './verified-project.ts';

const SIGNED = z.record(z.string(), z.array(z.string()));
type Signed = z.output<typeof SIGNED>;
const OWNER = 'owner ';

/** What of a project is remembered. */
type Present = Pick<VerifiedProject, 'url' | 'page' | 'roles'>;

/** Beside the developer's key. */
function signedPath(): string {
  return join(dirname(developerKeyPath()), 'signed-projects.json');
}

/** What this machine knows of a project for which it signed. */
export interface SignedBefore {
  /** What was not there then, a sentence each: the next signature would cover it too. */
  readonly fresh: readonly string[];
  /** The ids of its owners' keys then. */
  readonly owners: ReadonlySet<string>;
}

/**
 * What this machine saw when it last signed for a project, compared with what there is now. While a project is recently claimed, whoever has the
 * online key of the index can put keys and files of her own there. Undefined: this machine signs for it for the first time.
 */
export async function signedBefore(project: Present, path = signedPath()): Promise<SignedBefore | undefined> {
  const known = (await read(path))[nameOf(project)];
  if (known === undefined) return undefined;
  const before = new Set(known);
  const owners = known.filter((line) => line.startsWith(OWNER)).map((line) => line.slice(OWNER.length));
  return { fresh: contentOf(project).filter((line) => !before.has(line)), owners: new Set(owners) };
}

/** Remembers what this machine has signed for, as everybody sees it now. */
export async function rememberSigned(project: Present, path = signedPath()): Promise<void> {
  const next: Signed = { ...(await read(path)), [nameOf(project)]: [...contentOf(project)] };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeWhole(path, Buffer.from(`${JSON.stringify(next, undefined, 2)}\n`), 0o600);
}

function nameOf({ url, page }: Present): string {
  return `${url} ${page.name}`;
}

/** Everything that a signature for a project covers, a sentence each. */
export function contentOf({ page, roles }: Present): readonly string[] {
  const { name } = page;
  const owned = roles.get(projectRoleName(name));
  if (owned === undefined) return page.files.map(({ filename, sha256 }) => `file ${filename} ${sha256}`);
  const parties = [
    ['owner', ownersOf(owned)],
    ['machine', delegatedOwners(owned, releaseRoleName(name))],
    ['builder', delegatedOwners(owned, wheelsRoleName(name))],
  ] as const;
  return [
    ...parties.flatMap(([party, owners]) => (owners?.keys ?? []).map(({ keyId }) => `${party} ${keyId}`)),
    ...page.files.map(({ filename, sha256 }) => `file ${filename} ${sha256}`),
  ];
}

async function read(path: string): Promise<Signed> {
  try {
    return SIGNED.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}

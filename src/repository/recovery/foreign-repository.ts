import type { PublishedState } from './published-walk.ts';
import { walkPublished } from './published-walk.ts';
import type { PublishedSource } from './published-source.ts';
import { isSafeTargetPath } from '../../tuf/layout.ts';
import { Metadata } from '../../tuf/metadata.ts';
import type { Root } from '../../tuf/root.ts';
import type { TargetFile } from '../../tuf/file.ts';
import type { Targets } from '../../tuf/targets.ts';
import { RecoveryError } from './errors.ts';

/** A TUF repository that Rind did not make, verified from a trusted root on. */
export interface ForeignRepository {
  readonly published: PublishedState;
  readonly root: Metadata<Root>;
  readonly roots: readonly Metadata<Root>[];
  /** What a client finds, whichever role lists it. */
  readonly targets: readonly TargetFile[];
  /** Paths that are listed and cannot be targets of an index, each with a reason: sentences. */
  readonly refused: readonly string[];
  /** The path patterns that hold all targets: `*`, `*\/*` and so on. */
  readonly targetPaths: readonly string[];
}

/** Roles that every repository of Rind has; their numbers would mean two things. */
const OWN_ROLES: readonly string[] = ['bins', 'claimed', 'recently-claimed'];
/** Folders of the served tree that hold no targets. */
const OWN_FOLDERS: ReadonlySet<string> = new Set(['metadata', 'log', 'index', 'security', 'api']);
const MAX_DEPTH = 16;

/**
 * Reads a repository whole, as a client does that begins with `pinnedRoot`: flat targets, any delegations, hash bins listed one by one or
 * succinctly (TAP 15, as RSTUF makes them). Throws UNVERIFIED_SOURCE, INCOMPLETE_SOURCE, CANNOT_PROCEED with what cannot be adopted.
 */
export async function readForeignRepository(
  source: PublishedSource,
  pinnedRoot: Uint8Array,
): Promise<ForeignRepository> {
  const roles = new Map<string, Targets>();
  const published = await walkPublished(source, pinnedRoot, async ({ role }, targets) => {
    roles.set(role, targets);
  });
  const taken = OWN_ROLES.find((role) => roles.has(role) || published.listed.has(role));
  if (taken !== undefined)
    throw new RecoveryError(
      'CANNOT_PROCEED',
      `${source.name} has a role named ${taken} itself, as repositories of Rind do; if it is one, use rind rebuild, otherwise it cannot be adopted.`,
    );
  const roots = [...published.roots.values()].map(({ bytes }) => Metadata.fromBytes(bytes, 'root'));
  const root = roots.at(-1);
  if (root === undefined) throw new RecoveryError('INCOMPLETE_SOURCE', `${source.name} has no root.`);
  const targets: TargetFile[] = [];
  const refused: string[] = [];
  for (const path of new Set([...roles.values()].flatMap((role) => [...role.targets.keys()]))) {
    const found = search(roles, path);
    const problem = found === undefined ? 'no client looks for it where it is listed' : problemOf(path);
    if (found === undefined || problem !== undefined) refused.push(`${path}: ${problem ?? ''}`);
    else targets.push(found);
  }
  return { published, root, roots, targets, refused, targetPaths: patternsOf(targets) };
}

/** The search of a client (TUF 5.6.7): in the order of the delegations, each role once, no further after a terminating one. */
function search(roles: ReadonlyMap<string, Targets>, path: string): TargetFile | undefined {
  const waiting = ['targets'];
  const seen = new Set<string>();
  for (let role = waiting.pop(); role !== undefined; role = waiting.pop()) {
    const targets = seen.has(role) ? undefined : roles.get(role);
    seen.add(role);
    const found = targets?.targets.get(path);
    if (found !== undefined) return found;
    const next: string[] = [];
    for (const { name, terminating } of targets?.delegations?.rolesForTarget(path) ?? []) {
      next.push(name);
      if (!terminating) continue;
      waiting.length = 0;
      break;
    }
    waiting.push(...next.toReversed());
  }
  return undefined;
}

function problemOf(path: string): string | undefined {
  if (!isSafeTargetPath(path)) return 'it is no path that can be a file in every file system';
  const segments = path.split('/');
  if (segments.length > MAX_DEPTH) return `it is more than ${MAX_DEPTH} folders deep`;
  return segments.length > 1 && OWN_FOLDERS.has(segments[0] ?? '')
    ? `the folder ${segments[0] ?? ''} holds something else in an index`
    : undefined;
}

/** One pattern for each depth that occurs, and those of an index, which new uploads get. */
function patternsOf(targets: readonly TargetFile[]): readonly string[] {
  const depths = new Set([3, ...targets.map(({ path }) => path.split('/').length)]);
  return [...depths]
    .toSorted((a, b) => a - b)
    .map((depth) => Array.from({ length: depth }, () => '*').join('/'));
}

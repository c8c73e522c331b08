import { z } from 'zod';
import type { FileRow } from '../db/schema.ts';
import { canonicalVersion, compareVersions, parseVersion, type Version } from '../pypi/version.ts';

/** Which releases are thrown away. A release goes when any rule says so; the newest one never does. */
export interface RetentionRules {
  /** Releases that stay, the highest versions; pre-releases and development builds do not count and are not touched by it. */
  readonly keepReleases?: number | undefined;
  /** Pre-releases go when their youngest file is older than so many days. */
  readonly preReleaseDays?: number | undefined;
  /** The same for development builds (`1.0.dev3`). */
  readonly devReleaseDays?: number | undefined;
  /** Of each release segment, so many of the newest development builds stay, however young the others are. */
  readonly keepDevReleases?: number | undefined;
}

const days = z.number().int().min(1).max(36_500);
const count = z.number().int().min(1).max(1_000_000);
export const retentionForm = z.strictObject({
  keepReleases: count.optional(),
  preReleaseDays: days.optional(),
  devReleaseDays: days.optional(),
  keepDevReleases: count.optional(),
});

const DAY = 86_400_000;

interface Release {
  readonly version: Version;
  readonly files: FileRow[];
  youngest: number;
}

/** The files that the rules throw away, of all the files of a project that are there. Pure. */
export function expiredFiles(
  files: readonly FileRow[],
  rules: RetentionRules,
  now: Date,
): readonly FileRow[] {
  const releases = releasesOf(files);
  const gone = new Set<Release>();
  const finals = releases.filter(({ version }) => !isPre(version) && !isDev(version));
  if (rules.keepReleases !== undefined) for (const one of finals.slice(rules.keepReleases)) gone.add(one);
  const isOlder = ({ youngest }: Release, limit: number | undefined): boolean =>
    limit !== undefined && now.getTime() - youngest > limit * DAY;
  const builds = new Map<string, number>();
  for (const release of releases) {
    const { version } = release;
    if (isDev(version)) {
      const base = baseOf(version);
      const newer = builds.get(base) ?? 0;
      builds.set(base, newer + 1);
      const isSurplus = rules.keepDevReleases !== undefined && newer >= rules.keepDevReleases;
      if (isSurplus || isOlder(release, rules.devReleaseDays)) gone.add(release);
    } else if (isPre(version) && isOlder(release, rules.preReleaseDays)) gone.add(release);
  }
  // A project never vanishes by rule: who pins nothing gets the newest.
  const newest = releases[0];
  if (newest !== undefined) gone.delete(newest);
  return [...gone].flatMap((release) => release.files);
}

const isPre = ({ pre }: Version): boolean => pre !== undefined;
const isDev = ({ dev }: Version): boolean => dev !== undefined;

/** What development builds of one coming release share: `2.0.dev7` and `2.0.dev8` do. */
function baseOf({ epoch, release, pre, post }: Version): string {
  return JSON.stringify([epoch, canonicalVersion(release.join('.')), pre ?? null, post ?? null]);
}

/** Highest version first. */
function releasesOf(files: readonly FileRow[]): readonly Release[] {
  const byVersion = new Map<string, Release>();
  for (const file of files) {
    const key = canonicalVersion(file.version);
    const uploaded = Date.parse(file.uploaded_at);
    const release = byVersion.get(key);
    if (release === undefined) {
      byVersion.set(key, { version: parseVersion(file.version), files: [file], youngest: uploaded });
    } else {
      release.files.push(file);
      release.youngest = Math.max(release.youngest, uploaded);
    }
  }
  return [...byVersion.values()].toSorted((a, b) => compareVersions(b.version, a.version));
}

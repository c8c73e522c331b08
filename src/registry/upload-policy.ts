import { z } from 'zod';
import { PRIVATE_METADATA_POLICY, PUBLIC_METADATA_POLICY } from '../pypi/core-metadata-validation.ts';

/** What a public and a private index judge differently when a file is uploaded. */
export interface UploadPolicy {
  /** Versions such as `1.0+internal.3`. */
  readonly localVersions: boolean;
  /** Dependencies such as `pip @ https://…`, which installers fetch past the index. */
  readonly directReferences: boolean;
  /** Metadata 2.0, withdrawn. */
  readonly withdrawnMetadata: boolean;
  /** Wheels for `linux_x86_64` and others that promise to run on the machine they were built on only. */
  readonly linuxWheels: boolean;
  /** Filenames that are spelt otherwise than the specifications demand today (PEP 625). */
  readonly legacyFilenames: boolean;
  /** Malformed URLs, licences, summaries: only of what is taken as it is, no setting. */
  readonly malformedTexts?: boolean;
  /** Classifiers that were withdrawn, and those that begin with `Private ::`. */
  readonly deprecatedClassifiers: boolean;
  /** Classifiers that are not in PyPI's list, as this program knows it: mostly misspelt ones. */
  readonly unknownClassifiers: boolean;
  /** New projects named like a module of Python's standard library. */
  readonly standardLibraryNames: boolean;
  /** New projects whose name looks like that of another one (`l`, `1`, `i`; `0`, `o`; separators). */
  readonly lookAlikeNames: boolean;
  /** Names nobody may register here, in any spelling; `acme-*` stands for every name that begins so. */
  readonly prohibitedNames: readonly string[];
  /** Commands that a wheel may not put on the path, `*` as above; only the project of that name may. */
  readonly prohibitedScripts: readonly string[];
  /** Days after the first file of a release in which files are added to it; undefined: always. */
  readonly releaseDays?: number | undefined;
}

/** How much may be stored. Undefined: as much as the disk takes. Bytes count each file once. */
export interface Limits {
  readonly maxFileBytes?: number | undefined;
  readonly maxProjectBytes?: number | undefined;
  readonly maxProjectFiles?: number | undefined;
  readonly maxReleaseFiles?: number | undefined;
  /** Of the whole index; means nothing for a project. */
  readonly maxIndexBytes?: number | undefined;
}

/** The choice of a private index, and the default. */
export const PRIVATE_UPLOAD_POLICY: UploadPolicy = {
  localVersions: PRIVATE_METADATA_POLICY.localVersions,
  directReferences: PRIVATE_METADATA_POLICY.directReferences,
  withdrawnMetadata: PRIVATE_METADATA_POLICY.withdrawnVersion,
  linuxWheels: true,
  legacyFilenames: true,
  deprecatedClassifiers: true,
  unknownClassifiers: true,
  standardLibraryNames: true,
  lookAlikeNames: false,
  prohibitedNames: [],
  prohibitedScripts: [],
};

/** The choice of an index that strangers upload to: PyPI's. */
export const PUBLIC_UPLOAD_POLICY: UploadPolicy = {
  localVersions: PUBLIC_METADATA_POLICY.localVersions,
  directReferences: PUBLIC_METADATA_POLICY.directReferences,
  withdrawnMetadata: PUBLIC_METADATA_POLICY.withdrawnVersion,
  linuxWheels: false,
  legacyFilenames: false,
  deprecatedClassifiers: false,
  unknownClassifiers: false,
  standardLibraryNames: false,
  lookAlikeNames: false,
  prohibitedNames: [],
  prohibitedScripts: [],
  releaseDays: 14,
};

/** Of files that were in use elsewhere before: whatever installers take. What is unsafe or contradicts itself is refused all the same. */
export const AS_IS_UPLOAD_POLICY: UploadPolicy = {
  ...PRIVATE_UPLOAD_POLICY,
  lookAlikeNames: true,
  malformedTexts: true,
};

/** The limits of a public index: PyPI's. A private one has none unless it is told. */
export const PUBLIC_LIMITS: Limits = {
  maxFileBytes: 100 * 1024 ** 2,
  maxProjectBytes: 10 * 1024 ** 3,
  maxReleaseFiles: 1000,
};

const count = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\*?$/, 'is no project name, with * at its end or not');

/** Settings of an upload policy as they are stored: only what differs from the kind of index. */
export const uploadPolicyForm = z.strictObject({
  localVersions: z.boolean().optional(),
  directReferences: z.boolean().optional(),
  withdrawnMetadata: z.boolean().optional(),
  linuxWheels: z.boolean().optional(),
  legacyFilenames: z.boolean().optional(),
  deprecatedClassifiers: z.boolean().optional(),
  unknownClassifiers: z.boolean().optional(),
  standardLibraryNames: z.boolean().optional(),
  lookAlikeNames: z.boolean().optional(),
  prohibitedNames: z.array(name).max(10_000).optional(),
  prohibitedScripts: z.array(name).max(10_000).optional(),
  releaseDays: count.optional(),
});

export const limitsForm = z.strictObject({
  maxFileBytes: count.optional(),
  maxProjectBytes: count.optional(),
  maxProjectFiles: count.optional(),
  maxReleaseFiles: count.optional(),
  maxIndexBytes: count.optional(),
});

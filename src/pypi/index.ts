/** PyPA formats: bytes and text in, verified values out. */
export * from './core-metadata.ts';
export * from './distribution-filename.ts';
export { FormatError, quote } from './errors.ts';
export * from './layout.ts';
export * from './legacy-form.ts';
export * from './project-name.ts';
export * from './simple.ts';
export * from './version.ts';
export * from './core-metadata-validation.ts';
export * from './requirement.ts';
export * from './specifier.ts';
export { ARCHIVE_LIMITS, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';
export * from './distribution.ts';
export { readSdist } from './sdist.ts';
export { readWheel, type DistributionContent, type InspectionOptions } from './wheel.ts';
export { reservedReason, type ReservedReason } from './reserved-names.ts';

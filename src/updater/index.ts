export { DEFAULT_DOWNLOAD_LIMITS, DEFAULT_UPDATER_CONFIG } from './config.ts';
export type { DownloadLimits, UpdaterConfig } from './config.ts';
export { LocalFileError } from './errors.ts';
export type { LocalFileErrorCode } from './errors.ts';
export type { FetchOptions, Fetcher } from './fetcher.ts';
export { HttpFetcher } from './http-fetcher.ts';
export type { HttpFetcherOptions } from './http-fetcher.ts';
export { MetadataDir } from './metadata-dir.ts';
export { MetadataMemory } from './metadata-memory.ts';
export type { Source } from './sources.ts';
export { Updater } from './updater.ts';
export type { UpdaterOptions } from './updater.ts';
export {
  DownloadError,
  DownloadHttpError,
  DownloadLengthMismatchError,
  SlowRetrievalError,
} from '../tuf/download-error.ts';
export type { DownloadErrorCode } from '../tuf/download-error.ts';
export { MapFileError, parseMapFile } from './map-file.ts';
export type { MapFile, Mapping } from './map-file.ts';
export { AgreementError, MultiRepositoryUpdater } from './multi-repository-updater.ts';
export type { AgreedTarget, MultiRepositoryUpdaterOptions } from './multi-repository-updater.ts';
export type { SignedTarget } from './session.ts';

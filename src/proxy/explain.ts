import { parseProjectRoleName } from '../claims/names.ts';
import { InvalidPageError } from '../pypi/simple.ts';
import {
  BadVersionNumberError,
  EquivocationError,
  ExpiredMetadataError,
  LengthOrHashMismatchError,
  MalformedMetadataError,
  RepositoryError,
  RoleNotFoundError,
  UnsignedMetadataError,
} from '../tuf/errors.ts';
import { DownloadError, DownloadHttpError, DownloadLengthMismatchError } from '../tuf/download-error.ts';
import { LocalFileError } from '../updater/errors.ts';
import { AgreementError } from '../updater/multi-repository-updater.ts';
import { createVerdict, VerdictError, type Verdict, type VerdictCode } from './verdict.ts';

/** Where an error happened. */
export interface VerdictContext {
  /** The path in the index that was asked for. */
  readonly subject: string;
  /** Base URL of the index. */
  readonly index: string;
  readonly now: Date;
}

/** Turns whatever ended a verification into a verdict. Every error becomes one: what is not understood is refused too. */
export function explain(error: unknown, context: VerdictContext): Verdict {
  const { subject, index } = context;
  const code = codeOf(error);
  const verdict = createVerdict(code, subjectOf(error) ?? subject, index, sentenceOf(error, code, context));
  const project = code === 'expired' ? projectOf(error) : undefined;
  return project === undefined ? verdict : { ...verdict, ...developersExpired(project) };
}

/** The claimed project whose developers signed what an error is about. */
function projectOf(error: unknown): string | undefined {
  const role = error instanceof RepositoryError ? error.role : undefined;
  return role === undefined ? undefined : parseProjectRoleName(role)?.project;
}

/** The index cannot sign for them again (PEP 480). */
function developersExpired(project: string): Pick<Verdict, 'meaning' | 'remedy'> {
  return {
    meaning: `The developers of ${project} have not signed it again in time, so nobody says any more that it is as it should be; or the clock of this machine is wrong.`,
    remedy: `Check the clock; if it is right, ask the developers to sign it again (rind sign ${project} --renew).`,
  };
}

function codeOf(error: unknown): VerdictCode {
  if (error instanceof VerdictError) return error.code;
  if (error instanceof RepositoryError) return repositoryCode(error);
  if (error instanceof AgreementError)
    return error.code === 'NO_AGREEMENT' ? 'no-agreement' : codeOf(error.cause);
  if (error instanceof DownloadLengthMismatchError) return 'tampered';
  if (error instanceof DownloadHttpError) return httpCode(error);
  if (error instanceof DownloadError) return 'unreachable';
  if (error instanceof InvalidPageError) return 'malformed';
  if (error instanceof LocalFileError || isFileError(error)) return 'local-state';
  return 'internal';
}

function repositoryCode(error: RepositoryError): VerdictCode {
  if (error instanceof ExpiredMetadataError) return 'expired';
  if (error instanceof BadVersionNumberError) return 'rollback';
  if (error instanceof EquivocationError) return 'fork';
  if (error instanceof UnsignedMetadataError) return 'wrongly-signed';
  if (error instanceof LengthOrHashMismatchError) return 'tampered';
  if (error instanceof MalformedMetadataError) return 'malformed';
  return error instanceof RoleNotFoundError ? 'incomplete' : 'malformed';
}

/** What signed metadata names must be there; the timestamp is named by nobody, so it may be the wrong URL. */
function httpCode(error: DownloadHttpError): VerdictCode {
  const isGone = error.statusCode === 404 || error.statusCode === 410;
  return isGone && !isTimestamp(error.url) ? 'incomplete' : 'unreachable';
}

function isTimestamp(url: string | undefined): boolean {
  return url?.endsWith('/metadata/timestamp.json') ?? false;
}

function subjectOf(error: unknown): string | undefined {
  return error instanceof RepositoryError && error.role !== undefined
    ? `metadata of ${error.role}`
    : undefined;
}

function sentenceOf(error: unknown, code: VerdictCode, context: VerdictContext): string {
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'expired') return `${message} (this machine's clock says ${utcMinute(context.now)})`;
  if (error instanceof DownloadHttpError && error.statusCode === 404 && isTimestamp(error.url)) {
    return `${context.index} has no signed metadata: there is nothing at metadata/timestamp.json`;
  }
  const certificate = certificateSentence(error);
  if (certificate !== undefined) return certificate;
  // The subject stands in the line above already.
  const prefix = `${error instanceof RepositoryError ? error.path : undefined}: `;
  return message.startsWith(prefix) ? `It ${message.slice(prefix.length)}` : message;
}

/** Where a connection failed because of who answered, not because nobody did. */
function certificateSentence(error: unknown): string | undefined {
  if (!(error instanceof DownloadError) || error.code !== 'CONNECTION_FAILED') return undefined;
  const { code = '' } = (error.cause ?? {}) as { readonly code?: string };
  if (!CERTIFICATE_CODE.test(code)) return undefined;
  const server = `The server at ${error.url ?? 'that address'} shows a certificate`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${server} that is for another host (${code})`;
  if (code === 'CERT_HAS_EXPIRED') return `${server} that has expired (${code})`;
  return `${server} that no authority trusted here vouches for (${code}); SSL_CERT_FILE names authorities of your own`;
}

const CERTIFICATE_CODE =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_|PERMITTED_|HOSTNAME_)/;

function utcMinute(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function isFileError(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).syscall : undefined;
  return typeof code === 'string';
}

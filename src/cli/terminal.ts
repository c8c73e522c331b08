/**
 * How `rind` speaks: data and nothing else on stdout, everything said to a person on stderr, errors as an `error:` line
 * with `hint:` lines below. No colours, no symbols.
 */
import { CeremonyError, type CeremonyErrorCode } from '../ceremony/errors.ts';
import { isVerificationFailure, type Verdict } from '../proxy/verdict.ts';
import { IndexUrlError } from '../proxy/index-url.ts';
import { TrustedRootError } from '../proxy/trusted-root.ts';
import { TrustStoreError, type TrustStoreErrorCode } from '../proxy/trust-store.ts';
import { TrustSettingsError } from '../proxy/trust-settings-error.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { keepVerdict } from './last-verdict.ts';
import { RefusalError } from './refusal-error.ts';

/** Tells a person something. */
export function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** Gives data to whoever reads the output. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Text from files and servers must not steer the terminal: control characters but the line feed become `?`. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- taking control characters out is the point
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}

/** Says why something was refused, keeps it for `rind why`, and gives the exit code for it. */
export function reportVerdict(verdict: Verdict): ExitCode {
  keepVerdict(verdict);
  const isFailure = isVerificationFailure(verdict);
  say(`error: ${verdict.subject} from ${verdict.index} ${outcomeOf(verdict)} (${verdict.code})`);
  say(`  what failed:       ${verdict.what}`);
  say(`  what it may mean:  ${verdict.meaning}`);
  say(`  what to do:        ${verdict.remedy}`);
  return isFailure ? EXIT.verification : EXIT.failure;
}

/** A takedown is no fault of any signature. */
function outcomeOf(verdict: Verdict): string {
  if (verdict.code === 'taken-down') return 'is withheld';
  return isVerificationFailure(verdict) ? 'did not verify' : 'could not be verified';
}

/** Says what went wrong with a command, and gives the exit code for it. */
export function reportError(error: unknown): ExitCode {
  if (error instanceof RefusalError) return reportVerdict(error.verdict);
  const { message, hints, exitCode } = asCliError(error);
  say(`error: ${message}`);
  for (const hint of hints) say(`hint: ${hint}`);
  return exitCode;
}

const TRUST_HINTS: Readonly<Record<TrustStoreErrorCode, readonly string[]>> = {
  'nothing-trusted': [
    'rind trust add URL --fingerprint HEX',
    'whoever runs the index gives you the URL and the fingerprint of its root',
  ],
  'several-trusted': ['choose one with --index URL'],
  'not-trusted': ['rind trust add URL --fingerprint HEX', 'rind trust list shows what is trusted'],
  'already-trusted': [
    'rind trust show URL',
    'rind trust remove URL ends the trust, so that another root can be given',
  ],
  damaged: [],
  insecure: [],
};

/** What of a ceremony is refused because it does not verify. */
const FORGERIES: ReadonlySet<CeremonyErrorCode> = new Set([
  'TAMPERED',
  'WRONG_SIGNATURE',
  'WRONG_BASE',
  'OTHER_EVENT',
]);

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof TrustStoreError)
    return new CliError('failure', error.message, TRUST_HINTS[error.code]);
  if (error instanceof TrustSettingsError) {
    const isConflict = error.code === 'conflict';
    return new CliError(isConflict ? 'verification' : 'failure', error.message, [
      isConflict
        ? 'nothing was installed; rind trust show URL tells what is trusted here'
        : 'docs/trust.md has the form',
    ]);
  }
  if (error instanceof TrustedRootError) {
    const hints = ['nothing was trusted; ask whoever runs the index, by another way than the index itself'];
    return new CliError('verification', error.message, hints);
  }
  if (error instanceof IndexUrlError) {
    const hints = error.code === 'unencrypted' ? ['--allow-unencrypted-http trusts it all the same'] : [];
    return new CliError('usage', error.message, hints);
  }
  if (error instanceof CeremonyError) {
    const kind = FORGERIES.has(error.code) ? 'verification' : 'failure';
    return new CliError(kind, error.message, error.problems);
  }
  const message = systemMessage(error) ?? (error instanceof Error ? error.message : String(error));
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code !== undefined) return new CliError('failure', message);
  const stack = error instanceof Error && process.env['RIND_DEBUG'] ? [error.stack ?? ''] : [];
  return new CliError('failure', `Unexpected: ${message}`, [
    ...stack,
    'this is a fault of rind, please report it',
  ]);
}

const SYSTEM_REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file or folder'],
  ['EACCES', 'this user may not'],
  ['EPERM', 'it is not permitted'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of the path is no folder'],
  ['EEXIST', 'it is there already'],
  ['ENOSPC', 'the disk is full'],
  ['EROFS', 'the disk is read-only'],
]);

/** What the system says of a file, as a sentence; undefined of everything else. */
function systemMessage(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', path, syscall } = error as NodeJS.ErrnoException;
  const reason = SYSTEM_REASONS.get(code);
  if (reason === undefined || path === undefined) return undefined;
  return `${path} cannot be used: ${reason} (${syscall ?? 'system'}: ${code}).`;
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { explain } from '../proxy/explain.ts';
import type { AnsweringIndex } from '../proxy/index-answers.ts';
import { createVerdict, isVerificationFailure, type Verdict } from '../proxy/verdict.ts';
import { InvalidFilenameError, parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openTrust } from './open-trust.ts';
import { resolveTrust } from './resolve-trust.ts';
import { print, reportVerdict } from './terminal.ts';

export interface VerifyOptions {
  readonly index?: string;
  readonly offline?: boolean;
  readonly json?: boolean;
}

interface Result {
  readonly file: string;
  readonly sha256: string;
  /** Undefined when it is the signed file. */
  readonly verdict?: Verdict;
  readonly signedBy?: string;
  readonly index: string;
}

/**
 * `rind verify FILE…`: whether distribution files on disk, from wherever they came, are those that the trusted index signed under
 * their names.
 *
 * @returns 3 when one is not, 1 when that could not be found out
 */
export async function verifyFiles(files: readonly string[], options: VerifyOptions): Promise<ExitCode> {
  const trust = await resolveTrust(process.cwd(), { index: options.index });
  const opened = await openTrust(trust, { isOffline: options.offline });
  const results: Result[] = [];
  try {
    for (const file of files) results.push(await verifyFile(file, opened.index));
  } finally {
    await opened.close();
  }
  if (options.json === true) print(JSON.stringify(results, undefined, 2));
  return worst(results.map((result) => report(result, options.json === true)));
}

/** 3 before 1 before 0. */
export function worst(codes: readonly ExitCode[]): ExitCode {
  return (
    codes.find((code) => code === EXIT.verification) ?? codes.find((code) => code !== EXIT.ok) ?? EXIT.ok
  );
}

function report({ file, verdict, signedBy, index }: Result, isQuiet: boolean): ExitCode {
  if (verdict === undefined) {
    if (!isQuiet) print(`verified  ${file}  signed by ${signedBy} of ${index}`);
    return EXIT.ok;
  }
  if (isQuiet) return isVerificationFailure(verdict) ? EXIT.verification : EXIT.failure;
  print(`refused   ${file}  ${verdict.code}`);
  return reportVerdict(verdict);
}

async function verifyFile(file: string, index: AnsweringIndex): Promise<Result> {
  const name = basename(file);
  const { sha256, length } = await readHash(file);
  const base = { file, sha256, index: index.url };
  try {
    const { project } = parseDistributionFilename(name);
    const signed = await index.fileTarget(project, name);
    if (signed === undefined) return { ...base, verdict: await index.absence(project, name) };
    if (signed.sha256 === sha256 && signed.target.length === length)
      return { ...base, signedBy: signed.signedBy };
    const what = `${file} has the sha256 ${sha256}, and the one that is signed under its name has ${signed.sha256}`;
    return { ...base, verdict: createVerdict('tampered', signed.target.path, index.url, what) };
  } catch (error) {
    if (error instanceof InvalidFilenameError)
      return { ...base, verdict: createVerdict('unknown', name, index.url, error.message) };
    return { ...base, verdict: explain(error, { subject: name, index: index.url, now: new Date() }) };
  }
}

async function readHash(file: string): Promise<{ sha256: string; length: number }> {
  try {
    const { size } = await stat(file);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
    return { sha256: hash.digest('hex'), length: size };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : message;
    throw new CliError('failure', `${file} cannot be read: ${reason}.`, [], { cause: error });
  }
}

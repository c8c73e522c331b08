import { packagePath, simpleJsonPath } from '../pypi/layout.ts';
import { createVerdict, type Verdict } from './verdict.ts';

/** What can be found out about something that no role signs. All of it explains, none of it decides. */
export interface AbsenceHints {
  /** Base URL of the index. */
  readonly url: string;
  /** Whether this machine had it verified before. */
  readonly wasSigned: (path: string) => Promise<boolean>;
  /** Whether the server gives something under this path. */
  readonly isServed: (path: string) => Promise<boolean>;
}

/**
 * Says why there is no such project, or no such file of a project, for which the signed metadata gives the proof: withdrawn
 * (`revoked`), stored and not signed yet (`not-yet-signed`), or never heard of (`unknown`).
 */
export async function explainAbsence(
  hints: AbsenceHints,
  project: string,
  filename?: string,
): Promise<Verdict> {
  const path = filename === undefined ? simpleJsonPath(project) : packagePath(project, filename);
  const what = filename ?? `a project named ${project}`;
  const verdict = (code: 'revoked' | 'not-yet-signed' | 'unknown', sentence: string): Verdict =>
    createVerdict(code, path, hints.url, sentence);
  const { url } = hints;
  if (await hints.wasSigned(path))
    return verdict('revoked', `${url} signed ${what} earlier, and no longer does`);
  if (await hints.isServed(path))
    return verdict('not-yet-signed', `${url} has ${what}, but nobody has signed it`);
  const thing = filename === undefined ? `project named ${project}` : `file ${filename}`;
  return verdict('unknown', `${url} has no ${thing}; its signatures say so`);
}

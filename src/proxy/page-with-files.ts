import { createHash } from 'node:crypto';
import { renderProjectHtml, renderProjectJson, type ProjectPage } from '../pypi/simple.ts';
import type { VerifiedPage } from './verified-index.ts';

/** A verified page made anew, because something on it is withheld. */
export function pageWithFiles(
  signed: VerifiedPage,
  listing: ProjectPage,
  format: 'json' | 'html',
): VerifiedPage {
  const bytes = format === 'json' ? renderProjectJson(listing) : renderProjectHtml(listing);
  return { ...signed, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

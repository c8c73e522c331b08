import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { asObject, within } from '../tuf/fields.ts';
import { parseJson } from '../tuf/json.ts';
import { ownersJson, readOwners, type Owners } from './owners.ts';

/** Owners as rows keep them: canonical JSON of the field in signed metadata. */
export function ownersText(owners: Owners): string {
  return canonicalJsonText(ownersJson(owners));
}

/**
 * Reads what {@link ownersText} wrote.
 * @throws {MalformedMetadataError | JsonError}
 */
export function parseOwnersText(text: string): Owners {
  return within('owners', () => readOwners(asObject(parseJson(new TextEncoder().encode(text)), 'owners')));
}

import type { ObjectStore } from '../../storage/object-store.ts';
import type { ServedTree } from '../served-tree.ts';
import type { StolenRole } from './stolen-keys.ts';

/** What users of an index should know about an incident. Plain text throughout. */
export interface Bulletin {
  /** ISO 8601, UTC. */
  readonly published: string;
  readonly title: string;
  readonly summary: string;
  readonly stolen: readonly StolenRole[];
  /** sha256 of the signed part of the root that is to be trusted now, lower-case hex. */
  readonly fingerprint: string;
  readonly rootVersion: number;
  /** Files that were taken out. */
  readonly dropped: readonly string[];
  /** Projects that were brought back to the last known good state. */
  readonly restored: readonly string[];
  /** Projects that their owners should claim again. */
  readonly unclaimed?: readonly string[];
}

/** Below the prefix of the index: a page for people, unsigned, and what it was made of. */
export const BULLETIN_PAGE = 'security/index.html';
export const BULLETIN_LIST = 'security/bulletins.json';

/** Adds a bulletin to the page, the youngest first. The same one again (by time) replaces itself. */
export async function publishBulletin(
  store: ObjectStore,
  tree: ServedTree,
  bulletin: Bulletin,
): Promise<void> {
  const bytes = await store.read(tree.plain(BULLETIN_LIST), { maxLength: 16 << 20 });
  const known = bytes === undefined ? [] : (JSON.parse(new TextDecoder().decode(bytes)) as Bulletin[]);
  const others = known.filter(({ published }) => published !== bulletin.published);
  const all = [bulletin, ...others];
  const encode = (text: string) => new TextEncoder().encode(text);
  await store.put(tree.plain(BULLETIN_LIST), encode(JSON.stringify(all)));
  await store.put(tree.plain(BULLETIN_PAGE), encode(renderBulletins(all)));
}

/** The page: no script, no style of its own, every word escaped. */
export function renderBulletins(bulletins: readonly Bulletin[]): string {
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8"><title>Security bulletins</title></head><body>',
    '<h1>Security bulletins</h1>',
    '<p>This page explains why an installation may have stopped. It is not signed: trust what your client verifies, and a fingerprint only when you have it by another way as well.</p>',
    ...bulletins.map(section),
    '</body></html>\n',
  ].join('\n');
}

function section(bulletin: Bulletin): string {
  const {
    published,
    title,
    summary,
    stolen,
    fingerprint,
    rootVersion,
    dropped,
    restored,
    unclaimed = [],
  } = bulletin;
  const isRoot = stolen.includes('root');
  const advice = isRoot
    ? `Keys of the root were stolen, and somebody else may have signed a root with them. If your client refuses this index, take the new root: <code>rind trust remove</code>, then <code>rind trust add</code> with the fingerprint below, compared with what the people who run this index tell you by another way.`
    : `The keys were replaced. A client that verifies takes the new ones by itself at its next update; if it stopped with an error before, run it again.`;
  return [
    `<h2>${escape(title)}</h2>`,
    `<p>${escape(published)}. Stolen: ${escape(stolen.join(', '))}.</p>`,
    ...summary.split(/\n{2,}/).map((text) => `<p>${escape(text)}</p>`),
    `<p>${advice}</p>`,
    `<p>Root version ${rootVersion}, fingerprint <code>${escape(fingerprint)}</code></p>`,
    list(
      'Files that are not offered any more, because nobody could vouch for them. If you installed one, take that installation for compromised:',
      dropped,
    ),
    list('Projects that were brought back to what they were before:', restored),
    list(
      'Projects that are signed by the index alone from now on; their owners, please claim them again (<code>rind claim</code>):',
      unclaimed,
    ),
  ].join('\n');
}

function list(text: string, values: readonly string[]): string {
  if (values.length === 0) return '';
  return `<p>${text}</p>\n<ul>${values.map((value) => `<li>${escape(value)}</li>`).join('')}</ul>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

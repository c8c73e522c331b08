import { createHash } from 'node:crypto';
import { packagePath, simpleHtmlPath, simpleJsonPath } from '../pypi/layout.ts';
import { renderProjectHtml, renderProjectJson, type ProjectPage } from '../pypi/simple.ts';
import type { SignedTarget } from './project-role.ts';

/** Everything of a project that is signed, and the bytes of its pages, by target path. */
export interface PageTargets {
  readonly targets: ReadonlyMap<string, SignedTarget>;
  readonly pages: ReadonlyMap<string, Uint8Array>;
}

/**
 * The targets of a project: the files that its page lists (none when it is quarantined, PEP 792) and the page in both formats. The index
 * and developers make them with this same function, whose version is PAGE_FORMAT_VERSION, so that they agree to the byte.
 * @throws {InvalidPageError}
 */
export function pageTargets(page: ProjectPage): PageTargets {
  const targets = new Map<string, SignedTarget>();
  for (const file of page.status === 'quarantined' ? [] : page.files)
    targets.set(packagePath(page.name, file.filename), { length: file.size, sha256: file.sha256 });
  const pages = new Map([
    [simpleJsonPath(page.name), renderProjectJson(page)],
    [simpleHtmlPath(page.name), renderProjectHtml(page)],
  ]);
  for (const [path, bytes] of pages)
    targets.set(path, { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  return { targets, pages };
}

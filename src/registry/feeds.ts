import { newestProjects, newestReleases, type FeedRow } from '../db/feeds.ts';
import { findProject } from '../db/projects.ts';
import type { Executor } from '../db/schema.ts';
import { renderFeed } from '../pypi/feed.ts';

/** 'updates': new releases; 'packages': new projects; 'releases': of one project. */
export type FeedName =
  { readonly feed: 'updates' | 'packages' } | { readonly feed: 'releases'; readonly project: string };

const MOST_ITEMS = 40;
const SUMMARY_LENGTH = 512;

/** A feed as RSS; undefined when the project is not there. `url`: of the index, with its last `/`. */
export async function feedDocument(
  db: Executor,
  index: { readonly id: number; readonly name: string },
  name: FeedName,
  url: string,
): Promise<Uint8Array | undefined> {
  const where = index.name === '' ? 'this index' : `the index ${index.name}`;
  if (name.feed === 'releases') {
    const project = await findProject(db, index.id, name.project);
    if (project === undefined || project.removed_at !== null || project.last_serial === 0) return undefined;
    const rows = await newestReleases(db, index.id, MOST_ITEMS, project.id);
    const title = `Releases of ${project.display_name}`;
    return feedOf(title, `New releases of ${project.name} in ${where}`, url, rows);
  }
  return name.feed === 'updates'
    ? feedOf(`Releases`, `New releases in ${where}`, url, await newestReleases(db, index.id, MOST_ITEMS))
    : feedOf(`Projects`, `New projects in ${where}`, url, await newestProjects(db, index.id, MOST_ITEMS));
}

function feedOf(title: string, description: string, url: string, rows: readonly FeedRow[]): Uint8Array {
  const items = rows.map(({ project, display_name, version, core_metadata, created_at }) => ({
    title: version === '' ? display_name : `${display_name} ${version}`,
    link: `${url}simple/${project}/`,
    id: version === '' ? `project ${project}` : `release ${project} ${version}`,
    description: summaryOf(core_metadata),
    at: created_at,
  }));
  return renderFeed({ title, link: url, description, items });
}

function summaryOf(coreMetadata: string): string {
  const { summary } = JSON.parse(coreMetadata) as { summary?: unknown };
  return typeof summary === 'string' ? summary.slice(0, SUMMARY_LENGTH) : '';
}

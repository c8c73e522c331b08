import { asciiHtml } from './ascii-text.ts';

/** One line of a feed. */
export interface FeedItem {
  readonly title: string;
  /** Absolute. */
  readonly link: string;
  /** Unique in the feed, and the same for ever. */
  readonly id: string;
  readonly description: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface Feed {
  readonly title: string;
  /** Absolute. */
  readonly link: string;
  readonly description: string;
  /** The newest first. */
  readonly items: readonly FeedItem[];
}

/** A feed as RSS 2.0, in printable ASCII: no entity but numeric ones, nothing that a reader has to resolve. */
export function renderFeed(feed: Feed): Uint8Array<ArrayBuffer> {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<rss version="2.0">',
    '<channel>',
    `<title>${asciiHtml(feed.title)}</title>`,
    `<link>${asciiHtml(feed.link)}</link>`,
    `<description>${asciiHtml(feed.description)}</description>`,
    '<language>en</language>',
    ...feed.items.map(itemXml),
    '</channel>',
    '</rss>',
    '',
  ];
  return new TextEncoder().encode(lines.join('\n'));
}

function itemXml({ title, link, id, description, at }: FeedItem): string {
  return [
    '<item>',
    `<title>${asciiHtml(title)}</title>`,
    `<link>${asciiHtml(link)}</link>`,
    `<guid isPermaLink="false">${asciiHtml(id)}</guid>`,
    `<description>${asciiHtml(description)}</description>`,
    `<pubDate>${new Date(at).toUTCString()}</pubDate>`,
    '</item>',
  ].join('');
}

import { styleSheet } from '../web/style-sheet.ts';
import type { DocumentSource } from './document-cache.ts';
import { REVALIDATE } from './document.ts';

const bytes = Buffer.from(styleSheet);

/** The style sheet of the pages: it changes only with the program. */
export const STYLE_SHEET: DocumentSource = {
  lifetime: Infinity,
  options: { contentType: 'text/css; charset=utf-8', cacheControl: REVALIDATE },
  tag: async () => 'built-in',
  bytes: async () => bytes,
};

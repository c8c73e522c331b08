import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { UnavailableError } from './unavailable-error.ts';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

/** Starts the Chromium of this machine without a window; it loads nothing but what a test asks for. */
export async function launchChromium(): Promise<Browser> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const executablePath = PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find(
    (path) => existsSync(path),
  );
  if (executablePath === undefined)
    throw new UnavailableError('Chromium is not installed (Debian: apt-get install chromium)');
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

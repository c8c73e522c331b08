// `npm run config-page`: writes docs/configuration.md from the table of settings (src/config/keys.ts); `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const { renderConfigurationPage } = await import(join(root, 'dist', 'config', 'page.js'));
const file = join(root, 'docs', 'configuration.md');
if (!process.argv.includes('--check')) writeFileSync(file, renderConfigurationPage());
else if (readFileSync(file, 'utf8') !== renderConfigurationPage()) {
  console.error('docs/configuration.md is not what the settings say: npm run config-page');
  process.exitCode = 1;
}

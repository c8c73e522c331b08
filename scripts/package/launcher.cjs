// What the one executable runs first: it lays its program into the user's cache folder, once for each version, and starts it there.
'use strict';
const { createRequire } = require('node:module');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const sea = require('node:sea');

function main() {
  const base = process.env['XDG_CACHE_HOME'];
  const cache = base && path.isAbsolute(base) ? base : path.join(os.homedir(), '.cache');
  const folder = path.join(cache, 'rind', `program-${sea.getAsset('key.txt', 'utf8')}`);
  if (!fs.existsSync(folder)) layOut(folder);
  // What lies there is run: by nobody else's hand.
  const { uid, mode } = fs.lstatSync(folder);
  if (uid !== process.getuid() || (mode & 0o77) !== 0)
    throw new Error(
      `${folder} is open to other users; remove it, or set XDG_CACHE_HOME to a folder of your own`,
    );
  createRequire(path.join(folder, 'start.cjs'))('./start.cjs');
}

function layOut(folder) {
  fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  const fresh = fs.mkdtempSync(`${folder}.`);
  const files = JSON.parse(sea.getAsset('program.json', 'utf8'));
  files['start.cjs'] = "import('./dist/cli/main.js');\n";
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(fresh, name);
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(file, text, { mode: 0o600 });
  }
  try {
    fs.renameSync(fresh, folder);
  } catch (error) {
    // Another start was quicker.
    fs.rmSync(fresh, { recursive: true, force: true });
    if (!fs.existsSync(folder)) throw error;
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`error: rind cannot lay out its program: ${error.message}\n`);
  process.exitCode = 1;
}

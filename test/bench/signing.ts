// `npm run bench:signing`: what ceremonies and signers take. Peers that are not installed are named; nothing is estimated.
import { benchCeremonyBins } from './ceremony-bins.ts';
import { benchSigners } from './signers.ts';
import { machine, renderTable, type Table } from './report.ts';

const parts: readonly (() => Promise<Table>)[] = [benchSigners, benchCeremonyBins];

console.log(`Node.js ${process.version}, ${machine()}`);
for (const part of parts) {
  const table = await part();
  console.log(`\n${table.title}\n${table.method}\n`);
  console.log(renderTable(table));
  for (const reason of table.missing) console.log(`not measured here: ${reason}`);
}

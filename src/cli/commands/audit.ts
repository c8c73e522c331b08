import type { Command } from 'commander';
import type { AuditOptions, VerifyAuditOptions } from '../run-audit.ts';

/** `rind audit` */
export function registerAudit(program: Command): void {
  const audit = program.command('audit').summary('read and verify the log of everything that was done');
  audit
    .command('show')
    .summary('show the youngest entries')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--last <number>', 'how many entries', '50')
    .option('--after <seq>', 'all entries after this one')
    .option('--actor <actor>', 'only what this one did, e.g. token:3')
    .option('--action <action>', 'only this, e.g. file.upload')
    .action(async (options: AuditOptions) => {
      const { showAudit } = await import('../run-audit.ts');
      process.exitCode = await showAudit(options);
    });
  audit
    .command('export')
    .summary('print all entries as JSON lines')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--after <seq>', 'only entries after this one')
    .action(async (options: AuditOptions) => {
      const { exportAudit } = await import('../run-audit.ts');
      process.exitCode = await exportAudit(options);
    });
  audit
    .command('verify')
    .summary('compute the chain of hashes again')
    .description(
      'Prints the head of the chain, or the entry at which it breaks (exit code 1). A chain that was cut at its end is\n' +
        'whole in itself: compare it with a head that was kept elsewhere.',
    )
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--file <path>', 'verify a file of rind audit export instead')
    .option('--head <seq:sha256>', 'must be part of the chain')
    .action(async (options: VerifyAuditOptions) => {
      const { verifyAudit } = await import('../run-audit.ts');
      process.exitCode = await verifyAudit(options);
    });
}

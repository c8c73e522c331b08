import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { completionScript, SHELLS } from './completion.ts';

function program(): Command {
  const rind = new Command('rind');
  rind
    .command('serve')
    .summary("run an index's server")
    .option('--port <number>', 'port')
    .option('-q, --quiet', 'no words');
  const project = rind.command('project').summary('projects');
  project.command('yank').summary('yank it').option('--reason <text>', 'why');
  return rind;
}

/** What bash offers after these words. */
function offered(...words: string[]): string[] {
  const script = `${completionScript(program(), 'bash')}
COMP_WORDS=(rind ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _rind; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: '/' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim().split('\n');
}

describe('in bash', () => {
  it('offers commands, those below them, and the options of each', () => {
    expect(offered('')).toEqual(['serve', 'project', '--help']);
    expect(offered('pr')).toEqual(['project']);
    expect(offered('project', '')).toEqual(['yank', '--help']);
    expect(offered('project', 'yank', '--')).toEqual(['--reason', '--help']);
    expect(offered('serve', '-')).toEqual(['--port', '-q', '--quiet', '--help']);
  });

  it('an argument that is named like a command of another place confuses nothing', () => {
    expect(offered('project', 'yank', 'serve', '--r')).toEqual(['--reason']);
  });
});

it.each(SHELLS)('knows every command of %s', (shell) => {
  const script = completionScript(program(), shell);
  for (const word of ['serve', 'project', 'yank', 'reason', 'port']) expect(script).toContain(word);
});

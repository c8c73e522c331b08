import { readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWheel } from '../tools/distribution.ts';
import { buildRind, checkout, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';

/** The commands of the runbook, by section. */
async function runbook(): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = await readFile(join(checkout, 'docs', 'operations', 'expiry.md'), 'utf8');
  const sections = new Map<string, readonly string[]>();
  for (const part of text.split(/^## /m).slice(1)) {
    const blocks = [...part.matchAll(/^```console\n([^]*?)^```/gm)].map((match) => match[1] ?? '');
    const commands = blocks
      .flatMap((block) => block.split('\n'))
      .flatMap((line) => (line.startsWith('$ rind ') ? [line.slice('$ rind '.length)] : []));
    sections.set(part.split('\n')[0] ?? '', commands);
  }
  return sections;
}

describe('the runbook of expiry, clean-up and fsck, as written', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let sections: ReadonlyMap<string, readonly string[]>;
  let server: RindServer;
  const wheel = makeWheel({ name: 'demo', version: '1.0' });

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('expiry');
    sections = await runbook();
    server = await RindServer.start({ folder: join(scratch.path, 'server') });
    const uploader = new Uploader(server.uploadUrl, server.token);
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    uploader.close();
  });
  afterAll(async () => {
    if (server?.isRunning === true) await server.stop();
    await scratch?.remove();
  });

  async function follow(section: string): Promise<string> {
    const commands = sections.get(section) ?? [];
    expect(commands.length, section).toBeGreaterThan(0);
    let output = '';
    for (const command of commands) {
      const finished = await rind(command.split(' '), { cwd: scratch.path });
      expect(finished.code, `rind ${command}\n${finished.output}`).toBe(0);
      output += finished.output;
    }
    return output;
  }

  it('works beside a running server: the daily check, clean-up on request, a further hash', async () => {
    expect(await follow('Daily')).toContain('is clean');
    expect(await follow('Clean-up')).toContain('0 objects');
    expect(await follow('A new hash beside sha256')).toContain('sha256 sha512');
  });

  it('refuses to repair beside it, and mends a damaged store when it is stopped', async () => {
    const command = (sections.get('When fsck is not clean') ?? [])[0]?.split(' ') ?? [];
    const refused = await rind(command, { cwd: scratch.path });
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('stop it first');
    await server.stop();
    const tree = join(scratch.path, 'server', 'tree');
    const page = join(tree, 'simple', 'demo', 'index.html');
    const before = await readFile(page);
    const timestamp = await readFile(join(tree, 'metadata', 'timestamp.json'));
    await unlink(page);
    await writeFile(join(tree, 'metadata', 'timestamp.json'), '{}');
    expect((await rind(['fsck', '--data', 'server'], { cwd: scratch.path })).code).toBe(1);
    expect(await follow('When fsck is not clean')).toContain('mended');
    expect(await readFile(page)).toEqual(before);
    expect(await readFile(join(tree, 'metadata', 'timestamp.json'))).toEqual(timestamp);
    const again = await RindServer.start({ folder: join(scratch.path, 'server') });
    await again.stop();
  });
});

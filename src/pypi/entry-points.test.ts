import { describe, expect, it } from 'vitest';
import { memoryReader, wheelBytes } from '../../test/archives/distributions.ts';
import { parseDistributionFilename } from './distribution-filename.ts';
import { parseScripts } from './entry-points.ts';
import { readWheel } from './wheel.ts';

describe('entry points', () => {
  it('give the commands of both groups, and no other entry', () => {
    const text = [
      '# written by hand',
      '',
      '[console_scripts]',
      'demo = demo.cli:main',
      'demo-old=demo.cli : App.run [fast, small]',
      '; more',
      '[pytest11]',
      'demo = demo.plugin',
      '[gui_scripts]\r',
      'demo_ui = demo:ui',
    ].join('\n');
    expect(parseScripts(text)).toEqual(['demo', 'demo-old', 'demo_ui']);
  });

  it('may be indented, as setuptools wrote them for years', () => {
    expect(parseScripts('\n      [console_scripts]\n      demo = demo:main\n      ')).toEqual(['demo']);
  });

  it.each([
    ['a line that is no entry', '[console_scripts]\ndemo demo:main\n', /is not name = object/],
    ['an entry without object', '[console_scripts]\ndemo =\n', /is not name = object/],
    ['an entry without name', '[pytest11]\n= demo\n', /is not name = object/],
    ['an entry before any group', 'demo = demo:main\n', /before the first group/],
    ['a group that does not end', '[console_scripts\ndemo = demo:main\n', /is no group/],
    ['a group without name', '[]\n', /is no group/],
    [
      'a command that leads out of its folder',
      '[console_scripts]\n../../.bashrc = a:b\n',
      /the name '\.\.\//,
    ],
    ['a command in another folder', '[gui_scripts]\n..\\x = a:b\n', /gives a command the name/],
    ['a command without a function', '[console_scripts]\ndemo = demo.cli\n', /names no function/],
    ['a command that runs more than a function', '[console_scripts]\na = os:system("x")\n', /no function/],
    ['one command twice', '[console_scripts]\nd = a:b\n[gui_scripts]\nd = a:c\n', /is a second command 'd'/],
    ['a control character', '[console_scripts]\nd\u0000 = a:b\n', /control character/],
  ])('refuse %s', (_, text, reason) => {
    expect(() => parseScripts(text)).toThrow(reason);
  });
});

describe('a wheel', () => {
  const read = (files: Record<string, string>) =>
    readWheel(
      memoryReader(wheelBytes({ files })),
      parseDistributionFilename('demo-1.0-py3-none-any.whl') as never,
    );

  it('tells the commands it installs: entry points and files of its scripts', async () => {
    const { scripts } = await read({
      'demo-1.0.dist-info/entry_points.txt': '[console_scripts]\ndemo = demo:main\n',
      'demo-1.0.data/scripts/pip.exe': 'MZ',
    });
    expect(scripts).toEqual(['pip.exe', 'demo']);
  });

  it('with malformed entry points is refused always, and the sentence quotes the line', async () => {
    await expect(
      read({ 'demo-1.0.dist-info/entry_points.txt': '[console_scripts]\nwhat\n' }),
    ).rejects.toThrow("Invalid distribution: the line 'what' of entry_points.txt is not name = object.");
  });
});

import { noEffect, rejected, type AttackSection, type Call } from '../attack-case.ts';
import type { Scene } from '../scene.ts';

const WHEEL_9 = 'wheely-9.0-py3-none-any.whl';
const simpleOf = (scene: Scene): string => `${scene.strangerUrl}simple/`;
const nothing = (): void => undefined;

const DOCTOR = 'an index URL cannot see it; `rind client setup` takes it out, `rind doctor` finds it';

const arguments_: AttackSection = {
  title: 'Around the index: what the user, a project or a file of requirements asks elsewhere',
  cases: [
    {
      id: 'extra-index',
      does: 'gets an --extra-index-url of his into the command, with a higher version (dependency confusion)',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({ args: ['--extra-index-url', simpleOf(scene)] }),
    },
    {
      id: 'extra-index-environment',
      does: 'gets PIP_EXTRA_INDEX_URL into the environment',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({ env: { PIP_EXTRA_INDEX_URL: simpleOf(scene) } }),
    },
    {
      id: 'extra-index-pip-conf',
      does: 'gets an extra index into pip.conf',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({
        files: { 'pip.conf': `[global]\nextra-index-url = ${simpleOf(scene)}\n` },
        env: { PIP_CONFIG_FILE: 'pip.conf' },
      }),
      beyondProxy: DOCTOR,
    },
    {
      id: 'missing-name-elsewhere',
      does: 'registers a name that the index does not have, at an extra index',
      expected: rejected('absent'),
      wanted: 'ghost',
      attack: nothing,
      call: (scene): Call => ({ args: ['--extra-index-url', simpleOf(scene)] }),
    },
    {
      id: 'other-index',
      does: 'gets an --index-url of his into the command',
      expected: rejected('other host'),
      attack: nothing,
      call: (scene): Call => ({ args: ['--index-url', simpleOf(scene)] }),
    },
    {
      id: 'other-index-environment',
      does: 'gets PIP_INDEX_URL into the environment',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({ env: { PIP_INDEX_URL: simpleOf(scene) } }),
      beyondProxy: DOCTOR,
    },
    {
      id: 'requirements-extra-index',
      does: 'writes an extra index into a file of requirements',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({
        files: { 'requirements.txt': `--extra-index-url ${simpleOf(scene)}\nwheely\n` },
        args: ['-r', 'requirements.txt'],
        isNamed: false,
      }),
    },
    {
      id: 'direct-url',
      does: 'gets a direct URL into the requirements',
      expected: rejected('other host'),
      attack: nothing,
      call: (scene): Call => ({ args: [`wheely @ ${scene.strangerUrl}${WHEEL_9}`], isNamed: false }),
    },
    {
      id: 'direct-url-of-host',
      does: 'gets a direct URL to another path of the trusted host into the requirements',
      expected: rejected('other host'),
      attack: (scene, { evil }) => void scene.files.set(`elsewhere/${evil.filename}`, evil.bytes),
      call: (scene): Call => ({
        args: [`wheely @ ${scene.url}elsewhere/wheely-2.0-py3-none-any.whl`],
        isNamed: false,
      }),
    },
    {
      id: 'find-links',
      does: 'puts a wheel on the disk and --find-links into the command',
      expected: rejected('not started'),
      attack: nothing,
      call: (_, { evil }): Call => ({ files: { [evil.filename]: evil.bytes }, args: ['--find-links', '.'] }),
      beyondProxy: DOCTOR,
    },
    {
      id: 'find-links-environment',
      does: 'puts a wheel on the disk and PIP_FIND_LINKS into the environment',
      expected: noEffect,
      attack: nothing,
      call: (_, { evil }): Call => ({
        files: { [evil.filename.replace('2.0', '9.0')]: evil.bytes },
        env: { PIP_FIND_LINKS: '.' },
      }),
      beyondProxy: DOCTOR,
    },
    {
      id: 'find-links-remote',
      does: 'gets --find-links with a page of his into the command',
      expected: noEffect,
      attack: nothing,
      call: (scene): Call => ({ args: ['--find-links', `${simpleOf(scene)}wheely/`] }),
    },
    {
      id: 'requirements-find-links',
      does: 'writes --find-links into a file of requirements',
      expected: rejected('not started'),
      attack: nothing,
      call: (_, { evil }): Call => ({
        files: { [evil.filename]: evil.bytes, 'requirements.txt': '--find-links .\nwheely\n' },
        args: ['-r', 'requirements.txt'],
        isNamed: false,
      }),
      beyondProxy: DOCTOR,
    },
    {
      id: 'own-proxy',
      does: 'gets --proxy with a proxy of his into the command',
      expected: rejected('not started'),
      attack: nothing,
      call: (scene): Call => ({ args: ['--proxy', new URL(scene.strangerUrl).origin] }),
      beyondProxy:
        'the proxy of pip leads to the address on this machine, which it does not reach; `rind doctor` names it',
    },
    {
      id: 'no-proxy',
      does: 'switches proxies off in the environment (NO_PROXY=*), with the wheel changed on the mirror',
      expected: rejected('tampered'),
      attack: (scene, { evil }) => scene.change(/^packages\/wheely\/wheely-2.*whl$/, () => evil.bytes),
      call: (): Call => ({ env: { NO_PROXY: '*', no_proxy: '*' } }),
    },
    {
      id: 'trusted-host',
      does: 'gets --trusted-host into the command, with the wheel changed on the mirror',
      expected: rejected('tampered'),
      attack: (scene, { evil }) => scene.change(/^packages\/wheely\/wheely-2.*whl$/, () => evil.bytes),
      call: (): Call => ({ args: ['--trusted-host', '127.0.0.1'] }),
    },
    {
      id: 'bad-hashes-required',
      does: 'writes the hash of his own wheel into a file of requirements, and gives that wheel',
      expected: rejected('tampered'),
      attack: (scene, { evil }) => scene.change(/^packages\/wheely\/wheely-2.*whl$/, () => evil.bytes),
      call: (_, { evilHash }): Call => ({
        files: { 'requirements.txt': `wheely==2.0 --hash=sha256:${evilHash}\n` },
        args: ['--no-deps', '-r', 'requirements.txt'],
        isNamed: false,
      }),
    },
  ],
};

export const machineSections: readonly AttackSection[] = [arguments_];

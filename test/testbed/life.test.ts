import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { TestBed } from './bed.js'
import { bedsFolder } from './cache.js'
import { describeOnBed } from './describe-on-bed.js'
import { processTable } from './processes.js'

/** Processes, wherever they are, that belong to a bed: by a namespace of its holders, or by naming its folder. */
const processesOf = async (namespaces: readonly string[], folder: string) => {
  const table = await processTable()
  const found = await Promise.all(
    table.map(async ({ pid, state }) => {
      const own = await Promise.all(['pid', 'net', 'mnt'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')))
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return state !== 'Z' && (own.some((namespace) => namespaces.includes(namespace)) || command.includes(folder)) ? [pid] : []
    }),
  )
  return found.flat()
}

/** The namespaces of some processes that are not this process's own. */
const foreignNamespaces = async (pids: readonly number[]) => {
  const namespacesOf = (pid: number) => Promise.all(['pid', 'net', 'mnt'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`)))
  const own = await namespacesOf(process.pid)
  const theirs = await Promise.all(pids.map(namespacesOf))
  return [...new Set(theirs.flat().filter((namespace) => !own.includes(namespace)))]
}

const hostState = async () => ({
  interfaces: (await readdir('/sys/class/net')).sort(),
  mounts: (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes('guix-offload')),
})

describeOnBed('a bed', () => {
  test('leaves nothing behind after down, and touches neither mounts nor network of the host while up', async () => {
    const before = await hostState()
    const bed = await TestBed.up({ name: 'gone' })
    const machine = await bed.machine({ name: 'm', sshd: true })
    const namespaces = await foreignNamespaces([bed.holder.pid, machine.holder.pid])
    expect(namespaces).toHaveLength(5)
    expect(await processesOf(namespaces, bed.folder)).not.toEqual([])
    expect(await hostState()).toEqual(before)
    await bed.down()
    expect(await processesOf(namespaces, bed.folder)).toEqual([])
    expect(await readdir(bedsFolder())).not.toContain(basename(bed.folder))
    expect(await hostState()).toEqual(before)
  })

  test('vanishes with its owner, even one that is killed; the next bed removes its folder', async () => {
    const before = await hostState()
    const program = fileURLToPath(new URL('fixture-owner.ts', import.meta.url))
    const owner = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(owner.stdout.setEncoding('utf8'), 'data')) as [string]
    const { folder, pids } = JSON.parse(line) as { folder: string; pids: number[] }
    const namespaces = await foreignNamespaces(pids)
    expect((await processesOf(namespaces, folder)).length).toBeGreaterThan(pids.length)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await expect.poll(() => processesOf(namespaces, folder), { timeout: 20_000 }).toEqual([])
    expect(await hostState()).toEqual(before)
    expect(await readdir(bedsFolder())).toContain(basename(folder))
    await using next = await TestBed.up({ name: 'next' })
    const left = await readdir(bedsFolder())
    expect(left).not.toContain(basename(folder))
    expect(left).toContain(basename(next.folder))
  })

  test('does not meet another one, with the same names and addresses', async () => {
    await using one = await TestBed.up({ name: 'same' })
    await using two = await TestBed.up({ name: 'same' })
    const [first, second] = await Promise.all([one.machine({ name: 'm', sshd: true }), two.machine({ name: 'm', daemon: 'none' })])
    expect(first.address).toBe(second.address)
    await expect(second.run(['socat', '-u', `TCP:${first.address}:22`, '-'], { timeoutMs: 5000 })).rejects.toThrow('Connection refused')
  })

  test('has three machines up within a minute, whatever else the host does', async () => {
    const started = performance.now()
    await using bed = await TestBed.up({ name: 'quick' })
    await Promise.all(['a', 'b', 'c'].map((name) => bed.machine({ name, sshd: true })))
    expect(performance.now() - started).toBeLessThan(60_000)
  })

  test('refuses what cannot be', async () => {
    await using bed = await TestBed.up({ name: 'refuses' })
    await expect(bed.machine({ name: 'm', guix: '1.2.0', daemon: 'unprivileged' })).rejects.toThrow('only runs as root')
    expect(() => bed.machine({ name: 'm' })).toThrow('has a machine m already')
    await expect(bed.machine({ name: 'Not A Name' })).rejects.toThrow('Not a host name')
    await expect(bed.machine({ name: 'n', binds: [{ source: '/nonexistent/x', target: '/x' }] })).rejects.toThrow('/nonexistent/x')
  })
})

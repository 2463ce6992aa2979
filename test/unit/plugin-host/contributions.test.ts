import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/errors/offload-error.js'
import { PackageRegistrar } from '../../../src/plugin-host/package-registrar.js'
import { Contributions } from '../../../src/plugin-host/contributions.js'
import { pluginHost } from '../../support/plugin-host.js'
import type { PluginHost, SchedulingStrategy } from '../../../src/plugin-api/index.js'

const host: PluginHost = { ...pluginHost(), options: { a: 1 } }
const strategy = (name: string): SchedulingStrategy => ({ name, rank: () => [] })

function registrar(packageName: string, names: readonly string[]) {
  const made = new PackageRegistrar(packageName)
  for (const name of names) made.schedulingStrategy(name, () => strategy(name))
  return made
}

describe('contributions', () => {
  it('are sorted by name, whatever order the packages came in', () => {
    const all = [...registrar('z', ['m', 'a']).contributions, ...registrar('b', ['z', 'c']).contributions]
    expect(new Contributions(all).names('schedulingStrategy')).toEqual(['a', 'c', 'm', 'z'])
    expect(new Contributions(all).names('transport')).toEqual([])
  })

  it('calls a factory on first use only, and once, with the host', async () => {
    const seen: unknown[] = []
    const one = new PackageRegistrar('p')
    one.schedulingStrategy('x', async (given) => {
      seen.push(given.options)
      return strategy('x')
    })
    const contributions = new Contributions(one.contributions)
    expect(seen).toEqual([])
    const [first, second] = await Promise.all([contributions.make('schedulingStrategy', 'x', host), contributions.make('schedulingStrategy', 'x', host)])
    expect(first).toBe(second)
    expect(seen).toEqual([{ a: 1 }])
  })

  it('refuses a name that two packages take, naming both', () => {
    const all = [...registrar('@x/late', ['same']).contributions, ...registrar('@a/early', ['same']).contributions]
    expect(() => new Contributions(all)).toThrow(/'same' is brought by two packages, @a\/early and @x\/late/)
  })

  it('allows one name in two kinds', () => {
    const one = registrar('p', ['same'])
    one.transport('same', () => Promise.reject(new Error('not used')))
    expect(new Contributions(one.contributions).names('transport')).toEqual(['same'])
  })

  it('names what is missing, the nearest name, what there is and the plugin that failed', async () => {
    const contributions = new Contributions(registrar('p', ['guix', 'locality']).contributions, [{ package: '@x/broken', reason: 'boom' }])
    const failure = contributions.make('schedulingStrategy', 'localty', host)
    await expect(failure).rejects.toThrow(ConfigurationError)
    await expect(failure).rejects.toThrow(/'localty'.*Did you mean 'locality'\?.*guix, locality.*@x\/broken failed \(boom\)/)
    await expect(failure).rejects.toMatchObject({ code: 'unknown-scheduling-strategy' })
  })

  it('says which package a factory that fails belongs to', async () => {
    const one = new PackageRegistrar('@x/bad')
    one.transport('t', () => Promise.reject(new Error('no such library')))
    await expect(new Contributions(one.contributions).make('transport', 't', host)).rejects.toMatchObject({
      code: 'plugin-failed',
      message: expect.stringMatching(/@x\/bad: starting transport 't': no such library/) as string,
    })
  })

  it('lets the errors of the host through a factory unchanged', async () => {
    const one = new PackageRegistrar('@x/strict')
    const error = host.errors.configuration({ code: 'bad-option', step: 'reading options', problem: 'no' })
    one.transport('t', () => Promise.reject(error))
    await expect(new Contributions(one.contributions).make('transport', 't', host)).rejects.toBe(error)
  })
})

describe('a package registrar', () => {
  it('takes no second contribution of one name and kind', () => {
    expect(() => registrar('@x/twice', ['a', 'a'])).toThrow(/@x\/twice.*'a' is contributed twice/)
  })

  it('takes nothing after it is closed', () => {
    const one = registrar('@x/slow', [])
    one.close()
    expect(() => one.schedulingStrategy('late', () => strategy('late'))).toThrow(/@x\/slow.*'late' came after/)
  })

  it.each([[''], [undefined]])('refuses the name %j', (name) => {
    expect(() => new PackageRegistrar('p').schedulingStrategy(name as string, () => strategy('x'))).toThrow(/needs a name/)
  })

  it('refuses what is not a factory', () => {
    expect(() => new PackageRegistrar('p').schedulingStrategy('x', strategy('x') as never)).toThrow(/not a function/)
  })
})

/** Which of the machines heard are used, and why the others are not. */
import type { BuildMachine, FoundMachine } from 'guix-offload/plugin-api'
import { ownAddresses } from './addresses.js'
import { shown, type Advert } from './advert.js'
import { knownHostName } from './known-hosts.js'
import { readOffer, type Offer } from './offer.js'
import type { Options } from './options.js'
import { judge, type Pins } from './pins.js'

export const NAME = 'dns-sd'

export interface Sorted {
  readonly machines: readonly BuildMachine[]
  readonly found: readonly FoundMachine[]
}

/** @param now milliseconds since the epoch */
export function sortOut(adverts: readonly Advert[], pins: Pins, options: Options, now: number, own: ReadonlySet<string> = ownAddresses()): Sorted {
  const machines: BuildMachine[] = []
  const found: FoundMachine[] = []
  const ids = new Set<string>()
  const ownerOfKey = new Map<string, string>()
  // The first heard first: whoever comes later and claims to be the same is not believed.
  for (const advert of adverts) {
    const { host: name, port, heardAt, addresses: [address] } = advert
    const id = `${name}:${port}`
    const leave = (standing: FoundMachine['standing'], reason: string, more: Partial<FoundMachine> = {}): void => void found.push({ name, port, address, standing, reason, heardAt, ...more })
    if (advert.addresses.some((each) => own.has(each.replace(/%.*$/, '')))) {
      leave('unusable', 'it is this computer')
      continue
    }
    const offer = readOffer(advert.txt)
    if ('problem' in offer) {
      leave('unusable', offer.problem)
      continue
    }
    const judgement = judge({ name, port, hostKey: offer.hostKey, certificate: offer.certificate }, pins, now)
    if (!judgement.trusted) {
      const pin = judgement.key === undefined ? undefined : { file: pins.file, line: `${knownHostName(name, port)} ${judgement.key}` }
      leave('not-trusted', judgement.reason, { hostKey: judgement.key ?? offer.hostKey, pin })
      continue
    }
    const owner = ownerOfKey.get(judgement.key)
    if (ids.has(id)) leave('listed-already', `another machine that calls itself ${shown(name)} was there first`, { hostKey: judgement.key })
    else if (owner !== undefined && !judgement.boundToName) leave('not-trusted', `its host key is that of ${owner}`, { hostKey: judgement.key })
    else {
      ids.add(id)
      ownerOfKey.set(judgement.key, id)
      machines.push(...entries(advert, offer, judgement.key, options))
    }
  }
  return { machines, found }
}

/** Two entries where some systems are emulated: a machine with a native one is to be preferred for those. */
function entries({ host: name, port, addresses: [address], heardAt }: Advert, offer: Offer, hostKey: string, options: Options): BuildMachine[] {
  const machine: BuildMachine = {
    name, address, port, hostKey, heardAt,
    systems: offer.systems,
    user: offer.user ?? options.user,
    privateKey: options.privateKey,
    compression: offer.compression,
    compressionLevel: offer.level,
    daemonSocket: offer.socket,
    overloadThreshold: offer.threshold,
    parallelBuilds: offer.jobs,
    speed: offer.speed,
    features: offer.features,
    source: NAME,
  }
  const emulated = options.emulatedSpeed === 0 ? [] : offer.emulated.filter((system) => !offer.systems.includes(system))
  return [
    ...(offer.systems.length === 0 ? [] : [machine]),
    ...(emulated.length === 0 ? [] : [{ ...machine, systems: emulated, speed: offer.speed * options.emulatedSpeed, features: offer.features.filter((feature) => feature !== 'kvm') }]),
  ]
}

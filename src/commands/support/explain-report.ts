import type { BuildMachine, Probe } from '../../plugin-api/index.js'
import { wouldBeOffloaded, type Circumstance, type ExplainReport, type MachineFinding } from '../../offload/explain/report.js'
import { fitness } from '../../scheduling/verdict.js'
import { identity } from './machines-report.js'
import type { Style } from './style.js'

/** First whether it would be offloaded, then what the daemon would do, then every machine. */
export function explainLines(report: ExplainReport, style: Style): string[] {
  const { request, answer, circumstances, scheduler, machines } = report
  const hook = circumstances.some(({ blocks }) => blocks) ? 'If the hook were asked, it would answer' : 'The hook answers'
  const features = request.features.length === 0 ? '' : ` that requires ${request.features.join(', ')}`
  const blocked = circumstances.filter(({ blocks }) => blocks)
  const head = wouldBeOffloaded(report)
    ? style.good(`It would be offloaded to ${answer.machine?.name ?? 'a machine'} now`)
    : style.bad(blocked.length > 0 && answer.reply === 'accept' ? 'It would not be offloaded, though a machine would take it' : 'It would not be offloaded now')
  return [
    `${style.strong(request.derivation === '' ? 'A derivation' : request.derivation)} for ${request.system}${features}`,
    head,
    ...circumstances.map((circumstance) => circumstanceLine(circumstance, style)),
    `  ${hook} "# ${answer.reply}": ${answer.reason}`,
    ...(machines.length === 0 ? [] : [`Machines, judged as the hook judges them (order: ${scheduler})`]),
    ...machines.map((finding) => machineLine(finding, style)),
  ]
}

/** Times in seconds, sizes in bytes; null: not known. */
export function explainJson(report: ExplainReport): unknown {
  const { request, answer, circumstances, scheduler, machines } = report
  return {
    derivation: request.derivation === '' ? null : request.derivation,
    system: request.system,
    features: request.features,
    wantsLocal: request.wantsLocal,
    offloaded: wouldBeOffloaded(report),
    answer: { reply: answer.reply, machine: answer.machine === undefined ? null : identity(answer.machine), reason: answer.reason },
    circumstances: circumstances.map(({ code, blocks, message, cure }) => ({ code, blocks, message, cure: cure ?? null })),
    scheduler,
    machines: machines.map(machineJson),
  }
}

function circumstanceLine({ blocks, message, cure }: Circumstance, style: Style): string {
  return `  ${blocks ? style.bad('because') : 'note'}: ${message}${cure === undefined ? '' : `. ${cure}`}`
}

function machineLine(finding: MachineFinding, style: Style): string {
  const { verdict: { machine, code, reason }, ranked } = finding
  const place = ranked === undefined ? ' -' : String(ranked.place).padStart(2)
  const word = code === 'chosen' ? style.good(code) : code === 'not-needed' ? 'fit' : style.bad(code)
  return `  ${place} ${style.strong(`${machine.name}:${machine.port}`)}: ${word}: ${reason}${holders(finding)}${besides(finding)}`
}

function holders({ verdict: { code }, slots }: MachineFinding): string {
  if (code !== 'slots-taken' || slots === undefined || slots.holders.length === 0) return ''
  return ` by process${slots.holders.length === 1 ? '' : 'es'} ${slots.holders.join(', ')}`
}

/** What asking came to where the verdict stood before that. */
function besides({ verdict: { code }, ranked, asked }: MachineFinding): string {
  if (asked === undefined || ranked !== undefined || code === 'unsuited') return ''
  return 'probe' in asked ? ` (it answers now: ${fitness(asked.probe)})` : ` (asked now: ${asked.objection.reason})`
}

function machineJson({ verdict, ranked, asked, slots }: MachineFinding) {
  const probe = asked !== undefined && 'probe' in asked ? asked.probe : verdict.probe
  const objection = asked !== undefined && 'objection' in asked ? asked.objection : undefined
  return {
    ...identity(verdict.machine),
    verdict: verdict.code,
    reason: verdict.reason,
    rank: ranked === undefined ? null : { place: ranked.place, score: ranked.score, reason: ranked.reason },
    slots: slots === undefined ? null : { total: slots.total, taken: slots.taken, holders: slots.holders },
    asked: asked === undefined ? null : { verdict: objection?.code ?? 'fit', reason: objection?.reason ?? null, seconds: asked.milliseconds / 1000, probe: probeJson(probe ?? objection?.probe, verdict.machine) },
  }
}

function probeJson(probe: Probe | undefined, { overloadThreshold }: BuildMachine) {
  return probe === undefined ? null : {
    load: probe.load, cores: probe.cores, normalizedLoad: probe.normalizedLoad, overloadThreshold, freeBytes: probe.freeBytes, pressure: probe.pressure ?? null,
  }
}

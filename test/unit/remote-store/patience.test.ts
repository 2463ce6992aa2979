import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Patience } from '../../../src/remote-store/patience.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('Patience', () => {
  const patient = (limitMs?: number) => {
    const ended = vi.fn()
    return { ended, patience: new Patience(limitMs, ended) }
  }

  it('ends when nothing happens, from the beginning', () => {
    const { ended } = patient(100)
    vi.advanceTimersByTime(99)
    expect(ended).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(ended).toHaveBeenCalledExactlyOnceWith(100)
  })

  it('is renewed by whatever happens', () => {
    const { ended, patience } = patient(100)
    for (let turn = 0; turn < 10; turn += 1) {
      vi.advanceTimersByTime(99)
      patience.renew()
    }
    expect(ended).not.toHaveBeenCalled()
    vi.advanceTimersByTime(100)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('does not count what we do ourselves, even if something happens meanwhile', async () => {
    const { ended, patience } = patient(100)
    let done: () => void = () => undefined
    const work = patience.while(new Promise<void>((resolve) => (done = resolve)))
    vi.advanceTimersByTime(500)
    patience.renew()
    vi.advanceTimersByTime(500)
    expect(ended).not.toHaveBeenCalled()
    done()
    await work
    vi.advanceTimersByTime(100)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('can be suspended, until something happens', () => {
    const { ended, patience } = patient(100)
    patience.suspend()
    vi.advanceTimersByTime(1000)
    expect(ended).not.toHaveBeenCalled()
    patience.renew()
    vi.advanceTimersByTime(100)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('never ends without a limit, nor after its end', () => {
    const endless = patient()
    const over = patient(100)
    over.patience.end()
    over.patience.renew()
    vi.advanceTimersByTime(1000)
    expect(endless.ended).not.toHaveBeenCalled()
    expect(over.ended).not.toHaveBeenCalled()
  })
})

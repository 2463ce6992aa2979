import { expect, it } from 'vitest'
import { SendBudget, type Spender } from '../../../plugins/transport-lsh/src/send-budget.js'

const spender = (events: string[], name: string): Spender => ({
  resume: () => void events.push(`${name} resumes`),
  account: () => void events.push(`${name} accounts`),
})

it('gives no more than there is, asks all where they stand when it is spent, and wakes them when some comes back', () => {
  const events: string[] = []
  const budget = new SendBudget(100)
  const one = spender(events, 'one')
  budget.join(one)
  budget.join(spender(events, 'two'))
  expect(budget.take(70)).toBe(70)
  expect(budget.take(70)).toBe(30)
  expect(events).toEqual([])
  expect(budget.take(1)).toBe(0)
  expect(budget.take(1)).toBe(0)
  expect(events).toEqual(['one accounts', 'two accounts'])
  budget.leave(one, 30)
  expect(events.slice(2)).toEqual(['two resumes'])
  expect(budget.take(70)).toBe(30)
})

it('wakes nobody who does not wait', () => {
  const events: string[] = []
  const budget = new SendBudget(100)
  budget.join(spender(events, 'one'))
  budget.take(50)
  budget.giveBack(50)
  expect(events).toEqual([])
})

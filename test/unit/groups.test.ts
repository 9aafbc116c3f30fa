import { expect, it } from 'vitest'
import { Groups } from '#internal/core/groups'

it('targets are counted by each value of each label, those with the most trouble first', () => {
  const groups = new Groups({ labels: 8, values: 200 })
  groups.add({ job: 'web', env: 'prod' }, 'up')
  groups.add({ job: 'db', env: 'prod' }, 'down')
  groups.add({ job: 'db' }, 'unknown')
  groups.add(undefined, 'up')
  expect(groups.tell()).toEqual([
    {
      label: 'job',
      values: [
        { value: 'db', up: 0, down: 1, unknown: 1 },
        { value: '', up: 1, down: 0, unknown: 0 },
        { value: 'web', up: 1, down: 0, unknown: 0 },
      ],
    },
    {
      label: 'env',
      values: [
        { value: 'prod', up: 1, down: 1, unknown: 0 },
        { value: '', up: 1, down: 0, unknown: 1 },
      ],
    },
  ])
})

it('a label of too many values groups nothing, and labels beyond the bound are left out', () => {
  const groups = new Groups({ labels: 2, values: 3 })
  for (let i = 0; i < 10; i++) groups.add({ instance: `i${i}`, job: 'a', more: 'b' }, 'up')
  expect(groups.tell()).toEqual([{ label: 'job', values: [{ value: 'a', up: 10, down: 0, unknown: 0 }] }])
})

it('labels that are called as members of every object are labels like others', () => {
  const groups = new Groups({ labels: 8, values: 8 })
  groups.add(JSON.parse('{"__proto__":"a","constructor":"b"}'), 'up')
  expect(groups.tell().map(({ label }) => label)).toEqual(['__proto__', 'constructor'])
})

import { describe, expect, it } from 'vitest'
import * as limits from '../../src/core/limits.js'
import { NameServers } from '../../src/core/name-servers.js'

const written = (servers: NameServers, now: number) =>
  servers.order(now).map(({ server, onTrial }) => (onTrial ? `${server}?` : server))

describe('name servers', () => {
  it('are asked in their order while they answer', () => {
    const servers = new NameServers(['a', 'b', 'c'])
    expect(written(servers, 0)).toEqual(['a', 'b', 'c'])
    servers.answered('b', 10)
    expect(written(servers, 20)).toEqual(['a', 'b', 'c'])
  })

  it('that are silent come last, and only briefly, until one question tries them again', () => {
    const servers = new NameServers(['a', 'b'])
    servers.silent('a', 0, 2_000)
    expect(written(servers, 2_000)).toEqual(['b', 'a?'])
    const later = 2_000 + limits.serverDownMs
    expect(written(servers, later - 1)).toEqual(['b', 'a?'])
    expect(written(servers, later)).toEqual(['a?', 'b'])
    expect(written(servers, later)).toEqual(['b', 'a?'])
    expect(written(servers, later + limits.serverDownMs)).toEqual(['a?', 'b'])
    servers.answered('a', later + limits.serverDownMs)
    expect(written(servers, later + limits.serverDownMs)).toEqual(['a', 'b'])
  })

  it('get their full time where none answers', () => {
    const servers = new NameServers(['a', 'b'])
    servers.silent('a', 0, 10)
    servers.silent('b', 10, 20)
    expect(written(servers, 20)).toEqual(['a', 'b'])
    const alone = new NameServers(['a'])
    alone.silent('a', 0, 10)
    expect(written(alone, 20)).toEqual(['a'])
  })

  it('are not down where they answered another question meanwhile', () => {
    const servers = new NameServers(['a', 'b'])
    servers.answered('a', 5)
    servers.silent('a', 0, 10)
    expect(written(servers, 10)).toEqual(['a', 'b'])
    servers.silent('a', 6, 20)
    expect(written(servers, 20)).toEqual(['b', 'a?'])
  })

  it('after all that answer are not tried before them', () => {
    const servers = new NameServers(['a', 'b'])
    servers.silent('b', 0, 10)
    expect(written(servers, 10 + limits.serverDownMs)).toEqual(['a', 'b?'])
  })

  it('take turns where they rotate', () => {
    const servers = new NameServers(['a', 'b', 'c'], true)
    expect([0, 1, 2, 3].map((now) => written(servers, now).join(''))).toEqual(['abc', 'bca', 'cab', 'abc'])
  })
})

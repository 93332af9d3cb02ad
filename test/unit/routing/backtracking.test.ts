import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backtrackingWarning, explosivePart } from '../../../lib/routing/backtracking.ts'

for (const [pattern, part] of [
  [/(a+)+$/, '(a+)+'],
  [/(a|aa)+$/, '(a|aa)+'],
  [/^\/wiki\/(?:[a-z]+)*\.php$/, '(?:[a-z]+)*'],
  [/^(\w+\s?)*$/, '(\\w+\\s?)*'],
  [/^(?:\/?[^/]+)*\.php$/i, '(?:\\/?[^/]+)*'],
  [/(.*)*x/s, '(.*)*'],
  [/^(?:(?:a+)+|c)?!$/, '(?:a+)+'],
  [/x|((a+)+|c)b|d/, '(a+)+'],
  [/(?<n>a*)*$/u, '(?<n>a*)*'],
  [/(?:a|a)*?b/, '(?:a|a)*?'],
  [/(a+){10}x/, '(a+){10}'],
  [/((a)\2?)*b/, '((a)\\2?)*'],
] as const) {
  test(`finds ${part} in ${pattern}`, () => assert.equal(explosivePart(pattern), part))
}

for (const pattern of [
  /\.php(?:\/|$)/,
  /^(?:\/[a-z]+)+\.php$/,
  /^(?:[^/]+\/)*[^/]+\.php$/,
  /^\/blog(?:\/.*)*/,
  /^(?!\/(?:up|down)+\/).*\.php$/,
  /(?:%[0-9a-f]{2}|[^%])*x/i,
  /^(?:(?:\d{1,3}\.){3}\d{1,3})+$/,
  /[(a+)+]$/,
  /\(a+\)+$/,
  /(a+)+/,
  /(x)(?:(?:\1a)+)*y/u,
]) {
  test(`lets ${pattern} pass`, () => assert.equal(explosivePart(pattern), null))
}

test('warns of a location by name, with the pattern', () => {
  const warning = backtrackingWarning({ name: 'wiki', match: ['/a{/*b}', /\.php$/, /(a+)+$/] }) ?? ''
  assert.ok(warning.includes('"wiki"') && warning.includes('(a+)+ of the pattern /(a+)+$/'), warning)
})

test('says nothing of routes and of patterns that have one way to match', () => {
  assert.equal(backtrackingWarning({ name: 'php', match: ['/wiki{/*page}', /\.php(?:\/|$)/] }), null)
})

// Where the gateway's time goes: `node --import tsx bench/profile-summary.ts FILE.cpuprofile [COUNT]`, made by `--cpu-prof`.
import { selfTimes } from './profile.ts'

const [file, count = '25'] = process.argv.slice(2)
if (file === undefined)
  throw new Error('Which profile? node --import tsx bench/profile-summary.ts FILE.cpuprofile [COUNT]')

const times = selfTimes(file)
const rooms = new Map<string, number>()
for (const { place, share } of times) {
  const room = /^(dist\/[^/:]+|node_modules\/[^/]+|bench|node:[^:]*)/.exec(place)?.[1] ?? '(engine)'
  rooms.set(room, (rooms.get(room) ?? 0) + share)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`.padStart(8)
}

console.log('Self time of functions, without idle time:\n')
for (const { name, place, share } of times.slice(0, Number(count))) {
  console.log(`${percent(share)}  ${name.padEnd(36)} ${place}`)
}
console.log('\nOf rooms:\n')
for (const [room, share] of [...rooms].sort((left, right) => right[1] - left[1]).slice(0, 20)) {
  console.log(`${percent(share)}  ${room}`)
}

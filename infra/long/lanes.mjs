/** @typedef {import('./campaign.mjs').Campaign} Campaign */

/** How many campaigns run at a time that take one core each. */
export const lanes = 2

/**
 * Campaigns that take one core, in as many lanes, and then those that need the machine to themselves.
 *
 * @param {readonly Campaign[]} campaigns
 * @param {(campaign: Campaign) => Promise<void>} run
 */
export async function runInLanes(campaigns, run) {
  const queue = campaigns.filter(({ alone }) => !alone)
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  for (const campaign of campaigns.filter(({ alone }) => alone)) await run(campaign)
}

/**
 * How long these take at most, in minutes.
 *
 * @param {readonly Campaign[]} campaigns
 */
export function minutesAtMost(campaigns) {
  const busyUntil = Array.from({ length: lanes }, () => 0)
  let alone = 0
  for (const campaign of campaigns) {
    if (campaign.alone) alone += campaign.limitMinutes
    else {
      const first = busyUntil.indexOf(Math.min(...busyUntil))
      busyUntil[first] = (busyUntil[first] ?? 0) + campaign.limitMinutes
    }
  }
  return Math.max(...busyUntil) + alone
}

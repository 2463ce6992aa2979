import { describe, expect, it } from 'vitest'
import * as messages from '../../../src/offload/messages.js'

const drv = '/gnu/store/ywmqg5rmdqqgfmzpkjlzkavz2qnj5cp6-hello-2.12.1.drv'
const MiB = 2 ** 20

// The wording is that of Guix 1.5.0, as printed during offloads.
describe('the messages of stock', () => {
  it.each([
    [messages.normalizedLoad('b1', 0.1), "normalized load on machine 'b1' is 0.10"],
    [messages.normalizedLoad('b1', 1), "normalized load on machine 'b1' is 1.00"],
    [messages.slotAcquired(42, '/var/guix/offload/b1:22/0'), "process 42 acquired build slot '/var/guix/offload/b1:22/0'"],
    [messages.lowDiskSpace('b1', 57.4 * MiB), "skipping machine 'b1' because it is low on disk space (57 MiB free)"],
    [messages.lowDiskSpace('b1', 1023), "skipping machine 'b1' because it is low on disk space (1023 bytes free)"],
    [messages.lowDiskSpace('b1', 0), "skipping machine 'b1' because it is low on disk space (0 bytes free)"],
    [messages.lowDiskSpace('b1', MiB), "skipping machine 'b1' because it is low on disk space (1024 KiB free)"],
    [messages.sendingItems(1, 0.5 * MiB, 'b1'), "guix offload: sending 1 store item (0 MiB) to 'b1'..."],
    [messages.sendingItems(3, 1.5 * MiB, 'b1'), "guix offload: sending 3 store items (2 MiB) to 'b1'..."],
    [messages.sendingItems(0, 12.6 * MiB, 'b1'), "guix offload: sending 0 store items (13 MiB) to 'b1'..."],
    [messages.offloading(drv, 'b1'), `offloading '${drv}' to 'b1'...`],
    [messages.buildRemote(drv, 'b1'), `@ build-remote ${drv} b1`],
    [messages.offloadFailed(drv, 'b1', 'out of cheese'), `derivation '${drv}' offloaded to 'b1' failed: out of cheese`],
    [messages.failedForLackOfSpace('b1'), "build failure may have been caused by lack of free disk space on 'b1'"],
    [messages.retrievingItems(1, 'b1'), "retrieving 1 store item from 'b1'..."],
    [messages.retrievingItems(2, 'b1'), "retrieving 2 store items from 'b1'..."],
    [messages.doneOffloading(drv), `done with offloaded '${drv}'`],
  ])('%s', (message, expected) => {
    expect(message).toBe(expected)
  })
})

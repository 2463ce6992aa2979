import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Another program that wants a file's POSIX record lock (`fcntl` F_SETLK, as stock's hook does): tells whether it got it, and keeps it until released.
 * Perl packs the C structure by hand: type and whence (16 bits each, padded to 8 bytes), start, length (64 bits each), holder.
 */
const program = `
use Fcntl;
$| = 1;
open(my $file, '+>>', $ARGV[0]) or die "open: $!";
my $lock = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0);
print fcntl($file, F_SETLK, $lock) ? "locked\\n" : "taken\\n";
<STDIN>;
`

export interface ForeignLock {
  readonly got: boolean
  readonly pid: number
  release(): Promise<void>
}

export async function foreignLock(file: string): Promise<ForeignLock> {
  const child = spawn('perl', ['-e', program, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [answer] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    got: answer.toString() === 'locked\n',
    pid: child.pid ?? 0,
    async release() {
      const exited = once(child, 'exit')
      child.stdin.end()
      await exited
    },
  }
}

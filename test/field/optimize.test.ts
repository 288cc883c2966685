import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';

// optimize.sh over a tree that stands for a machine: /proc/sys is a folder of files there, everything else is as it is. Last,
// over the real kernel, in network and mount namespaces of its own.

const SCRIPT = path.join(ROOT, 'scripts/optimize.sh');
const FILE = path.join(ROOT, 'config/performance/sysctl.conf');

/** What a plain Debian has. */
const KERNEL: Readonly<Record<string, string>> = {
  'net.core.somaxconn': '4096',
  'net.ipv4.tcp_max_syn_backlog': '1024',
  'net.core.netdev_max_backlog': '1000',
  'net.core.rmem_max': '212992',
  'net.core.wmem_max': '212992',
  'net.ipv4.tcp_rmem': '4096\t131072\t6291456',
  'net.ipv4.tcp_wmem': '4096\t16384\t4194304',
  'net.ipv4.tcp_notsent_lowat': '4294967295',
  'net.ipv4.tcp_slow_start_after_idle': '1',
  'net.ipv4.tcp_mtu_probing': '0',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'net.ipv4.ip_local_reserved_ports': '',
  'net.ipv4.tcp_tw_reuse': '2',
  'net.ipv4.tcp_max_tw_buckets': '16384',
  'net.netfilter.nf_conntrack_max': '65536',
  'fs.file-max': '9223372036854775807',
  'fs.nr_open': '1048576',
  'net.core.default_qdisc': 'pfifo_fast',
  'net.ipv4.tcp_congestion_control': 'cubic',
  'net.ipv4.tcp_available_congestion_control': 'reno cubic bbr',
};

let root: string;
const at = (key: string): string => path.join(root, 'proc/sys', key.replaceAll('.', '/'));
const value = (key: string): string => readFileSync(at(key), 'utf8').trim();

function machine(memoryMib: number, over: Readonly<Record<string, string | null>> = {}): void {
  for (const [key, text] of Object.entries({ ...KERNEL, ...over })) {
    if (text === null) continue;
    mkdirSync(path.dirname(at(key)), { recursive: true });
    writeFileSync(at(key), `${text}\n`);
  }
  writeFileSync(path.join(root, 'proc/meminfo'), `MemTotal:       ${memoryMib * 1024} kB\nMemFree: 1 kB\n`);
}
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'aicdn-optimize-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function optimize(...args: string[]): { code: number | null; out: string; err: string } {
  const r = spawnSync(SCRIPT, [...args, '--root', root], {
    encoding: 'utf8',
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { code: r.status, out: r.stdout, err: r.stderr };
}
/** Every file and folder of the tree, with its content and mode. */
function tree(): Record<string, string> {
  const all: Record<string, string> = {};
  for (const e of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(e.parentPath, e.name);
    all[path.relative(root, file)] =
      `${(statSync(file).mode & 0o7777).toString(8)} ${e.isFile() ? readFileSync(file, 'utf8').trim().replace(/\s+/g, ' ') : 'dir'}`;
  }
  return all;
}
/** The shipped file as it is read by hand. */
const shipped = (): Record<string, string> =>
  Object.fromEntries(
    [...readFileSync(FILE, 'utf8').matchAll(/^([a-z0-9_.-]+) = (.+)$/gm)].map((m) => [
      m[1] ?? '',
      m[2] ?? '',
    ]),
  );

describe('values', () => {
  it('with 4 GiB they are those of the shipped file', () => {
    machine(4096, { 'fs.file-max': '400000' });
    expect(optimize('apply').code).toBe(0);
    expect(Object.fromEntries(Object.keys(shipped()).map((k) => [k, value(k)]))).toEqual(shipped());
  });

  it.each([
    [512, { rmem: 4_194_304, backlog: 16_384, conntrack: 65_536, buckets: 32_768 }],
    [1024, { rmem: 4_194_304, backlog: 16_384, conntrack: 65_536, buckets: 65_536 }],
    [8192, { rmem: 33_554_432, backlog: 131_072, conntrack: 524_288, buckets: 524_288 }],
    [65_536, { rmem: 67_108_864, backlog: 300_000, conntrack: 2_097_152, buckets: 1_048_576 }],
  ])('with %d MiB', (mib, want) => {
    machine(mib);
    optimize('apply');
    expect({
      rmem: Number(value('net.core.rmem_max')),
      backlog: Number(value('net.core.netdev_max_backlog')),
      conntrack: Number(value('net.netfilter.nf_conntrack_max')),
      buckets: Number(value('net.ipv4.tcp_max_tw_buckets')),
    }).toEqual(want);
    expect(value('net.ipv4.tcp_rmem').split(/\s+/)[2]).toBe(`${Math.max(want.rmem, 6_291_456)}`);
  });

  it('never lowers a limit, narrows a range or drops a reservation', () => {
    machine(4096, {
      'net.core.somaxconn': '131072',
      'net.ipv4.tcp_rmem': '8192 262144 1048576',
      'net.ipv4.ip_local_port_range': '1024 60000',
      'net.ipv4.ip_local_reserved_ports': '8080,9000-9100',
    });
    optimize('apply');
    expect(value('net.core.somaxconn')).toBe('131072');
    expect(value('net.ipv4.tcp_rmem')).toBe('8192 262144 16777216');
    expect(value('net.ipv4.ip_local_port_range')).toBe('1024 65535');
    expect(value('net.ipv4.ip_local_reserved_ports')).toBe('8080,9000-9100,50051');
    expect(value('fs.file-max')).toBe('9223372036854775807');
  });

  it('a port that is reserved by a range already is not named again', () => {
    machine(4096, { 'net.ipv4.ip_local_reserved_ports': '50000-50100' });
    expect(optimize('apply').out).toMatch(/kept +net.ipv4.ip_local_reserved_ports +50000-50100/);
  });

  it('says so where the kernel has no bbr, and leaves its queue alone; and where nothing tracks connections', () => {
    machine(4096, {
      'net.ipv4.tcp_available_congestion_control': 'reno cubic',
      'net.netfilter.nf_conntrack_max': null,
    });
    const { out, code } = optimize('apply');
    expect(code).toBe(0);
    expect(out).toMatch(/absent +net.ipv4.tcp_congestion_control +left alone: this kernel has no bbr/);
    expect(out).toMatch(/absent +net.core.default_qdisc +left alone/);
    expect(out).toMatch(/absent +net.netfilter.nf_conntrack_max +no connection tracking is loaded/);
    expect(out).toMatch(/14 applied, 2 kept, 0 refused, 3 absent/);
    expect([value('net.core.default_qdisc'), value('net.ipv4.tcp_congestion_control')]).toEqual([
      'pfifo_fast',
      'cubic',
    ]);
  });
});

describe('apply and undo', () => {
  it('dry-run and status change nothing', () => {
    machine(4096);
    const before = tree();
    const dry = optimize('dry-run');
    expect(dry.code).toBe(0);
    expect(dry.out).toMatch(/set +net.core.netdev_max_backlog +1000 -> 65536/);
    expect(optimize('status').code).toBe(1);
    expect(tree()).toEqual(before);
  });

  it('undo puts back exactly what was, files of others too', () => {
    machine(4096);
    mkdirSync(path.join(root, 'etc/sysctl.d'), { recursive: true });
    mkdirSync(path.join(root, 'var/lib'), { recursive: true });
    writeFileSync(path.join(root, 'etc/sysctl.d/90-ai-cdn.conf'), '# of somebody\n', { mode: 0o600 });
    mkdirSync(path.join(root, 'etc/security'), { recursive: true });
    const before = tree();
    expect(optimize('apply').code).toBe(0);
    expect(optimize('status').code).toBe(0);
    expect(readFileSync(path.join(root, 'etc/sysctl.d/90-ai-cdn.conf'), 'utf8')).toMatch(
      /^net.core.netdev_max_backlog = 65536$/m,
    );
    expect(tree()).not.toEqual(before);
    const undone = optimize('undo');
    expect([undone.code, undone.err]).toEqual([0, '']);
    expect(tree()).toEqual(before);
    expect(optimize('undo').out).toBe('nothing to undo\n');
  });

  it('a second apply changes nothing, and undo still knows what was before the first', () => {
    machine(4096);
    const before = tree();
    optimize('apply');
    const once = tree();
    const again = optimize('apply');
    expect(again.out).toMatch(/^0 applied, 19 kept, 0 refused, 0 absent$/m);
    expect(again.out).not.toContain('written');
    expect(tree()).toEqual(once);
    // Somebody changes one; it is set again, and still goes back to what it was first.
    writeFileSync(at('net.core.somaxconn'), '7\n');
    expect(optimize('status').out).toMatch(/differs +net.core.somaxconn +7, wanted 65535/);
    optimize('apply');
    optimize('undo');
    rmSync(path.join(root, 'etc'), { recursive: true, force: true });
    rmSync(path.join(root, 'var'), { recursive: true, force: true });
    expect(tree()).toEqual(before);
  });

  it('a key that is gone by the time of the undo keeps nothing else from going back', () => {
    machine(4096);
    optimize('apply');
    rmSync(at('net.netfilter.nf_conntrack_max'));
    const { code, out } = optimize('undo');
    expect([code, out]).toEqual([0, expect.stringMatching(/absent +net.netfilter.nf_conntrack_max/)]);
    expect(value('net.core.somaxconn')).toBe('4096');
  });
});

describe('the command line', () => {
  it.each([
    ['frobnicate'],
    ['apply', 'undo'],
    ['--root'],
    ['--root', '/nowhere'],
    ['$(touch /tmp/x)'],
    ['apply; id'],
  ])('%j is refused with 2', (...args) => {
    const r = spawnSync(SCRIPT, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    expect([r.status, r.stdout]).toEqual([2, '']);
    expect(r.stderr).toMatch(/^error: /);
  });

  it('without a verb: the plan, and with nobody to ask it ends there and says what to type; --yes goes on', () => {
    machine(4096);
    const before = tree();
    const asked = optimize();
    expect([asked.code, asked.err]).toEqual([
      2,
      expect.stringMatching(/nobody is here to say yes: .*optimize.sh apply, or --yes/),
    ]);
    expect(asked.out).toMatch(/set +net.core.somaxconn +4096 -> 65535/);
    expect(tree()).toEqual(before);
    expect(optimize('--yes').code).toBe(0);
    expect(value('net.core.somaxconn')).toBe('65535');
  });

  it('works from a copy of its folders and through a link, and says what is missing without them', () => {
    machine(4096);
    const away = mkdtempSync(path.join(tmpdir(), 'aicdn-optimize-away-'));
    try {
      cpSync(path.join(ROOT, 'scripts'), path.join(away, 'scripts'), { recursive: true });
      execFileSync('ln', ['-s', path.join(away, 'scripts/optimize.sh'), path.join(away, 'o')]);
      const run = () => spawnSync(path.join(away, 'o'), ['dry-run', '--root', root], { encoding: 'utf8' });
      expect(run().stderr).toMatch(/config\/performance\/sysctl.conf is not there/);
      cpSync(path.dirname(FILE), path.join(away, 'config/performance'), { recursive: true });
      expect([run().status, run().stderr]).toEqual([0, '']);
      expect(existsSync(path.join(root, 'etc'))).toBe(false);
    } finally {
      rmSync(away, { recursive: true, force: true });
    }
  });
});

it('limits.conf: whose, soft or hard, what, how many; nothing above what a process may be given', () => {
  const lines = readFileSync(path.join(path.dirname(FILE), 'limits.conf'), 'utf8')
    .split('\n')
    .filter((l) => l !== '' && !l.startsWith('#'));
  expect(lines.length).toBe(4);
  for (const line of lines) expect(line).toMatch(/^(\*|root) +(soft|hard) +nofile +1048576$/);
  expect(shipped()['fs.nr_open']).toBe('1048576');
});

/** Every key of the plan, as this machine's kernel has it now. */
function kernelNow(): Record<string, string | null> {
  const read = (key: string): string | null => {
    const file = `/proc/sys/${key.replaceAll('.', '/')}`;
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  return Object.fromEntries(Object.keys(shipped()).map((k) => [k, read(k)]));
}

describe('the real kernel', () => {
  // What is not the namespace's own is covered by files; one of them is read-only: the kernel refuses.
  const IN_NAMESPACES = `
set -eu
cover() { # KEY MODE
  file=/proc/sys/$(echo "$1" | tr . /)
  [ -f "$file" ] || return 0
  cat "$file" >"$DIR/$1"
  mount --bind "$DIR/$1" "$file"
  [ "$2" = rw ] || mount -o remount,bind,ro "$file"
}
mount --make-rprivate /
cover fs.file-max rw
echo 1000 >"$DIR/nr"; mount --bind "$DIR/nr" /proc/sys/fs/nr_open; mount -o remount,bind,ro /proc/sys/fs/nr_open
cover net.netfilter.nf_conntrack_max rw
for d in /etc/sysctl.d /etc/security/limits.d /etc/modules-load.d; do mkdir -p "$DIR$d"; done
mkdir -p "$DIR/lib"
for d in /etc/sysctl.d /etc/security/limits.d /etc/modules-load.d; do [ ! -d $d ] || mount --bind "$DIR$d" $d; done
mount --bind "$DIR/lib" /var/lib
all() { for k in $KEYS; do f=/proc/sys/$(echo $k | tr . /); [ ! -f $f ] || echo "$k=$(tr -s '\t ' '  ' <$f)"; done; }
all >"$DIR/before"
"$SCRIPT" apply >"$DIR/applied" 2>&1 || echo "exit $?" >>"$DIR/applied"
all >"$DIR/after"
"$SCRIPT" status >"$DIR/status" 2>&1 || echo "exit $?" >>"$DIR/status"
cp /etc/sysctl.d/90-ai-cdn.conf "$DIR/drop-in"
sysctl -p "$DIR/drop-in" >"$DIR/sysctl" 2>&1 || true
"$SCRIPT" undo >"$DIR/undone" 2>&1 || echo "exit $?" >>"$DIR/undone"
all >"$DIR/restored"
ls /etc/sysctl.d /etc/security/limits.d /var/lib >"$DIR/left"
`;

  it('takes, refuses and gives back; this machine is untouched', () => {
    const machineBefore = kernelNow();
    execFileSync('unshare', ['--net', '--mount', 'bash', '-c', IN_NAMESPACES], {
      env: { ...process.env, DIR: root, SCRIPT, KEYS: Object.keys(shipped()).join(' ') },
    });
    const text = (name: string): string => readFileSync(path.join(root, name), 'utf8');
    const values = (name: string): Record<string, string> =>
      Object.fromEntries(
        text(name)
          .trim()
          .split('\n')
          .map((l) =>
            l
              .split(/=(.*)/s)
              .slice(0, 2)
              .map((t) => t.trim()),
          ),
      );
    const [before, after] = [values('before'), values('after')];
    // What the namespace owns was really set, by its own kernel's word.
    expect(after).toMatchObject({
      'net.core.somaxconn': '65535',
      'net.ipv4.tcp_slow_start_after_idle': '0',
      'net.ipv4.tcp_mtu_probing': '1',
      'net.ipv4.ip_local_port_range': '10240 65535',
      'net.ipv4.ip_local_reserved_ports': '50051',
    });
    expect(before['net.core.somaxconn']).not.toBe('65535');
    // This one the machine (as far as it looks) does not give.
    expect(text('applied')).toMatch(/refused +fs.nr_open +wanted 1048576, the kernel has 1000/);
    expect(text('applied')).toMatch(/absent +net.core.netdev_max_backlog/);
    expect(text('applied')).toMatch(/^exit 1$/m);
    expect(text('status')).toMatch(/holds +net.core.somaxconn +65535/);
    expect(text('status')).toMatch(/differs +fs.nr_open +1000, wanted 1048576/);
    // The drop-in is read by the program that reads it at a start, each key of it.
    expect(text('drop-in')).toMatch(/^net.core.somaxconn = 65535$/m);
    expect(text('sysctl')).toMatch(/^net.core.somaxconn = 65535$/m);
    expect(text('sysctl')).not.toMatch(/syntax|malformed|unknown/i);
    expect(text('undone')).not.toContain('exit');
    expect(values('restored')).toEqual(before);
    expect(text('left')).not.toContain('ai-cdn');
    expect(kernelNow()).toEqual(machineBefore);
    expect(existsSync('/etc/sysctl.d/90-ai-cdn.conf')).toBe(false);
  });
});

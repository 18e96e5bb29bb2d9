//! Checks a file of 1 GiB, and has `sha256sum` read the same file, in turn; prints the times and the peak of memory.
//!
//! `cargo bench -p orchestrate-rdb --bench scan`. `RDB_BENCH_MIB` and `RDB_BENCH_RUNS` change size and number of runs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crc_fast::{CrcAlgorithm, Digest};
use orchestrate_rdb::{Checksum, Options, Tally, scan};

#[path = "../tests/it/write.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod write;

use write::{length, many, string};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, file] = &arguments[..]
        && flag == "--scan"
    {
        return check(Path::new(file));
    }
    let number = |name: &str, or| {
        std::env::var(name).ok().map_or(or, |text| text.parse().expect("a number"))
    };
    let size = number("RDB_BENCH_MIB", 1024) << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump.rdb");
    let keys = generate(&file, size).expect("room for the file");
    println!(
        "{} bytes, {keys} keys of every size and type",
        file.metadata().expect("a file").len()
    );
    let ours = || {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("--scan").arg(&file);
        command
    };
    let theirs = || {
        let mut command = Command::new("sha256sum");
        command.arg(&file);
        command
    };
    // Once each, not counted: the file is in the system's cache from then on.
    timed(theirs());
    timed(ours());
    let (mut scans, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..number("RDB_BENCH_RUNS", 5) {
        let (sum, _) = timed(theirs());
        let (scan, said) = timed(ours());
        println!("scan {scan:.2?}, sha256sum {sum:.2?}; {}", said.trim());
        scans.push(scan);
        sums.push(sum);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (scan, sum) = (median(scans), median(sums));
    println!("medians: scan {scan:.2?}, sha256sum {sum:.2?}");
}

fn timed(mut command: Command) -> (Duration, String) {
    let began = Instant::now();
    let output = command.output().expect("the program starts");
    let took = began.elapsed();
    assert!(output.status.success(), "{command:?}: {output:?}");
    (took, String::from_utf8(output.stdout).expect("text"))
}

fn check(file: &Path) {
    let mut tally = Tally::new(10, Some(1_700_000_000_000));
    let reader = File::open(file).expect("the file");
    scan(reader, Options::default(), |event| tally.see(event)).expect("a whole file");
    let summary = tally.done();
    assert_eq!(summary.checksum, Some(Checksum::Fits));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak unknown");
    println!("{} keys, {peak}", summary.all.keys);
}

/// Sessions, counters, hashes, lists, sorted sets, packed and not, and now and then something of megabytes.
fn generate(path: &Path, size: u64) -> std::io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut sum = Digest::new(CrcAlgorithm::Crc64Redis);
    let mut written = 0;
    let mut put = |part: &[u8]| {
        sum.update(part);
        written += part.len() as u64;
        file.write_all(part).map(|()| written)
    };
    put(&write::File::new("REDIS0011").aux("redis-ver", "7.2.4").database(0).bytes)?;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let noise: Vec<u8> = (0..8 << 20).map(|_| random(256) as u8).collect();
    let mut keys = 0;
    loop {
        let key =
            format!("app:{}:{keys:010}", ["session", "user", "cart", "feed"][keys as usize % 4]);
        let mut bytes = |most: u64| {
            let length = random(most) as usize + 1;
            let from = random(noise.len() as u64 - most) as usize;
            string(&noise[from..from + length])
        };
        let (code, value) = match keys % 100 {
            0..40 => (0, bytes(400)),
            40..50 => (0, many(&[&[0xc2], &(keys as u32).to_le_bytes()])),
            50..70 => (16, bytes(500)),
            70..80 => (17, bytes(500)),
            80..90 => {
                (4, many(&[&length(8), &(0..16).flat_map(|_| bytes(40)).collect::<Vec<_>>()]))
            }
            90..95 => (18, many(&[&length(2), &length(2), &bytes(8000), &length(2), &bytes(8000)])),
            95..99 => {
                let member = |_| [bytes(30), vec![7; 8]].concat();
                (5, many(&[&length(200), &(0..200).flat_map(member).collect::<Vec<_>>()]))
            }
            _ if keys % 10_000 == 99 => (0, bytes(4 << 20)),
            _ => (0, bytes(20_000)),
        };
        let entry = write::File { bytes: Vec::new() };
        let entry =
            if keys % 3 == 0 { entry.expiring(1_900_000_000_000 + keys as i64) } else { entry };
        keys += 1;
        if put(&entry.key(code, key.as_bytes(), &value).bytes)? >= size {
            break;
        }
    }
    put(&[255])?;
    let sum = sum.finalize();
    file.write_all(&sum.to_le_bytes())?;
    file.into_inner()?.sync_all()?;
    Ok(keys)
}

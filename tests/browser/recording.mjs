// What `peerline peer` has recorded: WAV and IVF files, read by what their formats say, not by peerline's own code.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

/** 16 bit PCM, as mono samples of -1 to 1. */
export async function readWav(path) {
  const file = await readFile(path);
  assert.equal(file.toString('latin1', 0, 4), 'RIFF');
  assert.equal(file.toString('latin1', 8, 12), 'WAVE');
  assert.equal(file.readUInt32LE(4) + 8, file.length, 'the RIFF length fits the file');
  let format, data;
  for (let at = 12; at + 8 <= file.length;) {
    const id = file.toString('latin1', at, at + 4), size = file.readUInt32LE(at + 4);
    if (id === 'fmt ') format = file.subarray(at + 8, at + 8 + size);
    if (id === 'data') data = file.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size & 1);
  }
  assert.equal(format.readUInt16LE(0), 1, 'PCM');
  assert.equal(format.readUInt16LE(14), 16, 'bits');
  const channels = format.readUInt16LE(2), rate = format.readUInt32LE(4);
  const samples = new Float64Array(data.length / 2 / channels);
  for (let i = 0; i < samples.length; i += 1) samples[i] = data.readInt16LE(2 * i * channels) / 32768;
  return { rate, samples };
}

/** The share of the last second's energy at `hz` (Goertzel, in pieces of 50 ms so that a small shift of the
 * clocks does not matter). */
export function toneShare({ rate, samples }, hz) {
  const last = samples.subarray(Math.max(0, samples.length - rate));
  const n = Math.round(rate / 20), w = (2 * Math.PI * hz) / rate;
  let at = 0, all = 0;
  for (let from = 0; from + n <= last.length; from += n) {
    let s1 = 0, s2 = 0;
    for (const x of last.subarray(from, from + n)) {
      all += x * x;
      [s1, s2] = [x + 2 * Math.cos(w) * s1 - s2, s1];
    }
    at += (2 / n) * (s1 * s1 + s2 * s2 - 2 * Math.cos(w) * s1 * s2);
  }
  assert.ok(all > last.length * 1e-4, 'the recording is not silent');
  return at / all;
}

/** The frames of an IVF file: `key`, `pts` and `data` in base64. */
export async function readIvf(path) {
  const file = await readFile(path);
  assert.equal(file.toString('latin1', 0, 4), 'DKIF');
  assert.equal(file.toString('latin1', 8, 12), 'VP80');
  const start = file.readUInt16LE(6), frames = [];
  for (let at = start; at < file.length;) {
    const size = file.readUInt32LE(at), data = file.subarray(at + 12, at + 12 + size);
    assert.equal(data.length, size, 'no frame is cut off');
    frames.push({ key: !(data[0] & 1), pts: Number(file.readBigUInt64LE(at + 4)), data: data.toString('base64') });
    at += 12 + size;
  }
  assert.equal(file.readUInt32LE(24), frames.length, 'the header counts the frames');
  return { width: file.readUInt16LE(12), height: file.readUInt16LE(14), frames };
}

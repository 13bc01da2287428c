// stats.js - once a second from getStats() to numbers, and from numbers to small graphs.

const HISTORY = 60;

const rate = (now, before, key, seconds) => (before ? Math.max(0, (now[key] - before[key]) / seconds) : 0);

function bits(perSecond) {
  return perSecond < 1e6 ? `${Math.round(perSecond / 1e3)} kbit/s` : `${(perSecond / 1e6).toFixed(2)} Mbit/s`;
}

export const tiles = [
  { key: 'bitsIn', label: 'Receiving', show: bits },
  { key: 'bitsOut', label: 'Sending', show: bits },
  { key: 'rtt', label: 'Round trip', show: (v) => `${v < 10 ? v.toFixed(1) : Math.round(v)} ms` },
  { key: 'loss', label: 'Loss', show: (v) => `${v.toFixed(1)} %`, floor: 1 },
  { key: 'jitter', label: 'Jitter', show: (v) => `${v < 10 ? v.toFixed(1) : Math.round(v)} ms`, floor: 5 },
  { key: 'fps', label: 'Frames in', show: (v) => `${Math.round(v)} /s`, floor: 30 },
];

function totals(report) {
  const sum = { bytesIn: 0, bytesOut: 0, packets: 0, lost: 0 };
  for (const s of report.values()) {
    if (s.type === 'inbound-rtp') {
      sum.bytesIn += s.bytesReceived + (s.headerBytesReceived ?? 0);
      sum.packets += s.packetsReceived;
      sum.lost += s.packetsLost;
    } else if (s.type === 'outbound-rtp') {
      sum.bytesOut += s.bytesSent + (s.headerBytesSent ?? 0);
    }
  }
  return sum;
}

function codecOf(report, kind) {
  for (const s of report.values()) {
    if (s.type === 'inbound-rtp' && s.kind === kind && s.codecId) return report.get(s.codecId)?.mimeType.split('/')[1];
  }
  return null;
}

function pairOf(report) {
  const transport = [...report.values()].find((s) => s.type === 'transport' && s.selectedCandidatePairId);
  const pair = transport && report.get(transport.selectedCandidatePairId);
  if (!pair) return { text: '–', rtt: 0 };
  const local = report.get(pair.localCandidateId);
  const remote = report.get(pair.remoteCandidateId);
  return {
    text: `${local?.candidateType ?? '?'} → ${remote?.candidateType ?? '?'}, ${(local?.protocol ?? '?').toUpperCase()}`,
    rtt: (pair.currentRoundTripTime ?? 0) * 1000,
  };
}

/** Samples a connection; last holds the newest values, history the last minute of each. */
export class Sampler {
  #before = null;
  #at = 0;
  history = Object.fromEntries(tiles.map((t) => [t.key, []]));
  last = null;

  async sample(pc) {
    const report = await pc.getStats();
    const now = totals(report);
    const seconds = (performance.now() - this.#at) / 1000;
    const video = [...report.values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
    const sent = [...report.values()].find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
    const jitters = [...report.values()].filter((s) => s.type === 'inbound-rtp' && s.jitter !== undefined);
    const packets = this.#before ? now.packets - this.#before.packets : 0;
    const lost = this.#before ? Math.max(0, now.lost - this.#before.lost) : 0;
    const pair = pairOf(report);
    this.last = {
      bitsIn: 8 * rate(now, this.#before, 'bytesIn', seconds),
      bitsOut: 8 * rate(now, this.#before, 'bytesOut', seconds),
      rtt: pair.rtt,
      loss: packets + lost > 0 ? (100 * lost) / (packets + lost) : 0,
      jitter: 1000 * Math.max(0, ...jitters.map((s) => s.jitter)),
      fps: video?.framesPerSecond ?? 0,
      framesDecoded: video?.framesDecoded ?? 0,
      pair: pair.text,
      sizeIn: video?.frameWidth ? `${video.frameWidth} × ${video.frameHeight}` : '–',
      sizeOut: sent?.frameWidth ? `${sent.frameWidth} × ${sent.frameHeight}` : '–',
      codecs: ['audio', 'video'].map((kind) => codecOf(report, kind)).filter(Boolean).join(', ') || '–',
    };
    this.#before = now;
    this.#at = performance.now();
    for (const { key } of tiles) {
      this.history[key].push(this.last[key]);
      if (this.history[key].length > HISTORY) this.history[key].shift();
    }
    return this.last;
  }
}

/** A line over a soft area; floor: the least value that fills the height, so that calm looks calm. */
export function drawGraph(canvas, values, floor = 0) {
  const ratio = window.devicePixelRatio || 1;
  const w = canvas.clientWidth;
  const h = canvas.clientHeight;
  if (w === 0) return;
  canvas.width = w * ratio;
  canvas.height = h * ratio;
  const ctx = canvas.getContext('2d');
  const top = Math.max(floor, ...values) * 1.15 || 1;
  const x = (i) => w - ((values.length - 1 - i) * w) / (HISTORY - 1);
  const y = (v) => h - 1.5 - (v / top) * (h - 3);
  ctx.scale(ratio, ratio);
  ctx.strokeStyle = ctx.fillStyle = getComputedStyle(canvas).color;
  ctx.lineWidth = 1.6;
  ctx.lineJoin = 'round';
  ctx.beginPath();
  values.forEach((v, i) => ctx.lineTo(x(i), y(v)));
  ctx.stroke();
  ctx.lineTo(w, h);
  ctx.lineTo(x(0), h);
  ctx.globalAlpha = 0.14;
  ctx.fill();
}

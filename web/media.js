// media.js - where picture and sound come from: the devices, or a canvas and an oscillator.

const wanted = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
};

/** What went wrong with the devices, and what a person can do about it. */
export class MediaError extends Error {
  constructor(title, advice) {
    super(title);
    this.advice = advice;
  }
}

function explain(error) {
  if (!window.isSecureContext || !navigator.mediaDevices)
    return new MediaError('No camera here.',
      'Browsers give camera and microphone only to https:// pages and to localhost. You can still watch, listen and chat.');
  switch (error?.name) {
    case 'NotAllowedError':
      return new MediaError('Camera and microphone are blocked.',
        'Allow them with the symbol in the address bar, then try again. You can still watch, listen and chat.');
    case 'NotFoundError':
      return new MediaError('No camera or microphone was found.',
        'Plug one in and try again, or send a test picture. You can still watch, listen and chat.');
    case 'NotReadableError':
      return new MediaError('The camera is busy.', 'Close the other program that uses it, then try again.');
    default:
      return new MediaError('The camera does not start.', error?.message ?? '');
  }
}

/** Camera and microphone, or only the one that exists. Throws a MediaError. */
export async function openDevices() {
  if (!navigator.mediaDevices) throw explain();
  let first;
  for (const ask of [wanted, { audio: wanted.audio }, { video: wanted.video }]) {
    try {
      return await navigator.mediaDevices.getUserMedia(ask);
    } catch (error) {
      first ??= error;
      if (error.name === 'NotAllowedError') break;
    }
  }
  throw explain(first);
}

const hueOf = (name) => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7);

function drawFrame(ctx, name, n) {
  const { width: w, height: h } = ctx.canvas;
  const hue = hueOf(name);
  const sky = ctx.createLinearGradient(0, 0, w, h);
  sky.addColorStop(0, `hsl(${hue} 60% 28%)`);
  sky.addColorStop(1, `hsl(${(hue + 50) % 360} 65% 48%)`);
  ctx.fillStyle = sky;
  ctx.fillRect(0, 0, w, h);
  for (let i = 0; i < 7; i++) {
    const t = n / 40 + i * 0.9;
    ctx.fillStyle = `hsl(${(hue + i * 24) % 360} 80% 70% / 0.35)`;
    ctx.beginPath();
    ctx.arc(w * (0.5 + 0.38 * Math.sin(t)), h * (0.5 + 0.34 * Math.cos(t * 1.3)), 18 + i * 7, 0, 7);
    ctx.fill();
  }
  ctx.fillStyle = '#fff';
  ctx.textAlign = 'center';
  ctx.font = `600 ${h / 8}px system-ui, sans-serif`;
  ctx.fillText(name, w / 2, h / 2, w * 0.9);
  ctx.font = `${h / 18}px system-ui, sans-serif`;
  ctx.fillText(`test picture ${n}`, w / 2, h * 0.62);
}

/** A moving picture that shows the name, and a soft tone: for machines without devices, and for tests. */
export function openFake(name) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const ctx = canvas.getContext('2d', { alpha: false });
  let n = 0;
  drawFrame(ctx, name, n);
  const timer = setInterval(() => drawFrame(ctx, name, ++n), 33);
  const stream = canvas.captureStream(30);
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: 300 + (hueOf(name) % 12) * 40 });
  const sink = audio.createMediaStreamDestination();
  tone.connect(new GainNode(audio, { gain: 0.05 })).connect(sink);
  tone.start();
  audio.resume();
  stream.addTrack(sink.stream.getAudioTracks()[0]);
  stream.fake = true;
  stream.release = () => {
    clearInterval(timer);
    audio.close();
  };
  return stream;
}

export function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
  stream?.release?.();
}

"use strict";
// Live values, the age of the last judgement, and the rolling spectrogram. Pages work without it.
const MARKS = { normal: "●", anomaly: "▲", "new condition": "◆", wear: "◣", unusable: "✕", "no sound": "■", silent: "■", lost: "■", failed: "✕" };
const URGENT = ["anomaly", "no sound", "unusable", "new condition", "wear"];
const VIRIDIS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"].map(
  (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
const pictures = new Map();

function figures(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? String(Number(value.toPrecision(3))) : String(value);
}

function ago(seconds) {
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${name} ago`;
  return `${Math.max(0, Math.round(seconds))} s ago`;
}

function stateOf(update) {
  const events = update.events || [];
  const urgent = URGENT.find((kind) => events.includes(kind));
  if (urgent) return urgent;
  return update.source === "listening" ? (update.verdict ? "normal" : "waiting") : update.source;
}

function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((value, channel) => value + (at - low) * (VIRIDIS[low + 1][channel] - value));
}

function draw(canvas, columns) {
  const kept = (pictures.get(canvas) || []).concat(columns).slice(-canvas.width);
  pictures.set(canvas, kept);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const first = canvas.width - kept.length;
  const sorted = kept.flat().sort((a, b) => a - b);
  const low = sorted[Math.floor(0.05 * sorted.length)];
  const range = Math.max(40, sorted[Math.floor(0.995 * sorted.length)] - low);
  kept.forEach((column, index) => column.forEach((level, band) => {
    const at = 4 * ((canvas.height - 1 - band) * canvas.width + first + index);
    image.data.set([...colour((level - low) / range), 255], at);
  }));
  context.putImageData(image, 0, 0);
}

function show(update) {
  for (const part of document.querySelectorAll("[data-machine]")) {
    if (part.dataset.machine !== update.machine) continue;
    for (const field of part.querySelectorAll("[data-field]"))
      if (field.dataset.field in update) field.textContent = figures(update[field.dataset.field]);
    const state = part.querySelector(".state"), name = stateOf(update);
    if (state && name && state.dataset.state !== name) {
      state.dataset.state = name;
      state.innerHTML = '<span aria-hidden="true"></span> ';
      state.firstChild.textContent = MARKS[name] || "…";
      state.append(name);
    }
    const judged = part.querySelector("[data-judged]");
    if (judged && update.judged) judged.dataset.judged = update.judged;
    const canvas = part.querySelector("[data-spectrogram]");
    if (canvas && update.columns) draw(canvas, update.columns);
  }
}

function tick() {
  for (const judged of document.querySelectorAll("[data-judged]"))
    if (judged.dataset.judged) judged.textContent = ago(Date.now() / 1000 - Number(judged.dataset.judged));
}

async function begin() {
  for (const chart of document.querySelectorAll(".scroll > .history"))
    chart.parentElement.scrollLeft = chart.parentElement.scrollWidth;  // now is at the right
  for (const canvas of document.querySelectorAll("[data-spectrogram]")) {
    const answer = await fetch(`/api/v1/machines/${encodeURIComponent(canvas.dataset.spectrogram)}/spectrogram`);
    if (answer.ok) draw(canvas, await answer.json());
  }
  const connection = document.getElementById("connection");
  const source = new EventSource("/api/v1/stream");
  source.onopen = () => { connection.textContent = "live"; };
  source.onerror = () => { connection.textContent = "connecting again"; };
  source.onmessage = (message) => show(JSON.parse(message.data));
  addEventListener("pagehide", () => source.close());
  setInterval(tick, 1000);
}

if (document.querySelector("[data-machine]")) begin();
